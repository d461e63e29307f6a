"""The newest image is the one that is looked at."""

import threading

from fer_ros.nodes.newest_image import NewestImageWorker

DEADLINE = 30.0


class Slow:
    """Looks at images, each only when it is let."""

    def __init__(self):
        self.seen = []
        self.begun = threading.Semaphore(0)
        self.let = threading.Semaphore(0)

    def __call__(self, image):
        self.seen.append(image)
        self.begun.release()
        assert self.let.acquire(timeout=DEADLINE)


def test_images_that_come_during_work_replace_each_other():
    look = Slow()
    worker = NewestImageWorker(look)
    worker.put("first")
    assert look.begun.acquire(timeout=DEADLINE)
    for image in ("second", "third", "fourth"):
        worker.put(image)
    look.let.release(2)
    assert look.begun.acquire(timeout=DEADLINE)
    worker.stop()
    assert look.seen == ["first", "fourth"]
    assert worker.skipped == 2


def test_stopping_finishes_the_image_in_work_and_leaves_the_one_that_waits():
    look = Slow()
    worker = NewestImageWorker(look)
    worker.put("in work")
    assert look.begun.acquire(timeout=DEADLINE)
    worker.put("waiting")
    stopping = threading.Thread(target=worker.stop)
    stopping.start()
    stopping.join(0.05)
    assert stopping.is_alive()
    look.let.release()
    stopping.join(DEADLINE)
    assert not stopping.is_alive()
    assert look.seen == ["in work"]
