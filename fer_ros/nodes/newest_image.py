"""Answers images in a thread of its own, always the newest one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any


class NewestImageWorker:
    """Holds at most one waiting image and hands it to `answer` in a thread of its own.

    An image that arrives while another one waits takes its place: a robot wants to know what people show now, not
    what they showed when the queue began to grow.

    Args:
        answer: called with one image at a time; it must not raise.
    """

    def __init__(self, answer: Callable[[Any], None]):
        self._answer = answer
        self._change = threading.Condition()
        self._waiting: Any = None
        self._stopped = False
        self._skipped = 0
        self._thread = threading.Thread(target=self._run, name="images", daemon=True)
        self._thread.start()

    @property
    def skipped(self) -> int:
        """Images replaced by a newer one before they were looked at."""
        return self._skipped

    def put(self, image: Any) -> None:
        """Leaves `image` for the worker and returns at once."""
        with self._change:
            self._skipped += self._waiting is not None
            self._waiting = image
            self._change.notify()

    def stop(self) -> None:
        """Ends the thread; returns when the image it is working on is answered."""
        with self._change:
            self._stopped = True
            self._change.notify()
        self._thread.join()

    def _run(self) -> None:
        while (image := self._take()) is not None:
            self._answer(image)

    def _take(self) -> Any:
        """The newest image, as soon as there is one; None when it is time to stop."""
        with self._change:
            self._change.wait_for(lambda: self._stopped or self._waiting is not None)
            image, self._waiting = self._waiting, None
            return None if self._stopped else image
