"""A detector of profiles that look to one side, made to see both: by a look at the mirrored image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from fer_ros.faces.detectors import Detector, Glimpse, distinct
from fer_ros.frame import Box, Detection


class BothSides(Detector):
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
        grey: np.ndarray,
        region: Box | None = None,
        smallest: int = 0,
        largest: int = 0,
        evidence: float = 1.0,
    ) -> list[Detection]:
        """See `Detector`."""
        return _in_both(
            lambda image, where: self._one_side.detect(image, where, smallest, largest, evidence), grey, region
        )

    def follow(self, grey: np.ndarray, region: Box, size: int) -> list[Detection]:
        """See `Detector`."""
        return _in_both(lambda image, where: self._one_side.follow(image, where, size), grey, region)

    def glimpses(self, shape: tuple[int, int], turn: int, smallest: int, largest: int) -> list[Glimpse]:
        """See `Detector`."""
        return self._one_side.glimpses(shape, turn, smallest, largest)

    def hints(self, grey: np.ndarray, glimpse: Glimpse) -> list[Detection]:
        """See `Detector`."""
        return _in_both(
            lambda image, where: self._one_side.hints(image, replace(glimpse, region=where)), grey, glimpse.region
        )


def _in_both(
    look: Callable[[np.ndarray, Box | None], list[Detection]], grey: np.ndarray, region: Box | None
) -> list[Detection]:
    width = grey.shape[1]
    there = look(np.ascontiguousarray(grey[:, ::-1]), region and _mirrored(region, width))
    return distinct(look(grey, region) + [replace(one, box=_mirrored(one.box, width)) for one in there])


def _mirrored(box: Box, width: int) -> Box:
    return replace(box, x=width - box.right)
