"""dlib's frontal faces: a sliding window over histograms of oriented gradients.

Source: Dalal, Triggs, "Histograms of Oriented Gradients for Human Detection", 2005. The trained windows are part of
dlib (Boost license).
"""

from __future__ import annotations

import numpy as np

from fer_ros.faces.detectors.base import Detector, ScanTile, non_max_suppression
from fer_ros.faces.detectors.common import FaceSizes, ScaledCrop, Shape, asked_for, strips
from fer_ros.types import Box, Detection

try:
    import dlib
except ImportError as error:
    raise ImportError("the detector 'dlib' needs the package dlib-bin (pip install dlib-bin)") from error

_WINDOW = 80
"""Width in pixels of the smallest face that dlib measures right; those from 60 on it finds and takes for larger."""
_LENIENCE = 0.5
"""By how much the score may be below dlib's own threshold where no evidence is asked for; scores of faces reach 3."""
_SHAPE = Shape(size=1.13, down=-0.10)
"""Measured: docs/front-ends.md."""
_CONTEXT = 0.2
"""How much around a region dlib needs to see to find a face at its border, in widths of the largest face."""
_PIXELS_OF_A_GLIMPSE = 120_000


class DlibHog(Detector):
    """Finds upright frontal faces; images are enlarged until the smallest face is 80 pixels wide.

    Args:
        min_size: smallest face in pixels; see `FaceSizes`. Half as large costs four times as much.
        max_size: largest face in pixels.

    Raises:
        ValueError: a number is out of its range.
    """

    def __init__(self, min_size: int = 0, max_size: int = 0):
        self._sizes = FaceSizes(min_size, max_size)
        self._detector = dlib.get_frontal_face_detector()

    def sizes(self, shape: tuple[int, int]) -> tuple[int, int]:
        """See `Detector`."""
        return self._sizes.of(shape)

    def detect(
        self,
        gray: np.ndarray,
        region: Box | None = None,
        smallest: int = 0,
        largest: int = 0,
        evidence: float = 1.0,
    ) -> list[Detection]:
        """The faces in an image; the score is dlib's, 0 and more unless less evidence will do. See `Detector`."""
        smallest, largest = self._sizes.within(gray.shape, smallest, largest)
        part = (
            ScaledCrop.of(gray, region, round(_CONTEXT * largest), _WINDOW / smallest) if smallest <= largest else None
        )
        if part is None:
            return []
        rectangles, scores, _ = self._detector.run(part.pixels, 0, -_LENIENCE * (1 - evidence))
        found = [
            Detection(_SHAPE.square(*part.edges(one.left(), one.top(), one.right() + 1, one.bottom() + 1)), score)
            for one, score in zip(rectangles, scores, strict=True)
        ]
        return asked_for(non_max_suppression(found), region, smallest, largest)

    def tiles(self, shape: tuple[int, int], turn: int, smallest: int, largest: int) -> list[ScanTile]:
        """Strips. See `Detector`."""
        enlarged = _WINDOW / smallest
        return strips(shape, smallest, largest, round(shape[0] * shape[1] * enlarged * enlarged / _PIXELS_OF_A_GLIMPSE))
