# SPDX-License-Identifier: Apache-2.0
"""YuNet: a small network that finds faces of several sizes in one run, run by OpenCV.

Source: Wu, Peng, Yu, "YuNet: A Tiny Millisecond-level Face Detector", 2023.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from fer_ros.faces.detectors.base import WHOLE_IMAGE, Detector, Query, ScanTile, non_max_suppression
from fer_ros.faces.detectors.common import (
    ScaledCrop,
    SizeOptions,
    SquareFit,
    filter_detections,
    scaled_threshold,
    strips,
)
from fer_ros.registry import option
from fer_ros.types import Detection, Landmarks

_MIN_FACE = 24
"""Width of the smallest face that the network finds reliably, pixels (measured)."""
_COMFORTABLE_FACE = 40
"""Width to which the smallest face of a small region is enlarged, pixels (measured)."""
_SMALL_REGION = 64 * 64
"""Most pixels of an enlarged region."""
_MAX_FACE = 300
"""Width of the largest face the network was trained on, pixels."""
_THRESHOLD = 0.7
_FIT = SquareFit(size=0.96, offset_y=-0.04)
"""Measured; see docs/reports/detectors.md."""
_MARGIN = 0.2
"""Context around a region, in widths of the largest face."""
_PIXELS_PER_TILE = 40_000


@dataclass(frozen=True)
class YuNetOptions(SizeOptions):
    """Options of `YuNet`."""

    model: str = option("", "path of the network's ONNX file, such as face_detection_yunet_2023mar.onnx")


class YuNet(Detector):
    """Finds faces in many poses, and their landmarks.

    Args:
        options: the model file and the sizes of face.

    Raises:
        FileNotFoundError: there is no such model file.
        ValueError: no model file is given, or it is not one of a YuNet that this version of OpenCV can run.
    """

    def __init__(self, options: YuNetOptions):
        self._options = options
        self._network = _load(options.model)

    def size_limits(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """See `Detector`."""
        return self._options.limits(shape)

    def detect(self, image: np.ndarray, query: Query = WHOLE_IMAGE) -> list[Detection]:
        """Return the faces in an image, with five landmarks each. The score is 0..1. See `Detector`."""
        smallest, largest = self._options.limits_of(query, image.shape)
        detections: list[Detection] = []
        size = smallest
        while size <= largest:
            detections += self._detect_from(image, query, size, largest)
            size = size * _MAX_FACE // _MIN_FACE  # the next size that this run does not cover
        return filter_detections(non_max_suppression(detections), query.region, smallest, largest)

    def tiles(self, shape: tuple[int, int], pass_index: int, min_size: int, max_size: int) -> list[ScanTile]:
        """Return strips. See `Detector`."""
        scale = _MIN_FACE / min_size
        return strips(shape, min_size, max_size, round(shape[0] * shape[1] * scale * scale / _PIXELS_PER_TILE))

    def _detect_from(self, image: np.ndarray, query: Query, smallest: int, largest: int) -> list[Detection]:
        """Return what one run finds, at the scale at which the network just finds the smallest face."""
        scale = _MIN_FACE / smallest
        margin = round(_MARGIN * largest)
        region = query.region
        if region is not None:
            affordable = _SMALL_REGION**0.5 / (max(region.width, region.height) + 2 * margin)
            scale = max(scale, min(_COMFORTABLE_FACE / smallest, affordable))
        crop = ScaledCrop.cut(image, region, margin, scale)
        if crop is None:
            return []
        height, width = crop.pixels.shape
        self._network.setInputSize((width, height))
        self._network.setScoreThreshold(scaled_threshold(_THRESHOLD, query.threshold_scale))
        _, rows = self._network.detect(cv2.cvtColor(crop.pixels, cv2.COLOR_GRAY2BGR))
        return [_as_detection(crop, row) for row in rows.tolist()] if rows is not None else []


def _as_detection(crop: ScaledCrop, row: list[float]) -> Detection:
    """Convert one row of the network's output: x, y, width, height of the box, five points, the score."""
    x, y, width, height, *coordinates, score = row
    landmarks = Landmarks(*[crop.to_image(*point) for point in zip(coordinates[::2], coordinates[1::2], strict=True)])
    return Detection(_FIT.square(*crop.edges_to_image(x, y, x + width, y + height)), score, landmarks)


def _load(model: str) -> cv2.FaceDetectorYN:
    if not model:
        raise ValueError(
            "detector 'yunet' needs its model option: the path of an ONNX file, such as "
            "face_detection_yunet_2023mar.onnx from OpenCV's model zoo"
        )
    path = Path(model).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"there is no model file {path} for detector 'yunet'")
    if not hasattr(cv2, "FaceDetectorYN"):
        raise ValueError(f"OpenCV {cv2.__version__} has no FaceDetectorYN; detector 'yunet' needs 4.5.4 or later")
    try:
        network = cv2.FaceDetectorYN.create(str(path), "", (64, 64))
        network.detect(np.zeros((64, 64, 3), np.uint8))
    except cv2.error as error:
        raise ValueError(
            f"{path} is not a YuNet model that OpenCV {cv2.__version__} can run: {' '.join(str(error).split())}"
        ) from error
    return network
