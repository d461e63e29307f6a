"""Detectors of faces in a gray image, one file each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from fer_ros.types import Box, Detection


@dataclass(frozen=True)
class ScanTile:
    """A part of a full scan, small enough for one frame: where to look, and for which sizes of face."""

    region: Box
    """Pixels of the whole image."""
    smallest: int
    largest: int
    """Width of a face in pixels, both ends included."""


class Detector(ABC):
    """What every detector offers. Only `detect` and `sizes` must be written; the rest has an answer made of them.

    All images are whole ones, (height, width) uint8; all boxes are in their pixels.
    """

    @abstractmethod
    def detect(
        self,
        gray: np.ndarray,
        region: Box | None = None,
        smallest: int = 0,
        largest: int = 0,
        evidence: float = 1.0,
    ) -> list[Detection]:
        """The faces in an image.

        Args:
            gray: the image.
            region: where to look; all of the image when None.
            smallest: width of a face in pixels; 0 stands for the detector's own limit.
            largest: the same for the largest face.
            evidence: share of the usual evidence that is enough: below 1 where a face is expected, above 1 where none
                is likely.
        """

    @abstractmethod
    def sizes(self, shape: tuple[int, int]) -> tuple[int, int]:
        """Width in pixels of the smallest and the largest face looked for in an image of (height, width)."""

    def redetect(self, gray: np.ndarray, region: Box, size: int) -> list[Detection]:
        """A cheap look for a face known to be here and about `size` pixels wide; nothing found proves nothing."""
        return self.detect(gray, region, round(size / 1.15), round(size * 1.15), evidence=0.5)

    def tiles(self, shape: tuple[int, int], turn: int, smallest: int, largest: int) -> list[ScanTile]:
        """A scan of an image of (height, width), in parts of about equal cost.

        Args:
            shape: of the image.
            turn: counts the scans; a detector may put each on another grid.
            smallest: width of the smallest face in pixels.
            largest: width of the largest.
        """
        height, width = shape
        return [ScanTile(Box(0, 0, width, height), smallest, largest)]

    def proposals(self, gray: np.ndarray, tile: ScanTile) -> list[Detection]:
        """Where `detect` should have a closer look: cheap, and may be wrong."""
        return self.detect(gray, tile.region, tile.smallest, tile.largest)


def non_max_suppression(detections: list[Detection], overlap: float = 0.3) -> list[Detection]:
    """One detection for each face, the one with the highest score, where several overlap by more than `overlap`."""
    kept: list[Detection] = []
    for candidate in sorted(detections, key=lambda found: found.score, reverse=True):
        if all(candidate.box.iou(other.box) <= overlap for other in kept):
            kept.append(candidate)
    return kept
