# SPDX-License-Identifier: Apache-2.0
"""A synthetic video with a real, smiling face, for demos and tests without a camera.

A virtual hand-held camera pans, zooms and rolls over the public-domain NASA portrait of Eileen Collins that
scikit-image ships, while the brightness varies slightly. Once per period it looks down, and the face is out of view.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from fer_ros.types import Box

PERIOD = 20.0
"""Seconds after which the scene repeats."""
HORIZONTAL_FOV = math.radians(60)
"""Horizontal field of view of the virtual camera, radians; that of a typical webcam."""

_FACE = Box(177, 66, 95, 95)
"""Viola-Jones' box of the face, pixels of the portrait."""
_OUTLINE = (
    *((150, 60), (165, 30), (200, 12), (245, 9), (285, 28), (306, 70), (300, 112), (280, 140), (288, 175), (312, 225)),
    *((310, 238), (345, 262), (366, 335), (362, 348), (318, 378), (288, 425), (278, 512), (20, 512), (18, 400)),
    *((38, 290), (68, 240), (110, 208), (112, 172), (150, 146), (178, 142), (155, 110)),
)
"""Polygon slightly outside of the person in the portrait, without the helmet in front of her; pixels."""
_BACKGROUND_BLUR = 9.0
"""Standard deviation of the blur, pixels of the portrait."""
_LOOK_DOWN_AT = 14.0
"""Middle of the look down, seconds into the period."""
_LOOK_DOWN_FOR = 1.0
"""Seconds."""


class SyntheticScene:
    """The scene in one image size.

    Args:
        width: pixels.
        height: pixels.

    Raises:
        ModuleNotFoundError: scikit-image is not installed; the message says how to get it.
    """

    def __init__(self, width: int = 640, height: int = 480):
        self.width, self.height = width, height
        self._portrait = _portrait()

    def image(self, time: float) -> np.ndarray:
        """Return the image at a time (s): (height, width, 3) uint8, BGR."""
        view = cv2.warpAffine(
            self._portrait,
            self._view(time),
            (self.width, self.height),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return cv2.convertScaleAbs(view, alpha=0.95 + 0.1 * _wave(time, 5))

    def face(self, time: float) -> Box | None:
        """Return the box of the face in the image at a time (s), or None while it is not wholly in view."""
        x, y = self._view(time) @ (*_FACE.center, 1)
        side = _FACE.width * self._scale(time)
        box = Box(round(x - side / 2), round(y - side / 2), round(side), round(side))
        return box if box == box.clipped(self.width, self.height) else None

    def _scale(self, time: float) -> float:
        """Return the pixels of the image per pixel of the portrait, more than the portrait needs to fill the image."""
        filling: float = max(self.width / self._portrait.shape[1], self.height / self._portrait.shape[0])
        return filling * (1.26 + 0.14 * _wave(time, 3))

    def _view(self, time: float) -> np.ndarray:
        """Return the (2, 3) matrix from pixels of the portrait to pixels of the image."""
        scale = self._scale(time)
        roll = math.radians(4) * _wave(time, 4)
        cosine, sine = math.cos(roll), math.sin(roll)
        # Half of what the camera covers of the portrait: its center stays this far inside, so that no border is seen.
        half_width = (self.width * cosine + self.height * abs(sine)) / (2 * scale)
        half_height = (self.width * abs(sine) + self.height * cosine) / (2 * scale)
        middle_y, middle_x = self._portrait.shape[0] / 2, self._portrait.shape[1] / 2
        center_x = middle_x + _wave(time, 2) * max(middle_x - half_width, 0)
        center_y = middle_y + _pitch(time) * max(middle_y - half_height, 0)
        rotation = scale * np.array([[cosine, -sine], [sine, cosine]])
        shift = np.array([self.width / 2, self.height / 2]) - rotation @ (center_x, center_y)
        return np.column_stack([rotation, shift])


def _wave(time: float, per_period: int) -> float:
    """Return a sine, -1..1, with `per_period` cycles per period."""
    return math.sin(2 * math.pi * per_period * time / PERIOD)


def _pitch(time: float) -> float:
    """Return where the camera looks: -1 is the top of the portrait, +1 its bottom."""
    following = -0.85 + 0.15 * _wave(time, 6)
    distance = abs((time - _LOOK_DOWN_AT + PERIOD / 2) % PERIOD - PERIOD / 2)
    # Ramps up within a second, stays there, and ramps down likewise.
    down = min(max(1.0 + _LOOK_DOWN_FOR / 2 - distance, 0.0), 1.0)
    smooth = down * down * (3 - 2 * down)
    return following + smooth * (0.95 - following)


def _portrait() -> np.ndarray:
    """Return the portrait with a blurred background: the sharp space shuttle gives false detections now and then."""
    try:
        from skimage import data
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"the synthetic scene needs a photograph of scikit-image, and {error.name} is not installed: "
            "pip install scikit-image (Debian, Ubuntu: apt install python3-skimage), or choose another source"
        ) from error
    sharp = cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2BGR).astype(np.float32)  # type: ignore[no-untyped-call]
    outline = np.zeros(sharp.shape[:2], np.float32)
    cv2.fillPoly(outline, [np.array(_OUTLINE)], 1.0)
    person = cv2.GaussianBlur(outline, (0, 0), 2)[..., np.newaxis]
    # Only background pixels are averaged, so that the person leaves no halo.
    background = 1.0 - outline[..., np.newaxis]
    weight = cv2.GaussianBlur(background, (0, 0), _BACKGROUND_BLUR)[..., np.newaxis]
    blurred = cv2.GaussianBlur(sharp * background, (0, 0), _BACKGROUND_BLUR) / np.maximum(weight, 1e-6)
    return cv2.convertScaleAbs(person * sharp + (1 - person) * blurred)
