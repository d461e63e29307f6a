"""Answers images in a thread of its own, always the newest of each camera."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple


class Newest(NamedTuple):
    """The image of a camera that is to be processed."""

    image: Any
    passed_over: int
    """Images of this camera that it has replaced, one after the other."""


class LatestImageWorker:
    """Holds at most one waiting image of each camera, and hands all that wait to `answer` in a thread of its own.

    An image that arrives while another one of its camera waits takes its place: a robot wants to know what people show
    now, not what they showed when the queue began to grow. Every camera that has an image is in the next batch, so none
    waits for another that is quicker, or for one that is silent.

    Args:
        answer: called with one image of each camera that has one, by the camera's name; it must not raise.
    """

    def __init__(self, answer: Callable[[Mapping[str, Newest]], None]):
        self._answer = answer
        self._change = threading.Condition()
        self._waiting: dict[str, Newest] = {}
        self._working = self._held = self._stopped = False
        self._holding = threading.Lock()
        self._skipped: Counter[str] = Counter()
        self._thread = threading.Thread(target=self._run, name="images", daemon=True)
        self._thread.start()

    def skipped(self, camera: str) -> int:
        """Images of `camera` replaced by a newer one before they were looked at."""
        return self._skipped[camera]

    def put(self, camera: str, image: Any) -> None:
        """Leaves `image` for the worker and returns at once."""
        with self._change:
            replaced = self._waiting.get(camera)
            self._skipped[camera] += replaced is not None
            self._waiting[camera] = Newest(image, replaced.passed_over + 1 if replaced else 0)
            self._change.notify_all()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Waits for the images in work to be processed; none is taken up before the context is left.

        Contexts follow one another. The worker's own thread must not enter one.
        """
        with self._holding:
            with self._change:
                self._held = True
                self._change.wait_for(lambda: not self._working)
            try:
                yield
            finally:
                with self._change:
                    self._held = False
                    self._change.notify_all()

    def stop(self) -> None:
        """Ends the thread; returns when the images it is working on are processed."""
        with self._change:
            self._stopped = True
            self._change.notify_all()
        self._thread.join()

    def _run(self) -> None:
        while images := self._take():
            self._answer(images)
            with self._change:
                self._working = False
                self._change.notify_all()

    def _take(self) -> dict[str, Newest]:
        """The newest images, as soon as there are any; none when it is time to stop."""
        with self._change:
            self._change.wait_for(lambda: self._stopped or (self._waiting and not self._held))
            if self._stopped:
                return {}
            images, self._waiting = self._waiting, {}
            self._working = True
            return images
