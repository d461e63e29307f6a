# SPDX-License-Identifier: Apache-2.0
"""Pinhole camera model with lens distortion: from a face's box in the image to its position in meters.

Positions are in the camera's optical frame (REP 103): x to the right, y down, z forward.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from fer_ros.text import printable
from fer_ros.types import Box, Position

FACE_WIDTH = 0.15
"""Width in meters that a Viola-Jones box spans at an average adult's face: 63 mm between the pupils (Dodgson,
"Variation and extrema of human interpupillary distance", 2004) are 0.41 of the width of a box (measured, see
docs/explanation/emotions-over-time.md). The distance to one person can be off by 20 % either way."""

_COEFFICIENTS = {
    "plumb_bob": (4, 5),
    "rational_polynomial": (8, 12, 14),
    "equidistant": (4,),
}
"""Distortion models by their name in sensor_msgs/CameraInfo, with the numbers of coefficients each can have."""


_LARGEST = 1e6
"""Limit of every number of a calibration, which is far from any camera's: a focal length of 1e6 pixels, for example."""
_LEAST_FOCAL_LENGTH = 1.0
"""Pixels."""
_FARTHEST = 1000.0
"""Meters. No detector finds a face this far away: such a position comes from a wrong calibration or box."""


@dataclass(frozen=True)
class CameraModel:
    """Intrinsic calibration of a camera, with the names and conventions of sensor_msgs/CameraInfo.

    Raises:
        ValueError: the distortion model is not supported, a list has a wrong length, or a number is not finite or far
            from any camera's.

    >>> camera = CameraModel(width=640, height=480, k=(500.0, 0.0, 320.0, 0.0, 500.0, 240.0, 0.0, 0.0, 1.0))
    >>> x, y, z = camera.position(Box(270, 190, 100, 100), face_width=0.15)
    >>> round(z, 3)
    0.75
    """

    width: int
    """Of the full sensor image, pixels; `height` likewise."""
    height: int
    k: Sequence[float]
    """Camera matrix, 3x3, row-major; all 0 when the camera is not calibrated."""
    d: Sequence[float] = ()
    """Distortion coefficients of `distortion_model`."""
    distortion_model: str = ""
    p: Sequence[float] = (0.0,) * 12
    """Projection matrix, 3x4, row-major: for rectified images."""
    binning_x: int = 0
    """Sensor columns combined into one image column; 0 means 1. `binning_y` likewise, for rows."""
    binning_y: int = 0
    roi: Box | None = None
    """Region of the sensor image that is captured, in its pixels; None or an empty box means all of it."""
    rectified: bool = False
    """Whether images are rectified, as on the topic image_rect; CameraInfo does not contain this."""

    def __post_init__(self) -> None:
        if len(self.k) != 9 or len(self.p) != 12:
            raise ValueError(f"camera_info needs 9 numbers in k and 12 in p, not {len(self.k)} and {len(self.p)}")
        for name, values in (("k", self.k), ("d", self.d), ("p", self.p)):
            wrong = next((value for value in values if not abs(value) <= _LARGEST), None)
            if wrong is not None:
                raise ValueError(
                    f"camera_info has {wrong} in {name}; its numbers must be finite and below {_LARGEST:g}"
                )
        fx, fy = (self.p[0], self.p[5]) if self.rectified else (self.k[0], self.k[4])
        if fx != 0 and not (fx >= _LEAST_FOCAL_LENGTH and fy >= _LEAST_FOCAL_LENGTH):
            raise ValueError(f"camera_info has the focal lengths {fx} and {fy}; they must be positive, in pixels")
        if self.rectified or not any(self.d):
            return
        if self.distortion_model not in _COEFFICIENTS:
            raise ValueError(
                f"camera_info has the distortion model '{printable(self.distortion_model)}'; supported are "
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
        """Whether the camera is calibrated, so that positions can be computed."""
        return (self.p[0] if self.rectified else self.k[0]) != 0

    def check(self, image_size: tuple[int, int]) -> None:
        """Check that this calibration belongs to images of this size.

        Args:
            image_size: width and height, pixels.

        Raises:
            ValueError: it describes images of another size; names both.
        """
        captured, binning = self._captured, self._binning
        expected = captured.width // binning[0], captured.height // binning[1]
        # Drivers round a size that is not divisible by the binning up or down.
        if all(0 <= size - least <= 1 for size, least in zip(image_size, expected, strict=True)):
            return
        raise ValueError(
            f"camera_info is for images of {expected[0]}x{expected[1]} pixels (full size {self.width}x{self.height}, "
            f"binning {binning[0]}x{binning[1]}, roi {captured.width}x{captured.height}), but the images have "
            f"{image_size[0]}x{image_size[1]}: scale camera_info with the images, as image_proc's resize node does, or "
            "subscribe to the images that it describes"
        )

    def position(self, box: Box, face_width: float = FACE_WIDTH) -> Position | None:
        """Return the position of the center of a face, or None without calibration or outside its valid area.

        Each coordinate of a position is finite.

        The face is assumed to be parallel to the image plane. For rectified images of the second camera of a stereo
        pair, the position is in the frame of the first, as in P.

        Args:
            box: of the face in pixels of the image, not clipped.
            face_width: width of the box in the world, meters.

        Returns:
            (x, y, z) in meters, in the camera's optical frame.
        """
        if not self.calibrated:
            return None
        middle = box.center[1]
        (left, _), (x, y), (right, _) = self._rays([(box.x, middle), box.center, (box.right, middle)]).tolist()
        if not right > left:  # NaN, or far outside the area that the distortion model is valid for
            return None
        z = face_width / (right - left)
        # Tx and Ty are 0 except for the second camera of a stereo pair: u = (fx X + cx Z + Tx) / Z.
        shift = (self.p[3] / self.p[0], self.p[7] / self.p[5]) if self.rectified else (0.0, 0.0)
        position = x * z - shift[0], y * z - shift[1], z
        return position if all(abs(value) <= _FARTHEST for value in position) else None

    @property
    def _captured(self) -> Box:
        return self.roi if self.roi and self.roi.area else Box(0, 0, self.width, self.height)

    @property
    def _binning(self) -> tuple[int, int]:
        return self.binning_x or 1, self.binning_y or 1

    def _rays(self, corners: Sequence[tuple[float, float]]) -> np.ndarray:
        """Return (N, 2) float64: x/z and y/z of the rays through points of the image, in the coordinates of a Box."""
        full = np.array(corners, np.float64) * self._binning + (self._captured.x, self._captured.y)
        # In K and P the center of the first pixel is (0, 0) (REP 104, OpenCV); in a Box its corner is.
        points = (full - 0.5).reshape(-1, 1, 2)
        if self.rectified:
            projection = np.reshape(self.p, (3, 4))[:, :3]
            return cv2.undistortPoints(points, projection, None).reshape(-1, 2)
        matrix, distortion = np.reshape(self.k, (3, 3)).astype(np.float64), np.array(self.d, np.float64)
        if self.distortion_model == "equidistant" and distortion.any():
            return cv2.fisheye.undistortPoints(points, matrix, distortion).reshape(-1, 2)
        return cv2.undistortPoints(points, matrix, distortion if distortion.any() else None).reshape(-1, 2)
