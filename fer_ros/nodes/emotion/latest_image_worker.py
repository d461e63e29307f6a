# SPDX-License-Identifier: Apache-2.0
"""Processes images in a worker thread, always the latest of each camera."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple


class LatestImage(NamedTuple):
    """The image of a camera that is processed next."""

    image: Any
    skipped: int
    """Number of images of this camera that it has replaced since the last one was processed."""


class LatestImageWorker:
    """Keeps at most one waiting image per camera, and processes all waiting images as one batch in its own thread.

    An image that arrives while another one of its camera waits replaces it, so that latency stays bounded under
    overload. Each batch has the images of all cameras that have one, so that no camera waits for a faster or a silent
    one.

    Args:
        process: called with the images by the name of their camera; logs its errors itself, as far as it can.
    """

    def __init__(self, process: Callable[[Mapping[str, LatestImage]], None]):
        self._process = process
        self._changed = threading.Condition()
        self._waiting: dict[str, LatestImage] = {}
        self._processing = self._paused = self._stopped = False
        self._pause_lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="images", daemon=True)
        self._thread.start()

    def put(self, camera: str, image: Any) -> None:
        """Hand over an image; returns at once."""
        with self._changed:
            replaced = self._waiting.get(camera)
            self._waiting[camera] = LatestImage(image, replaced.skipped + 1 if replaced else 0)
            self._changed.notify_all()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Wait until the current batch is processed; the next one starts after the context is left.

        Contexts of several threads follow one another. The worker's own thread must not enter one.
        """
        with self._pause_lock:
            with self._changed:
                self._paused = True
                self._changed.wait_for(lambda: not self._processing)
            try:
                yield
            finally:
                with self._changed:
                    self._paused = False
                    self._changed.notify_all()

    def stop(self) -> None:
        """Stop the thread after the current batch; waiting images are dropped."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._thread.join()

    def _run(self) -> None:
        while images := self._take():
            with suppress(Exception):  # without memory even the logging of an error fails
                self._process(images)
            with self._changed:
                self._processing = False
                self._changed.notify_all()

    def _take(self) -> dict[str, LatestImage]:
        """Return the waiting images as soon as there are any; none if the worker is stopped."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or (self._waiting and not self._paused))
            if self._stopped:
                return {}
            images, self._waiting = self._waiting, {}
            self._processing = True
            return images
