# SPDX-License-Identifier: Apache-2.0
"""dlib's detector of frontal faces: a sliding window over histograms of oriented gradients.

Source: Dalal, Triggs, "Histograms of Oriented Gradients for Human Detection", 2005. The trained filters are part of
dlib (Boost license).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fer_ros.faces.detectors.base import WHOLE_IMAGE, Detector, Query, ScanTile, non_max_suppression
from fer_ros.faces.detectors.common import ScaledCrop, SizeOptions, SquareFit, filter_detections, strips
from fer_ros.types import Detection

_WINDOW = 80
"""Width of the smallest face that dlib localizes well, pixels; those from 60 on are found, with a box too large."""
_THRESHOLD_RANGE = 0.5
"""By how much a threshold scale of 0 lowers dlib's threshold; scores of faces reach 3."""
_FIT = SquareFit(size=1.13, offset_y=-0.10)
"""Measured; see docs/reports/detectors.md."""
_MARGIN = 0.2
"""Context around a region, in widths of the largest face, without which faces at its border are missed."""
_PIXELS_PER_TILE = 120_000


@dataclass(frozen=True)
class DlibHogOptions(SizeOptions):
    """Options of `DlibHog`."""


class DlibHog(Detector):
    """Finds upright frontal faces. Enlarges images until the smallest face is 80 pixels wide.

    Args:
        options: the sizes of face; half the smallest size takes four times as long.

    Raises:
        ImportError: dlib is not installed.
    """

    def __init__(self, options: DlibHogOptions | None = None):
        import dlib

        self._options = options or DlibHogOptions()
        self._detector = dlib.get_frontal_face_detector()

    def size_limits(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """See `Detector`."""
        return self._options.limits(shape)

    def detect(self, image: np.ndarray, query: Query = WHOLE_IMAGE) -> list[Detection]:
        """Return the faces in an image. The score is dlib's, 0 or more at a threshold scale of 1. See `Detector`."""
        smallest, largest = self._options.limits_of(query, image.shape)
        if largest < smallest:
            return []
        crop = ScaledCrop.cut(image, query.region, round(_MARGIN * largest), _WINDOW / smallest)
        if crop is None:
            return []
        threshold = -_THRESHOLD_RANGE * (1 - query.threshold_scale)
        rectangles, scores, _ = self._detector.run(crop.pixels, 0, threshold)
        detections = [
            Detection(
                _FIT.square(*crop.edges_to_image(one.left(), one.top(), one.right() + 1, one.bottom() + 1)), score
            )
            for one, score in zip(rectangles, scores, strict=True)
        ]
        return filter_detections(non_max_suppression(detections), query.region, smallest, largest)

    def tiles(self, shape: tuple[int, int], pass_index: int, min_size: int, max_size: int) -> list[ScanTile]:
        """Return strips. See `Detector`."""
        scale = _WINDOW / min_size
        return strips(shape, min_size, max_size, round(shape[0] * shape[1] * scale * scale / _PIXELS_PER_TILE))
