# SPDX-License-Identifier: Apache-2.0
"""One level of OpenCV's image pyramid, for a region of the image.

OpenCV cannot scan a region on the grid of the whole image. The number of hits on a face depends on the grid, so a
region scanned as an image by itself gives other detections than the full scan does.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from fer_ros.types import Box, Detection

_GROUPING_DISTANCE = 0.2
"""Largest distance, in widths of a face, between hits that OpenCV groups; the value of its own full scan."""
_GROUP_OVERLAP = 0.4
"""Intersection over union above which a hit belongs to a group."""


@dataclass(frozen=True)
class PyramidLevel:
    """An image reduced until faces of one size are as wide as the cascade's window."""

    shape: tuple[int, ...]
    """(height, width) of the image."""
    factor: float
    """By how much the image is reduced, 1 or more."""
    window: int
    """Width of the cascade's window, pixels."""

    def crops(self, image: np.ndarray, region: Box, sparse: bool) -> Iterator[tuple[tuple[int, int], np.ndarray]]:
        """Yield the crops of the level on which the cascade visits each position of `region` that a full scan visits.

        OpenCV's full scan steps by two pixels of the level where the factor is below 2, and by one otherwise. It steps
        by two in a crop, whose factor is 1, so that a step of one takes four crops.

        Args:
            image: (height, width) uint8.
            region: part of the image.
            sparse: whether to step by two pixels of the level in any case.

        Yields:
            Corner (x, y) in pixels of the level, and the crop, (height, width) uint8.
        """
        corner, reduced = self._reduced(image, region)
        steps_by_two = sparse or self.factor < 2
        for x, y in ((0, 0),) if steps_by_two else ((0, 0), (1, 0), (0, 1), (1, 1)):
            crop = reduced[y:, x:]
            if min(crop.shape) >= self.window:
                yield (corner[0] + x, corner[1] + y), crop

    def box(self, x: int, y: int) -> Box:
        """Return the window at a position of the level, in pixels of the image."""
        width = round(self.window * self.factor)
        return Box(round(x * self.factor), round(y * self.factor), width, width)

    def _reduced(self, image: np.ndarray, region: Box) -> tuple[tuple[int, int], np.ndarray]:
        """Return the part of the level that shows `region`, and its corner (x, y), which is even."""
        height, width = self.shape
        inside = region.clipped(width, height)
        size = round(width / self.factor), round(height / self.factor)
        x, right = _span(inside.x, inside.right, self.factor, size[0])
        y, bottom = _span(inside.y, inside.bottom, self.factor, size[1])
        step_x, step_y = width / size[0], height / size[1]
        # As in cv2.resize, pixel centers lie at halves and the edge is repeated.
        mapping = np.array([[step_x, 0, (x + 0.5) * step_x - 0.5], [0, step_y, (y + 0.5) * step_y - 0.5]])
        reduced = cv2.warpAffine(
            image,
            mapping,
            (max(right - x, 1), max(bottom - y, 1)),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return (x, y), reduced


def group_hits(hits: list[Detection], min_neighbors: int) -> list[Detection]:
    """Return one detection per group of more than `min_neighbors` hits, as OpenCV groups them; 0 returns all hits."""
    if min_neighbors == 0:
        return hits
    if len(hits) <= min_neighbors:
        return []
    boxes, _ = cv2.groupRectangles(
        [[hit.box.x, hit.box.y, hit.box.width, hit.box.height] for hit in hits], min_neighbors, _GROUPING_DISTANCE
    )
    faces = [Box(*map(int, box)) for box in boxes]
    return [Detection(face, _highest_score(hits, face)) for face in faces]


def _highest_score(hits: list[Detection], face: Box) -> float:
    return max((hit.score for hit in hits if hit.box.iou(face) > _GROUP_OVERLAP), default=0.0)


def _span(start: int, end: int, factor: float, size: int) -> tuple[int, int]:
    first = math.floor(start / factor) // 2 * 2
    return first, min(math.ceil(end / factor) + 1, size)
