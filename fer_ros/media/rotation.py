# SPDX-License-Identifier: Apache-2.0
"""Rotation of whole images by quarter turns, for cameras that are mounted sideways or upside down."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from fer_ros.types import Box, Landmarks, Point

ROTATIONS = (0, 90, 180, 270)
"""Degrees."""
_CODES = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}


def check_rotation(degrees: int) -> None:
    """Check an angle.

    Raises:
        ValueError: it is not among `ROTATIONS`.
    """
    if degrees not in ROTATIONS:
        raise ValueError(f"rotation must be one of {', '.join(map(str, ROTATIONS))} degrees, not {degrees}")


def rotate(image: np.ndarray, degrees: int) -> np.ndarray:
    """Return an image rotated clockwise.

    Args:
        image: (height, width) or (height, width, 3) uint8.
        degrees: one of `ROTATIONS`; by 0 degrees it is the same array.
    """
    return cv2.rotate(image, _CODES[degrees]) if degrees else image


@dataclass(frozen=True)
class Derotation:
    """Brings what was found in a rotated image back into the original one.

    Args:
        degrees: by which the original was rotated clockwise, one of `ROTATIONS`.
        width: of the original, pixels.
        height: likewise.
    """

    degrees: int
    width: int
    height: int

    def box(self, box: Box) -> Box:
        """Return a box in pixels of the original.

        >>> Derotation(90, width=640, height=480).box(Box(0, 10, 20, 30))
        Box(x=10, y=460, width=30, height=20)
        """
        if self.degrees == 90:
            return Box(box.y, self.height - box.right, box.height, box.width)
        if self.degrees == 180:
            return Box(self.width - box.right, self.height - box.bottom, box.width, box.height)
        if self.degrees == 270:
            return Box(self.width - box.bottom, box.x, box.height, box.width)
        return box

    def point(self, point: Point) -> Point:
        """Return a point in pixels of the original."""
        x, y = point
        if self.degrees == 90:
            return y, self.height - 1 - x
        if self.degrees == 180:
            return self.width - 1 - x, self.height - 1 - y
        if self.degrees == 270:
            return self.width - 1 - y, x
        return point

    def landmarks(self, landmarks: Landmarks) -> Landmarks:
        """Return landmarks in pixels of the original; left and right stay those of the upright face."""
        points = {name: self.point(point) for name, point in vars(landmarks).items() if point is not None}
        return replace(landmarks, **points)

    def roll(self, roll: float) -> float:
        """Return a roll angle in the original, degrees clockwise, -180..180."""
        return (roll - self.degrees + 180) % 360 - 180
