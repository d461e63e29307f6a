"""Where a face is: from its box in the image to meters before the camera.

Positions are in the camera's optical frame (REP 103): x to the right, y down, z forward.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from fer_ros.types import Box, FaceResult, Position

FACE_WIDTH = 0.15
"""Meters across what a Viola-Jones box spans, on average over adults: 63 mm from pupil to pupil (Dodgson, "Variation
and extrema of human interpupillary distance", 2004), and in boxes that is 0.41 of the width (measured:
docs/emotions-over-time.md). One person's distance can be off by 20 % either way."""

_COEFFICIENTS = {
    "plumb_bob": (4, 5),
    "rational_polynomial": (8, 12, 14),
    "equidistant": (4,),
}
"""Distortion models by their name in sensor_msgs/CameraInfo, and how many numbers each can have."""


@dataclass(frozen=True)
class CameraModel:
    """What a sensor_msgs/CameraInfo says of a camera; the fields are called and filled as there.

    Raises:
        ValueError: the distortion model is not known here, or a list has a wrong length.
    """

    width: int
    """Of the full image of the sensor, pixels; `height` likewise."""
    height: int
    k: Sequence[float]
    """3x3, row by row; all 0 when the camera is not calibrated."""
    d: Sequence[float] = ()
    distortion_model: str = ""
    p: Sequence[float] = (0.0,) * 12
    """3x4, row by row: for rectified images."""
    binning_x: int = 0
    """Pixels of the sensor, side by side, that make one of the image; 0 is 1. `binning_y` likewise."""
    binning_y: int = 0
    roi: Box | None = None
    """The part of the full image that was taken, in its pixels; None or an empty box is all of it."""
    rectified: bool = False
    """Whether the images have gone through rectification, as in image_rect; CameraInfo does not say."""

    def __post_init__(self):
        if len(self.k) != 9 or len(self.p) != 12:
            raise ValueError(f"camera_info needs 9 numbers in k and 12 in p, not {len(self.k)} and {len(self.p)}")
        if self.rectified or not any(self.d):
            return
        if self.distortion_model not in _COEFFICIENTS:
            raise ValueError(
                f"camera_info has the distortion model '{self.distortion_model}'; known are "
                f"{', '.join(_COEFFICIENTS)}. Rectified images (image_proc) need none"
            )
        allowed = _COEFFICIENTS[self.distortion_model]
        if len(self.d) not in allowed:
            raise ValueError(
                f"camera_info has {len(self.d)} coefficients for '{self.distortion_model}', which takes "
                f"{' or '.join(map(str, allowed))}"
            )

    @property
    def calibrated(self) -> bool:
        """Whether positions can be computed."""
        return (self.p[0] if self.rectified else self.k[0]) != 0

    def check(self, image_size: tuple[int, int]) -> None:
        """Makes sure that the images are those this model speaks of.

        Args:
            image_size: their width and height, pixels.

        Raises:
            ValueError: the model describes images of another size; names both.
        """
        taken, binning = self._taken, self._binning
        expected = taken.width // binning[0], taken.height // binning[1]
        # Drivers round a size that cannot be divided up or down.
        if all(0 <= size - least <= 1 for size, least in zip(image_size, expected, strict=True)):
            return
        raise ValueError(
            f"camera_info is for images of {expected[0]}x{expected[1]} pixels (full size {self.width}x{self.height}, "
            f"binning {binning[0]}x{binning[1]}, roi {taken.width}x{taken.height}), but the images have "
            f"{image_size[0]}x{image_size[1]}: republish it scaled, as image_proc's resize does, or take the "
            "images that belong to it"
        )

    def position(self, box: Box, face_width: float = FACE_WIDTH) -> Position | None:
        """Where the middle of a face is, or None when the camera is not calibrated there.

        The face is taken to be parallel to the image. In rectified images of a second stereo camera the position is in
        the frame of the first, as P is.

        Args:
            box: the face in pixels of the image, the whole of it.
            face_width: what the box's width is in the world, meters.
        """
        if not self.calibrated:
            return None
        middle = box.center[1]
        (left, _), (x, y), (right, _) = self._rays([(box.x, middle), box.center, (box.right, middle)])
        if not right > left:  # far outside of what the lens was calibrated for
            return None
        z = face_width / (right - left)
        # Tx and Ty, which are 0 but for a second stereo camera: u = (fx X + cx Z + Tx) / Z.
        shift = (self.p[3] / self.p[0], self.p[7] / self.p[5]) if self.rectified else (0.0, 0.0)
        return x * z - shift[0], y * z - shift[1], z

    @property
    def _taken(self) -> Box:
        return self.roi if self.roi and self.roi.area else Box(0, 0, self.width, self.height)

    @property
    def _binning(self) -> tuple[int, int]:
        return self.binning_x or 1, self.binning_y or 1

    def _rays(self, corners: Sequence[tuple[float, float]]) -> np.ndarray:
        """(N, 2): x/z and y/z of what is seen there; pixel (0, 0) of the image goes from 0 to 1, as in a Box."""
        full = np.array(corners, np.float64) * self._binning + (self._taken.x, self._taken.y)
        # In K and P whole numbers are the middles of pixels (REP 104, OpenCV).
        points = (full - 0.5).reshape(-1, 1, 2)
        if self.rectified:
            projection = np.reshape(self.p, (3, 4))[:, :3]
            return cv2.undistortPoints(points, projection, None).reshape(-1, 2)
        matrix, distortion = np.reshape(self.k, (3, 3)).astype(np.float64), np.array(self.d, np.float64)
        if self.distortion_model == "equidistant" and distortion.any():
            return cv2.fisheye.undistortPoints(points, matrix, distortion).reshape(-1, 2)
        return cv2.undistortPoints(points, matrix, distortion if distortion.any() else None).reshape(-1, 2)


def placed(faces: Sequence[FaceResult], camera: CameraModel, face_width: float = FACE_WIDTH) -> list[FaceResult]:
    """The same faces with their positions, for a camera whose `check` was passed.

    Args:
        faces: of one image.
        camera: that took it.
        face_width: as for `CameraModel.position`.
    """
    return [replace(shown, position=camera.position(shown.box, face_width)) for shown in faces]
