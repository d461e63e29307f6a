"""What detectors share: sizes of faces, strips of an image, parts of it to scale, and one meaning of a box."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from fer_ros.faces.detectors.base import ScanTile
from fer_ros.media.resize import resize
from fer_ros.types import Box, Detection, Point

_SMALLEST_FACE = 30
"""Pixels; below this neither the 24-pixel cascades nor the network see more than noise."""
_IMAGE_PER_FACE = 16
"""An automatic smallest face is this fraction of the image's shorter side: 30 pixels at 640x480."""


_MOST_PIXELS = 8_000_000
"""Of a part: half a second for dlib, and memory that every robot has."""
_STRIP = 3
"""How many of the largest faces a strip is at least high."""


@dataclass(frozen=True)
class FaceSizes:
    """Which faces are looked for.

    Args:
        smallest: width in pixels; 0 chooses 1/16 of the image's shorter side and at least 30, so that the work does
            not grow with the resolution of the camera.
        largest: width in pixels; 0 for no limit.

    Raises:
        ValueError: no face could be found.
    """

    smallest: int = 0
    largest: int = 0

    def __post_init__(self):
        if self.smallest < 0 or self.largest < 0:
            raise ValueError("min_size and max_size must not be negative")
        if 0 < self.largest < self.smallest:
            raise ValueError(f"max_size ({self.largest}) is below min_size ({self.smallest}): no face could be found")

    def of(self, shape: tuple[int, int]) -> tuple[int, int]:
        """Width of the smallest and the largest face in an image of (height, width)."""
        whole = min(shape)
        return (
            self.smallest or max(_SMALLEST_FACE, whole // _IMAGE_PER_FACE),
            min(self.largest, whole) if self.largest else whole,
        )

    def within(self, shape: tuple[int, int], smallest: int, largest: int) -> tuple[int, int]:
        """The same, but not beyond `smallest` and `largest`, where 0 stands for no further limit."""
        limits = self.of(shape)
        return max(smallest, limits[0]), min(largest or limits[1], limits[1])


@dataclass(frozen=True)
class ScaledCrop:
    """The part of an image in which a detector looks, reduced or enlarged to the size that it sees best."""

    pixels: np.ndarray
    """(height, width) uint8."""
    x: int
    y: int
    """Where it begins in the image."""
    across: float
    down: float
    """How many pixels of the image one of these is wide and high."""

    @classmethod
    def of(cls, gray: np.ndarray, region: Box | None, margin: int, scale: float) -> ScaledCrop | None:
        """`region` and up to `margin` pixels around it, `scale` times as large; None where nothing of it is left.

        No larger than `_MOST_PIXELS`: whoever asks for tiny faces in a large image does not get the tiniest.
        """
        height, width = gray.shape
        wanted = Box(0, 0, width, height)
        if region is not None:
            grown = Box(region.x - margin, region.y - margin, region.width + 2 * margin, region.height + 2 * margin)
            wanted = grown.clipped(width, height)
        scale = min(scale, (_MOST_PIXELS / max(wanted.area, 1)) ** 0.5)
        size = round(wanted.width * scale), round(wanted.height * scale)
        if min(size) < 1:
            return None
        pixels = gray[wanted.y : wanted.bottom, wanted.x : wanted.right]
        scaled = resize(pixels, size)
        return cls(scaled, wanted.x, wanted.y, wanted.width / size[0], wanted.height / size[1])

    def reduced(self, scale: float) -> ScaledCrop | None:
        """The same part with fewer pixels; None where none would be left."""
        size = round(self.pixels.shape[1] * scale), round(self.pixels.shape[0] * scale)
        if min(size) < 1:
            return None
        pixels = resize(self.pixels, size)
        across, down = self.pixels.shape[1] / size[0], self.pixels.shape[0] / size[1]
        return ScaledCrop(pixels, self.x, self.y, self.across * across, self.down * down)

    def point(self, x: float, y: float) -> Point:
        """A point of the part in the image; pixel centers lie at whole numbers in both."""
        return self.x + (x + 0.5) * self.across - 0.5, self.y + (y + 0.5) * self.down - 0.5

    def edges(self, left: float, top: float, right: float, bottom: float) -> tuple[float, float, float, float]:
        """A rectangle of the part in the image."""
        return (
            self.x + left * self.across,
            self.y + top * self.down,
            self.x + right * self.across,
            self.y + bottom * self.down,
        )


@dataclass(frozen=True)
class Shape:
    """How a detector's own rectangle lies on a face, beside the square that Viola-Jones puts there.

    The network that reads faces was made for that square, and so was everything that knows how wide a face is.
    """

    size: float
    """Side of the square in heights of the rectangle."""
    down: float
    """How far below the rectangle's center that of the square is, in heights of the rectangle."""

    def square(self, left: float, top: float, right: float, bottom: float) -> Box:
        """The square for a rectangle."""
        height = bottom - top
        side = self.size * height
        x, y = (left + right) / 2, (top + bottom) / 2 + self.down * height
        return Box(round(x - side / 2), round(y - side / 2), round(side), round(side))


def asked_for(detections: list[Detection], region: Box | None, smallest: int, largest: int) -> list[Detection]:
    """Those whose center lies in `region` and whose width is within the limits."""
    return [one for one in detections if smallest <= one.box.width <= largest and _holds(region, one.box.center)]


def threshold(usual: float, evidence: float) -> float:
    """What a score of 0..1 must reach, where `usual` is what it must by itself; below 1, however much is asked for."""
    return usual * evidence if evidence <= 1 else 1 - (1 - usual) / evidence


def strips(shape: tuple[int, int], smallest: int, largest: int, count: int) -> list[ScanTile]:
    """An image cut into `count` strips that overlap by the largest face; fewer where most of them would be overlap."""
    height, width = shape
    if min(shape) < smallest:
        return []
    count = max(1, min(count, height // (_STRIP * largest)))
    tops = np.linspace(0, max(height - largest, 0), count + 1).astype(int)
    return [
        ScanTile(Box(0, int(top), width, int(bottom - top) + largest), smallest, largest)
        for top, bottom in pairwise(tops)
    ]


def _holds(region: Box | None, point: Point) -> bool:
    if region is None:
        return True
    return region.x <= point[0] < region.right and region.y <= point[1] < region.bottom
