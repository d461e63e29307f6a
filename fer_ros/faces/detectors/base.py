# SPDX-License-Identifier: Apache-2.0
"""The interface of all face detectors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from fer_ros.types import Box, Detection

_REDETECT_SIZE_CHANGE = 1.15
"""Largest ratio between the width of a face and the width expected, in the default `redetect`."""
_REDETECT_THRESHOLD_SCALE = 0.5
_SAME_FACE_OVERLAP = 0.3
"""Intersection over union above which two detections are of one face."""


@dataclass(frozen=True)
class Query:
    """Restricts a detection to a part of the image and to some sizes of face."""

    region: Box | None = None
    """Part of the image to search; None searches all of it."""
    min_size: int = 0
    """Width of the smallest face, pixels; 0 takes the detector's own limit."""
    max_size: int = 0
    """Width of the largest face, pixels; 0 takes the detector's own limit."""
    threshold_scale: float = 1.0
    """Scales the detector's acceptance threshold: below 1 where a face is expected, above 1 where one is unlikely."""


WHOLE_IMAGE = Query()
"""All faces, at the detector's own threshold."""


@dataclass(frozen=True)
class ScanTile:
    """A part of a full scan, small enough to be processed within one frame."""

    region: Box
    """Part of the image."""
    min_size: int
    """Width of the smallest face, pixels."""
    max_size: int
    """Width of the largest face, pixels, inclusive."""


class Detector(ABC):
    """Finds faces in gray images.

    A detector has no state: one object serves all cameras. Only `detect` and `size_limits` are abstract; a detector
    overrides the others where it has a faster way than `detect`.

    All images are whole ones, (height, width) uint8, and all boxes are in their pixels.
    """

    @abstractmethod
    def detect(self, image: np.ndarray, query: Query = WHOLE_IMAGE) -> list[Detection]:
        """Return the faces in an image that match the query.

        Args:
            image: (height, width) uint8.
            query: where to search, for which sizes, and how strong a detection must be.
        """

    @abstractmethod
    def size_limits(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """Return the widths of the smallest and the largest face, pixels, searched for in a (height, width) image."""

    def redetect(self, image: np.ndarray, region: Box, size: int) -> list[Detection]:
        """Return a face that is known to be in a region and about `size` pixels wide; cheaper than `detect`.

        May miss the face: `detect` decides whether it is gone.
        """
        smallest, largest = round(size / _REDETECT_SIZE_CHANGE), round(size * _REDETECT_SIZE_CHANGE)
        return self.detect(image, Query(region, smallest, largest, _REDETECT_THRESHOLD_SCALE))

    def tiles(self, shape: tuple[int, int], pass_index: int, min_size: int, max_size: int) -> list[ScanTile]:
        """Return one pass of a full scan as tiles of about equal cost.

        Args:
            shape: (height, width) of the image.
            pass_index: number of the pass; a detector may use another grid for each.
            min_size: width of the smallest face, pixels.
            max_size: width of the largest face, pixels.
        """
        height, width = shape
        return [ScanTile(Box(0, 0, width, height), min_size, max_size)]

    def proposals(self, image: np.ndarray, tile: ScanTile) -> list[Detection]:
        """Return where in a tile a face may be; cheaper than `detect`, which verifies each proposal."""
        return self.detect(image, Query(tile.region, tile.min_size, tile.max_size))


def non_max_suppression(detections: list[Detection], overlap: float = _SAME_FACE_OVERLAP) -> list[Detection]:
    """Return the detections without those that overlap one with a higher score.

    Args:
        detections: in any order.
        overlap: intersection over union, 0..1, above which two detections are of one face.

    Returns:
        Highest score first.
    """
    kept: list[Detection] = []
    for candidate in sorted(detections, key=lambda detection: detection.score, reverse=True):
        if all(candidate.box.iou(other.box) <= overlap for other in kept):
            kept.append(candidate)
    return kept
