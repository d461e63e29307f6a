"""Tilted faces, by a detector that knows upright ones: it is shown a part of the image turned until they stand."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import astuple, replace

import cv2
import numpy as np

from fer_ros.faces.detectors.base import Detector, ScanTile
from fer_ros.types import Box, Detection, Landmarks

_UPRIGHT = 4.0
"""Degrees of roll below which no detector notices that a face is tilted, and turning the image is not worth while."""


def tilted(detector: Detector, roll: float) -> Detector:
    """`detector` for faces that are tilted by `roll` degrees clockwise; itself when that is next to nothing."""
    return detector if abs(roll) < _UPRIGHT else RotatedDetector(detector, roll)


class RotatedDetector(Detector):
    """Finds faces tilted by one angle.

    Regions are boxes of the image that are turned about their own centers; so are the boxes of what is found.

    Args:
        detector: finds upright faces.
        roll: degrees clockwise.
    """

    def __init__(self, detector: Detector, roll: float):
        self._detector = detector
        self._roll = roll

    def sizes(self, shape: tuple[int, int]) -> tuple[int, int]:
        """See `Detector`."""
        return self._detector.sizes(shape)

    def detect(
        self,
        gray: np.ndarray,
        region: Box | None = None,
        smallest: int = 0,
        largest: int = 0,
        evidence: float = 1.0,
    ) -> list[Detection]:
        """See `Detector`."""
        return self._seen(
            gray,
            region or _around(gray.shape, self._roll),
            lambda picture, whole: self._detector.detect(picture, whole, smallest, largest, evidence),
        )

    def redetect(self, gray: np.ndarray, region: Box, size: int) -> list[Detection]:
        """See `Detector`."""
        return self._seen(gray, region, lambda picture, whole: self._detector.redetect(picture, whole, size))

    def tiles(self, shape: tuple[int, int], turn: int, smallest: int, largest: int) -> list[ScanTile]:
        """Those of the turned image, without what of them shows nothing of the image. See `Detector`."""
        canvas = _around(shape, self._roll)
        upright = self._detector.tiles((canvas.height, canvas.width), turn, smallest, largest)
        height, width = shape
        corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
        image = _moved(corners, canvas, self._roll, inverse=True)
        found = []
        for tile in upright:
            region = tile.region
            strip = np.array(cv2.boxPoints(((region.center), (region.width, region.height), 0)))
            area, shown = cv2.intersectConvexConvex(image, strip)
            if area > 0:
                left, right = int(shown[..., 0].min()), math.ceil(shown[..., 0].max())
                part = Box(left, region.y, right - left, region.height)
                found.append(replace(tile, region=self._placed(part, canvas)))
        return found

    def proposals(self, gray: np.ndarray, tile: ScanTile) -> list[Detection]:
        """See `Detector`."""
        return self._seen(
            gray,
            tile.region,
            lambda picture, whole: self._detector.proposals(picture, replace(tile, region=whole)),
        )

    def _seen(
        self, gray: np.ndarray, region: Box, look: Callable[[np.ndarray, Box], list[Detection]]
    ) -> list[Detection]:
        """What `look` finds in a picture in which `region` stands upright, as detections in the image."""
        size = region.width, region.height
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        mapping = region.derotation(self._roll)
        picture = cv2.warpAffine(gray, mapping, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
        found = [self._back(one, region) for one in look(picture, Box(0, 0, *size))]
        height, width = gray.shape
        # Outside, there are only repeated edges.
        return [one for one in found if one.box.clipped(width, height).area > one.box.area / 2]

    def _back(self, found: Detection, region: Box) -> Detection:
        return replace(
            found,
            box=self._placed(found.box, region),
            landmarks=found.landmarks and self._landmarks(found.landmarks, region),
            roll=found.roll + self._roll,
        )

    def _placed(self, box: Box, region: Box) -> Box:
        """A box in the picture of a region as a box of the image, turned about its center."""
        x, y = _moved(np.array([box.center]), region, self._roll)[0]
        return Box(round(x - box.width / 2), round(y - box.height / 2), box.width, box.height)

    def _landmarks(self, landmarks: Landmarks, region: Box) -> Landmarks:
        mapping = region.derotation(self._roll)
        points = (point and tuple(map(float, mapping @ (*point, 1))) for point in astuple(landmarks))
        return Landmarks(*points)


def _around(shape: tuple[int, ...], roll: float) -> Box:
    """The smallest box that, turned about its center by `roll`, holds all of an image of (height, width)."""
    cos, sin = abs(math.cos(math.radians(roll))), abs(math.sin(math.radians(roll)))
    height, width = shape
    across, down = math.ceil(width * cos + height * sin), math.ceil(width * sin + height * cos)
    return Box(round((width - across) / 2), round((height - down) / 2), across, down)


def _moved(points: np.ndarray, region: Box, roll: float, inverse: bool = False) -> np.ndarray:
    """(N, 2) points of the picture in which a region, turned by `roll`, stands upright, as points of the image."""
    cos, sin = math.cos(math.radians(roll)), math.sin(math.radians(roll))
    turn = np.array([[cos, sin], [-sin, cos]])
    middle = np.array([region.width / 2, region.height / 2])
    if inverse:
        return ((points - region.center) @ turn.T + middle).astype(np.float32)
    return (points - middle) @ turn + region.center
