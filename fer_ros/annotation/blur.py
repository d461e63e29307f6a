# SPDX-License-Identifier: Apache-2.0
"""Hide faces in images and videos, so that copies can be shared."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence

import cv2
import numpy as np

from fer_ros.faces.detectors.base import Detector
from fer_ros.faces.detectors.registry import DETECTORS
from fer_ros.types import Box

_MARGIN = 0.3
"""How far the hidden part reaches beyond each side of a box, relative to its size: boxes end at the brows and the chin.
"""
_BLOCKS = 3
"""Colors along each side of a hidden part. Five show where the eyes and the mouth are."""
_ROUNDS = 3
"""The detectors are run again on the result, since they may find what was hidden only in part."""
_HOLD = 0.5
"""Seconds before and after a detection in which the same place of a video is hidden, for images between without one."""
_MAX_WAITING = 16
"""Images that are held back for those after them."""


def all_detectors() -> list[Detector]:
    """Return every detector that is installed and needs no further file."""
    detectors = []
    for name in DETECTORS:
        try:
            detectors.append(DETECTORS.create(name))
        except (ImportError, OSError, ValueError):  # noqa: PERF203 (few detectors)
            continue
    return detectors


def hide(image: np.ndarray, boxes: Iterable[Box]) -> None:
    """Replace the surroundings of each box by a few blurred colors, in place.

    Args:
        image: (height, width, 3) uint8.
        boxes: in pixels of the image.
    """
    height, width = image.shape[:2]
    for box in boxes:
        x, y = round(_MARGIN * box.width), round(_MARGIN * box.height)
        hidden = Box(box.x - x, box.y - y, box.width + 2 * x, box.height + 2 * y).clipped(width, height)
        if hidden.area:
            region = image[hidden.y : hidden.bottom, hidden.x : hidden.right]
            few = cv2.resize(region, (_BLOCKS, _BLOCKS), interpolation=cv2.INTER_AREA)
            region[:] = cv2.resize(few, (hidden.width, hidden.height), interpolation=cv2.INTER_LINEAR)


class FaceBlur:
    """Hides the faces of a sequence of images, or of single ones.

    Args:
        detectors: that search each image, beside the boxes that are given.
        is_sequence: whether the images follow each other in time.
    """

    def __init__(self, detectors: Sequence[Detector], is_sequence: bool):
        self._detectors = detectors
        self._is_sequence = is_sequence
        self._waiting: deque[tuple[np.ndarray, int, list[Box]]] = deque()
        self._recent: deque[tuple[int, list[Box]]] = deque()

    def add(self, image: np.ndarray, stamp: int, boxes: Iterable[Box]) -> Iterator[tuple[np.ndarray, int]]:
        """Take the next image with its boxes; yield the images that are ready, with their stamps.

        Args:
            image: (height, width, 3) uint8 BGR; not modified.
            stamp: nanoseconds.
            boxes: of the faces known in it.
        """
        gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        found = [*boxes, *self._search(gray)]
        if not self._is_sequence:
            yield self._finish(image, found), stamp
            return
        hold = round(_HOLD * 1e9)
        while self._recent and not 0 <= stamp - self._recent[0][0] <= hold:
            self._recent.popleft()
        for _, earlier, hidden in self._waiting:
            if 0 <= stamp - earlier <= hold:
                hidden.extend(found)
        self._waiting.append((image.copy(), stamp, found + [box for _, past in self._recent for box in past]))
        self._recent.append((stamp, found))
        while len(self._waiting) > _MAX_WAITING or abs(stamp - self._waiting[0][1]) > hold:
            ready, at, hidden = self._waiting.popleft()
            yield self._finish(ready, hidden), at

    def flush(self) -> Iterator[tuple[np.ndarray, int]]:
        """Yield the images that were held back."""
        while self._waiting:
            image, stamp, hidden = self._waiting.popleft()
            yield self._finish(image, hidden), stamp

    def _search(self, gray: np.ndarray) -> list[Box]:
        return [detection.box for detector in self._detectors for detection in detector.detect(gray)]

    def _finish(self, image: np.ndarray, boxes: Iterable[Box]) -> np.ndarray:
        hidden: np.ndarray = image.copy()
        hide(hidden, boxes)
        for _ in range(_ROUNDS):
            left = self._search(cv2.cvtColor(hidden, cv2.COLOR_BGR2GRAY))
            if not left:
                break
            hide(hidden, left)
        return hidden
