# SPDX-License-Identifier: Apache-2.0
"""What several detectors use: limits of the face size, scaled crops, tiling, and one definition of a face's box."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import numpy as np

from fer_ros.faces.detectors.base import Query, ScanTile
from fer_ros.media.resize import resize
from fer_ros.registry import option
from fer_ros.types import Box, Detection, Point

Edge = TypeVar("Edge", float, np.ndarray)

_MIN_SIZE = 30
"""Lower bound of the automatic smallest face, pixels: below it, 24-pixel cascades and the emotion network see noise."""
_IMAGE_PER_FACE = 16
"""The automatic smallest face is this fraction of the image's shorter side: 30 pixels at 640x480."""
_MAX_CROP_PIXELS = 8_000_000
"""Upper bound of a scaled crop; dlib takes 0.5 s for that many."""
_STRIP_HEIGHT = 3
"""Smallest height of a strip, in widths of the largest face."""


@dataclass(frozen=True)
class SizeOptions:
    """Which sizes of face to search for; the base of the detectors' options.

    Raises:
        ValueError: a value is negative, or no size is left.
    """

    min_size: int = option(0, "width of the smallest face, pixels; 0: 1/16 of the image's shorter side, at least 30")
    max_size: int = option(0, "width of the largest face, pixels; 0: no limit")

    def __post_init__(self) -> None:
        if self.min_size < 0 or self.max_size < 0:
            raise ValueError("min_size and max_size must not be negative")
        if 0 < self.max_size < self.min_size:
            raise ValueError(
                f"max_size ({self.max_size}) is below min_size ({self.min_size}): no face could be found; "
                "raise max_size, or set it to 0 for no limit"
            )

    def limits(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """Return the widths of the smallest and the largest face in a (height, width) image, pixels.

        The automatic smallest face grows with the image, so that the work does not grow with the camera's resolution.
        """
        side = min(shape)
        return (
            self.min_size or max(_MIN_SIZE, side // _IMAGE_PER_FACE),
            min(self.max_size, side) if self.max_size else side,
        )

    def limits_of(self, query: Query, shape: tuple[int, ...]) -> tuple[int, int]:
        """Return the same, limited further to the sizes of a query; the second may be below the first."""
        smallest, largest = self.limits(shape)
        return max(query.min_size, smallest), min(query.max_size or largest, largest)


@dataclass(frozen=True)
class ScaledCrop:
    """A part of an image, resized for a detector."""

    pixels: np.ndarray
    """(height, width) uint8."""
    x: int
    """Left edge in the image, pixels."""
    y: int
    """Top edge in the image, pixels."""
    step_x: float
    """Width of one pixel of the crop, in pixels of the image."""
    step_y: float
    """Height of one pixel of the crop, in pixels of the image."""

    @classmethod
    def cut(cls, image: np.ndarray, region: Box | None, margin: int, scale: float) -> ScaledCrop | None:
        """Return a region of an image, resized.

        Args:
            image: (height, width) uint8.
            region: part of the image; None takes all of it.
            margin: pixels of the image to add on each side of the region.
            scale: pixels of the crop per pixel of the image; reduced where the crop would exceed 8 megapixels.

        Returns:
            None where the region lies outside of the image.
        """
        height, width = image.shape
        box = Box(0, 0, width, height)
        if region is not None:
            grown = Box(region.x - margin, region.y - margin, region.width + 2 * margin, region.height + 2 * margin)
            box = grown.clipped(width, height)
        scale = min(scale, (_MAX_CROP_PIXELS / max(box.area, 1)) ** 0.5)
        size = round(box.width * scale), round(box.height * scale)
        if min(size) < 1:
            return None
        pixels = resize(image[box.y : box.bottom, box.x : box.right], size)
        return cls(pixels, box.x, box.y, box.width / size[0], box.height / size[1])

    def shrunk(self, scale: float) -> ScaledCrop | None:
        """Return the same part of the image `scale` (below 1) times as large, or None where no pixel is left."""
        size = round(self.pixels.shape[1] * scale), round(self.pixels.shape[0] * scale)
        if min(size) < 1:
            return None
        step_x, step_y = self.pixels.shape[1] / size[0], self.pixels.shape[0] / size[1]
        return ScaledCrop(resize(self.pixels, size), self.x, self.y, self.step_x * step_x, self.step_y * step_y)

    def to_image(self, x: float, y: float) -> Point:
        """Return where a point of the crop lies in the image; in both, whole numbers are centers of pixels."""
        return self.x + (x + 0.5) * self.step_x - 0.5, self.y + (y + 0.5) * self.step_y - 0.5

    def edges_to_image(self, left: Edge, top: Edge, right: Edge, bottom: Edge) -> tuple[Edge, Edge, Edge, Edge]:
        """Return where the edges of one or more rectangles lie in the image; whole numbers are edges of pixels."""
        return (
            self.x + left * self.step_x,
            self.y + top * self.step_y,
            self.x + right * self.step_x,
            self.y + bottom * self.step_y,
        )


@dataclass(frozen=True)
class SquareFit:
    """Converts a detector's own rectangles to the square that Viola-Jones puts on a face.

    The emotion network was trained on that square, and distances are computed from its width.
    """

    size: float
    """Side of the square, in heights of the rectangle."""
    offset_y: float
    """How far the square's center lies below that of the rectangle, in heights of the rectangle."""

    def square(self, left: float, top: float, right: float, bottom: float) -> Box:
        """Return the square for the rectangle with these edges, pixels."""
        height = bottom - top
        side = self.size * height
        x, y = (left + right) / 2, (top + bottom) / 2 + self.offset_y * height
        return Box(round(x - side / 2), round(y - side / 2), round(side), round(side))


def filter_detections(detections: list[Detection], region: Box | None, min_size: int, max_size: int) -> list[Detection]:
    """Return the detections whose center lies in a region and whose width is within limits, pixels."""
    return [
        detection
        for detection in detections
        if min_size <= detection.box.width <= max_size and _contains(region, detection.box.center)
    ]


def scaled_threshold(threshold: float, scale: float) -> float:
    """Return a threshold on a score of 0..1, scaled; it approaches 1, but does not reach it, as `scale` grows."""
    return threshold * scale if scale <= 1 else 1 - (1 - threshold) / scale


def strips(shape: tuple[int, int], min_size: int, max_size: int, count: int) -> list[ScanTile]:
    """Return an image as horizontal strips that overlap by the largest face.

    Args:
        shape: (height, width) of the image.
        min_size: width of the smallest face, pixels.
        max_size: width of the largest face, pixels.
        count: number of strips; fewer are returned where they would be mostly overlap, none for a tiny image.
    """
    height, width = shape
    if min(shape) < min_size:
        return []
    count = max(1, min(count, height // (_STRIP_HEIGHT * max_size)))
    tops = np.linspace(0, max(height - max_size, 0), count + 1).astype(int)
    return [
        ScanTile(Box(0, int(top), width, int(bottom - top) + max_size), min_size, max_size)
        for top, bottom in pairwise(tops)
    ]


def _contains(region: Box | None, point: Point) -> bool:
    if region is None:
        return True
    return region.x <= point[0] < region.right and region.y <= point[1] < region.bottom
