"""One size of face in a full scan by OpenCV's cascade, for parts of the image.

OpenCV offers no scan of a region on the grid of the whole image. A face that only just is one gets more neighbors on
one grid than on another, so a region scanned by itself finds other faces than the full scan does.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from fer_ros.types import Box, Detection

_SAME_FACE = 0.2
"""How far apart, in widths of a face, hits on one face may lie: OpenCV's own choice in a full scan."""


@dataclass(frozen=True)
class PyramidLevel:
    """The image reduced until a face is as wide as the cascade's window.

    Args:
        shape: (height, width) of the image.
        factor: by how much it is reduced.
        base: width of the cascade's window in pixels.
    """

    shape: tuple[int, int]
    factor: float
    base: int

    def parts(self, gray: np.ndarray, region: Box, sparse: bool) -> Iterator[tuple[tuple[int, int], np.ndarray]]:
        """What OpenCV's cascade must be run on at its own size, to try each place it would try in `region`.

        OpenCV tries every second pixel of the reduced image as long as the factor is below 2, as it does here where
        the factor is 1, and otherwise every pixel: that takes four runs, unless a `sparse` grid is wanted.

        Yields:
            Corner (x, y) in pixels of the reduced image, and the part of that image from there on.
        """
        corner, reduced = self._reduced(gray, region)
        once = sparse or self.factor < 2
        for across, down in ((0, 0),) if once else ((0, 0), (1, 0), (0, 1), (1, 1)):
            part = reduced[down:, across:]
            if min(part.shape) >= self.base:
                yield (corner[0] + across, corner[1] + down), part

    def box(self, x: int, y: int) -> Box:
        """The window at a place of the reduced image, in pixels of the image."""
        width = round(self.base * self.factor)
        return Box(round(x * self.factor), round(y * self.factor), width, width)

    def _reduced(self, gray: np.ndarray, region: Box) -> tuple[tuple[int, int], np.ndarray]:
        """The part of the reduced image that shows `region`, from an even corner on."""
        height, width = self.shape
        inside = region.clipped(width, height)
        size = round(width / self.factor), round(height / self.factor)
        x, right = _span(inside.x, inside.right, self.factor, size[0])
        y, bottom = _span(inside.y, inside.bottom, self.factor, size[1])
        across, down = width / size[0], height / size[1]
        # Pixel centers lie at halves, and the edge is repeated, as in cv2.resize.
        mapping = np.array([[across, 0, (x + 0.5) * across - 0.5], [0, down, (y + 0.5) * down - 0.5]])
        reduced = cv2.warpAffine(
            gray,
            mapping,
            (max(right - x, 1), max(bottom - y, 1)),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return (x, y), reduced


def grouped(hits: list[Detection], neighbors: int) -> list[Detection]:
    """Hits on the same face made one, where there are more than `neighbors` of them; each by itself if that is 0."""
    if neighbors == 0 or len(hits) <= neighbors:
        return hits if neighbors == 0 else []
    boxes, _ = cv2.groupRectangles(
        [[hit.box.x, hit.box.y, hit.box.width, hit.box.height] for hit in hits], neighbors, _SAME_FACE
    )
    faces = [Box(*map(int, box)) for box in boxes]
    return [Detection(face, max((hit.score for hit in hits if hit.box.iou(face) > 0.4), default=0.0)) for face in faces]


def _span(start: int, end: int, factor: float, size: int) -> tuple[int, int]:
    first = math.floor(start / factor) // 2 * 2
    return first, min(math.ceil(end / factor) + 1, size)
