"""A detector of profiles that look to one side, made to see both: by a look at the mirrored image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from fer_ros.faces.detectors.base import Detector, ScanTile, non_max_suppression
from fer_ros.types import Box, Detection


class MirroredDetector(Detector):
    """What `one_side` finds in the image and in its mirror image, at twice the work.

    Args:
        one_side: finds faces without landmarks.
    """

    def __init__(self, one_side: Detector):
        self._one_side = one_side

    def sizes(self, shape: tuple[int, int]) -> tuple[int, int]:
        """See `Detector`."""
        return self._one_side.sizes(shape)

    def detect(
        self,
        gray: np.ndarray,
        region: Box | None = None,
        smallest: int = 0,
        largest: int = 0,
        evidence: float = 1.0,
    ) -> list[Detection]:
        """See `Detector`."""
        return _in_both(
            lambda image, where: self._one_side.detect(image, where, smallest, largest, evidence), gray, region
        )

    def redetect(self, gray: np.ndarray, region: Box, size: int) -> list[Detection]:
        """See `Detector`."""
        return _in_both(lambda image, where: self._one_side.redetect(image, where, size), gray, region)

    def tiles(self, shape: tuple[int, int], turn: int, smallest: int, largest: int) -> list[ScanTile]:
        """See `Detector`."""
        return self._one_side.tiles(shape, turn, smallest, largest)

    def proposals(self, gray: np.ndarray, tile: ScanTile) -> list[Detection]:
        """See `Detector`."""
        return _in_both(
            lambda image, where: self._one_side.proposals(image, replace(tile, region=where)), gray, tile.region
        )


def _in_both(
    look: Callable[[np.ndarray, Box | None], list[Detection]], gray: np.ndarray, region: Box | None
) -> list[Detection]:
    width = gray.shape[1]
    there = look(np.ascontiguousarray(gray[:, ::-1]), region and _mirrored(region, width))
    return non_max_suppression(look(gray, region) + [replace(one, box=_mirrored(one.box, width)) for one in there])


def _mirrored(box: Box, width: int) -> Box:
    return replace(box, x=width - box.right)
