# SPDX-License-Identifier: Apache-2.0
"""Cuts faces out of images in the way in which the pipeline does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fer_ros.datasets.face_images import DataError
from fer_ros.emotion.preprocessing import Preprocessing
from fer_ros.faces.alignment import Alignment
from fer_ros.faces.detectors.registry import DETECTORS
from fer_ros.types import Box, Detection, TrackedFace

_BLACK = 24
"""Gray level that 99 % of the pixels of a black image do not exceed."""
_BLANK = 3.0
"""Standard deviation of the gray levels of a blank image, at most."""


class FaceFinder:
    """Finds the largest face in each image and cuts it out.

    Args:
        image_size: side of the faces, pixels.
        detector: name of the detector.
        align: whether to derotate and scale each face by its eyes: the detector's landmarks, or OpenCV's eye cascade.

    Raises:
        UnknownNameError: there is no such detector.
        ImportError: the detector needs a package that is missing.
    """

    def __init__(self, image_size: int, detector: str = "viola_jones", align: bool = False):
        self.method = f"{detector}, aligned" if align else detector
        """Names the settings that decide which pixels are cut out."""
        self._detector = DETECTORS.create(detector)
        self._alignment = Alignment("on" if align else "off")
        self._crop = Preprocessing(input_size=image_size).crop

    def faces(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the face in each of several images of one person.

        Actors hardly move: an image without a detection takes the region of the nearest image that has one.

        Args:
            images: (height, width) uint8 each.

        Returns:
            (image_size, image_size) uint8 for each image.

        Raises:
            DataError: there is no face in any image; without a path.
        """
        regions = {index: region for index, image in enumerate(images) if (region := self._region(image))}
        if not regions:
            raise DataError(_why_no_face(images))
        nearest = [regions[min(regions, key=lambda other: abs(other - index))] for index in range(len(images))]
        return [self._crop(image, box, roll) for image, (box, roll) in zip(images, nearest, strict=True)]

    def _region(self, image: np.ndarray) -> tuple[Box, float] | None:
        """Return box and roll of the largest face."""
        found = max(self._detector.detect(image), key=lambda detection: detection.box.area, default=None)
        return self._alignment.crop_region(image, _as_face(found)) if found else None


def _as_face(found: Detection) -> TrackedFace:
    return TrackedFace("face", found.box, found.score, 0.0, found.landmarks, found.roll)


def _why_no_face(images: Sequence[np.ndarray]) -> str:
    if all(np.percentile(image, 99) <= _BLACK for image in images):
        return "is black, there is no face in it"
    if all(image.std() <= _BLANK for image in images):
        return "is blank, there is no face in it"
    return f"no face found{f' in any of {len(images)} frames' if len(images) > 1 else ''}"
