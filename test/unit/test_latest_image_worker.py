"""The newest image of each camera is the one that is looked at."""

import threading

from fer_ros.nodes.emotion.latest_image_worker import LatestImage, LatestImageWorker

DEADLINE = 30.0


class Slow:
    """Looks at images, each only when it is let."""

    def __init__(self):
        self.seen = []
        self.begun = threading.Semaphore(0)
        self.let = threading.Semaphore(0)

    def __call__(self, images):
        self.seen.append(images)
        self.begun.release()
        assert self.let.acquire(timeout=DEADLINE)


def test_images_that_come_during_work_replace_each_other():
    look = Slow()
    worker = LatestImageWorker(look)
    worker.put("eye", "first")
    assert look.begun.acquire(timeout=DEADLINE)
    for image in ("second", "third", "fourth"):
        worker.put("eye", image)
    look.let.release(2)
    assert look.begun.acquire(timeout=DEADLINE)
    worker.stop()
    assert look.seen == [{"eye": LatestImage("first", 0)}, {"eye": LatestImage("fourth", skipped=2)}]


def test_a_quick_camera_takes_nobodys_turn():
    look = Slow()
    worker = LatestImageWorker(look)
    worker.put("quick", 1)
    assert look.begun.acquire(timeout=DEADLINE)
    worker.put("slow", 1)
    for image in (2, 3, 4):
        worker.put("quick", image)
    look.let.release(2)
    assert look.begun.acquire(timeout=DEADLINE)
    worker.stop()
    assert look.seen == [{"quick": LatestImage(1, 0)}, {"slow": LatestImage(1, 0), "quick": LatestImage(4, skipped=2)}]


def test_between_images_nothing_is_looked_at():
    look = Slow()
    worker = LatestImageWorker(look)
    worker.put("eye", "in work")
    assert look.begun.acquire(timeout=DEADLINE)
    entered, leave = threading.Event(), threading.Event()

    def change():
        with worker.paused():
            entered.set()
            assert leave.wait(DEADLINE)

    changing = threading.Thread(target=change)
    changing.start()
    worker.put("eye", "waiting")
    assert not entered.wait(0.05)
    look.let.release(2)
    assert entered.wait(DEADLINE)
    assert not look.begun.acquire(timeout=0.05)
    leave.set()
    assert look.begun.acquire(timeout=DEADLINE)
    changing.join(DEADLINE)
    worker.stop()


def test_stopping_finishes_the_image_in_work_and_leaves_the_one_that_waits():
    look = Slow()
    worker = LatestImageWorker(look)
    worker.put("eye", "in work")
    assert look.begun.acquire(timeout=DEADLINE)
    worker.put("eye", "waiting")
    stopping = threading.Thread(target=worker.stop)
    stopping.start()
    stopping.join(0.05)
    assert stopping.is_alive()
    look.let.release()
    stopping.join(DEADLINE)
    assert not stopping.is_alive()
    assert look.seen == [{"eye": LatestImage("in work", 0)}]
