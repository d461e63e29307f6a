"""YuNet faces: one small network over the whole picture, run by OpenCV.

Source: Wu, Peng, Yu, "YuNet: A Tiny Millisecond-level TrackedFace Detector", 2023.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from fer_ros.faces.detectors.base import Detector, ScanTile, non_max_suppression
from fer_ros.faces.detectors.common import FaceSizes, ScaledCrop, Shape, asked_for, strips, threshold
from fer_ros.types import Box, Detection, Landmarks

_WINDOW = 24
"""Width in pixels of the smallest face that the network finds every time, measured ..."""
_COMFORT = 40
"""... of one in a small region, where more pixels cost little ..."""
_SMALL_REGION = 64 * 64
"""... which has no more than this many pixels then ..."""
_LARGEST = 300
"""... and of the largest, beyond which it was not trained."""
_THRESHOLD = 0.7
_SHAPE = Shape(size=0.96, down=-0.04)
"""Measured: docs/front-ends.md."""
_CONTEXT = 0.2
"""How much around a region the network sees, in widths of the largest face."""
_PIXELS_OF_A_GLIMPSE = 40_000


class YuNet(Detector):
    """Finds faces in many poses, and their landmarks.

    Args:
        model: path of the network's ONNX file, such as face_detection_yunet_2023mar.onnx.
        min_size: smallest face in pixels; see `FaceSizes`.
        max_size: largest face in pixels.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no YuNet, this OpenCV cannot run it, or a number is out of its range.
    """

    def __init__(self, model: str, min_size: int = 0, max_size: int = 0):
        self._sizes = FaceSizes(min_size, max_size)
        self._network = _load(model)

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
        """The faces in an image, with five landmarks; the score is 0..1. See `Detector`."""
        smallest, largest = self._sizes.within(gray.shape, smallest, largest)
        found: list[Detection] = []
        size = smallest
        while size <= largest:
            found += self._look(gray, region, size, largest, evidence)
            size = size * _LARGEST // _WINDOW  # as many sizes as the network sees at once
        return asked_for(non_max_suppression(found), region, smallest, largest)

    def tiles(self, shape: tuple[int, int], turn: int, smallest: int, largest: int) -> list[ScanTile]:
        """Strips. See `Detector`."""
        reduced = _WINDOW / smallest
        return strips(shape, smallest, largest, round(shape[0] * shape[1] * reduced * reduced / _PIXELS_OF_A_GLIMPSE))

    def _look(
        self, gray: np.ndarray, region: Box | None, smallest: int, largest: int, evidence: float
    ) -> list[Detection]:
        """What one look at the picture finds, where the smallest face is just large enough for the network."""
        scale = _WINDOW / smallest
        margin = round(_CONTEXT * largest)
        if region is not None:
            affordable = _SMALL_REGION**0.5 / (max(region.width, region.height) + 2 * margin)
            scale = max(scale, min(_COMFORT / smallest, affordable))
        part = ScaledCrop.of(gray, region, margin, scale)
        if part is None:
            return []
        height, width = part.pixels.shape
        self._network.setInputSize((width, height))
        self._network.setScoreThreshold(threshold(_THRESHOLD, evidence))
        _, rows = self._network.detect(cv2.cvtColor(part.pixels, cv2.COLOR_GRAY2BGR))
        return [_detection(part, *map(float, row)) for row in rows] if rows is not None else []


def _detection(part: ScaledCrop, x: float, y: float, width: float, height: float, *more: float) -> Detection:
    """One row of the network's: the box, five points, the score."""
    *points, score = more
    landmarks = Landmarks(*[part.point(*point) for point in zip(points[::2], points[1::2], strict=True)])
    return Detection(_SHAPE.square(*part.edges(x, y, x + width, y + height)), score, landmarks)


def _load(model: str) -> cv2.FaceDetectorYN:
    if not model:
        raise ValueError(
            "the detector 'yunet' needs detector_model: the path of its ONNX file, such as "
            "face_detection_yunet_2023mar.onnx from OpenCV's model zoo"
        )
    path = Path(model).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"there is no model file {path} for the detector 'yunet'")
    if not hasattr(cv2, "FaceDetectorYN"):
        raise ValueError(f"OpenCV {cv2.__version__} has no FaceDetectorYN; the detector 'yunet' needs 4.5.4 or later")
    try:
        network = cv2.FaceDetectorYN.create(str(path), "", (64, 64))
        network.detect(np.zeros((64, 64, 3), np.uint8))
    except cv2.error as error:
        raise ValueError(
            f"{path} is not a YuNet that OpenCV {cv2.__version__} can run: {' '.join(str(error).split())}"
        ) from error
    return network
