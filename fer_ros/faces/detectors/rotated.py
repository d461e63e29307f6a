# SPDX-License-Identifier: Apache-2.0
"""Tilted faces, by a detector for upright ones: it is run on the image rotated until the faces are upright."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import astuple, replace

import cv2
import numpy as np

from fer_ros.faces.detectors.base import WHOLE_IMAGE, Detector, Query, ScanTile
from fer_ros.types import Box, Detection, Landmarks

_NEGLIGIBLE_ROLL = 4.0
"""Degrees of roll below which detectors find as many faces without rotating the image."""


def rotated(detector: Detector, roll: float) -> Detector:
    """Return a detector of faces with a roll of about `roll` degrees clockwise; `detector` itself below 4 degrees."""
    return detector if abs(roll) < _NEGLIGIBLE_ROLL else RotatedDetector(detector, roll)


class RotatedDetector(Detector):
    """Finds faces of one roll angle.

    Regions and the boxes of detections are those of the image, rotated about their own centers by the roll.

    Args:
        detector: finds upright faces.
        roll: degrees clockwise.
    """

    def __init__(self, detector: Detector, roll: float):
        self._detector = detector
        self._roll = roll

    def size_limits(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """See `Detector`."""
        return self._detector.size_limits(shape)

    def detect(self, image: np.ndarray, query: Query = WHOLE_IMAGE) -> list[Detection]:
        """See `Detector`."""
        return self._run(
            image,
            query.region or _bounding_canvas(image.shape, self._roll),
            lambda derotated, region: self._detector.detect(derotated, replace(query, region=region)),
        )

    def redetect(self, image: np.ndarray, region: Box, size: int) -> list[Detection]:
        """See `Detector`."""
        return self._run(image, region, lambda derotated, whole: self._detector.redetect(derotated, whole, size))

    def tiles(self, shape: tuple[int, int], pass_index: int, min_size: int, max_size: int) -> list[ScanTile]:
        """Return the tiles of the rotated image, each cut to where it overlaps the image. See `Detector`."""
        canvas = _bounding_canvas(shape, self._roll)
        height, width = shape
        corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
        image = _to_derotated(corners, canvas, self._roll).astype(np.float32)
        tiles = []
        for tile in self._detector.tiles((canvas.height, canvas.width), pass_index, min_size, max_size):
            region = tile.region
            strip = np.array(cv2.boxPoints((region.center, (region.width, region.height), 0)))
            area, overlap = cv2.intersectConvexConvex(image, strip)
            if area > 0:
                left, right = int(overlap[..., 0].min()), math.ceil(overlap[..., 0].max())
                cut = Box(left, region.y, right - left, region.height)
                tiles.append(replace(tile, region=self._box_to_image(cut, canvas)))
        return tiles

    def proposals(self, image: np.ndarray, tile: ScanTile) -> list[Detection]:
        """See `Detector`."""
        return self._run(
            image,
            tile.region,
            lambda derotated, whole: self._detector.proposals(derotated, replace(tile, region=whole)),
        )

    def _run(
        self, image: np.ndarray, region: Box, detect: Callable[[np.ndarray, Box], list[Detection]]
    ) -> list[Detection]:
        """Return what `detect` finds in a derotated region, in coordinates of the image."""
        size = region.width, region.height
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        mapping = region.derotation(self._roll)
        derotated = cv2.warpAffine(image, mapping, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
        detections = [self._to_image(detection, region) for detection in detect(derotated, Box(0, 0, *size))]
        height, width = image.shape
        # Outside of the image there are only repeated edges.
        return [one for one in detections if one.box.clipped(width, height).area > one.box.area / 2]

    def _to_image(self, detection: Detection, region: Box) -> Detection:
        return replace(
            detection,
            box=self._box_to_image(detection.box, region),
            landmarks=detection.landmarks and self._landmarks_to_image(detection.landmarks, region),
            roll=detection.roll + self._roll,
        )

    def _box_to_image(self, box: Box, region: Box) -> Box:
        x, y = _to_image(np.array([box.center]), region, self._roll)[0]
        return Box(round(x - box.width / 2), round(y - box.height / 2), box.width, box.height)

    def _landmarks_to_image(self, landmarks: Landmarks, region: Box) -> Landmarks:
        mapping = region.derotation(self._roll)
        points = (point and tuple(map(float, mapping @ (*point, 1))) for point in astuple(landmarks))
        return Landmarks(*points)


def _bounding_canvas(shape: tuple[int, ...], roll: float) -> Box:
    """Return the smallest box that, rotated about its center by `roll`, contains a (height, width) image."""
    cos, sin = abs(math.cos(math.radians(roll))), abs(math.sin(math.radians(roll)))
    height, width = shape
    canvas_width, canvas_height = math.ceil(width * cos + height * sin), math.ceil(width * sin + height * cos)
    return Box(round((width - canvas_width) / 2), round((height - canvas_height) / 2), canvas_width, canvas_height)


def _to_image(points: np.ndarray, region: Box, roll: float) -> np.ndarray:
    """Return (N, 2) points of a derotated region as points of the image."""
    moved: np.ndarray = (points - _middle(region)) @ _rotation(roll) + region.center
    return moved


def _to_derotated(points: np.ndarray, region: Box, roll: float) -> np.ndarray:
    """Return (N, 2) points of the image as points of a derotated region."""
    moved: np.ndarray = (points - region.center) @ _rotation(roll).T + _middle(region)
    return moved


def _middle(region: Box) -> np.ndarray:
    return np.array([region.width / 2, region.height / 2])


def _rotation(roll: float) -> np.ndarray:
    cos, sin = math.cos(math.radians(roll)), math.sin(math.radians(roll))
    return np.array([[cos, sin], [-sin, cos]])
