# SPDX-License-Identifier: Apache-2.0
"""LatestImageWorker processes the latest image of each camera."""

import threading
import time

from fer_ros.nodes.emotion.latest_image_worker import LatestImage, LatestImageWorker

DEADLINE = 30.0


class Blocking:
    """Callback that processes each batch only after `proceed` is released."""

    def __init__(self):
        self.batches = []
        self.started = threading.Semaphore(0)
        self.proceed = threading.Semaphore(0)

    def __call__(self, images):
        self.batches.append(images)
        self.started.release()
        assert self.proceed.acquire(timeout=DEADLINE)


def test_worker_replaces_waiting_image():
    process = Blocking()
    worker = LatestImageWorker(process)
    worker.put("eye", "first")
    assert process.started.acquire(timeout=DEADLINE)
    for image in ("second", "third", "fourth"):
        worker.put("eye", image)
    process.proceed.release(2)
    assert process.started.acquire(timeout=DEADLINE)
    worker.stop()
    assert process.batches == [{"eye": LatestImage("first", 0)}, {"eye": LatestImage("fourth", skipped=2)}]


def test_worker_processes_slow_camera_beside_fast_one():
    process = Blocking()
    worker = LatestImageWorker(process)
    worker.put("fast", 1)
    assert process.started.acquire(timeout=DEADLINE)
    worker.put("slow", 1)
    for image in (2, 3, 4):
        worker.put("fast", image)
    process.proceed.release(2)
    assert process.started.acquire(timeout=DEADLINE)
    worker.stop()
    assert process.batches == [
        {"fast": LatestImage(1, 0)},
        {"slow": LatestImage(1, 0), "fast": LatestImage(4, skipped=2)},
    ]


def test_paused_worker_processes_nothing():
    process = Blocking()
    worker = LatestImageWorker(process)
    worker.put("eye", "processed")
    assert process.started.acquire(timeout=DEADLINE)
    entered, leave = threading.Event(), threading.Event()

    def change():
        with worker.paused():
            entered.set()
            assert leave.wait(DEADLINE)

    changing = threading.Thread(target=change)
    changing.start()
    worker.put("eye", "waiting")
    assert not entered.wait(0.05)
    process.proceed.release(2)
    assert entered.wait(DEADLINE)
    assert not process.started.acquire(timeout=0.05)
    leave.set()
    assert process.started.acquire(timeout=DEADLINE)
    changing.join(DEADLINE)
    worker.stop()


def test_stop_finishes_batch_and_drops_waiting_image():
    process = Blocking()
    worker = LatestImageWorker(process)
    worker.put("eye", "processed")
    assert process.started.acquire(timeout=DEADLINE)
    worker.put("eye", "waiting")
    stopping = threading.Thread(target=worker.stop)
    stopping.start()
    stopping.join(0.05)
    assert stopping.is_alive()
    process.proceed.release()
    stopping.join(DEADLINE)
    assert not stopping.is_alive()
    assert process.batches == [{"eye": LatestImage("processed", 0)}]


def test_worker_outlives_an_error():
    processed = threading.Event()

    def process(images):
        if images["eye"].image == "bad":
            raise MemoryError
        processed.set()

    worker = LatestImageWorker(process)
    worker.put("eye", "bad")
    while worker._waiting:
        time.sleep(0.001)
    worker.put("eye", "good")
    assert processed.wait(DEADLINE)
    worker.stop()
