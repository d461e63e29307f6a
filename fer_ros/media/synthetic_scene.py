"""A moving scene with a real, smiling face: what there is to look at where no camera is.

A virtual camera pans, zooms and tilts, as if held by hand, over the public-domain NASA portrait of Eileen Collins that
scikit-image ships, while the light changes a little. Once in every period it looks down and the face is out of sight.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from fer_ros.types import Box

PERIOD = 20.0
"""Seconds after which the scene repeats."""
HORIZONTAL_FOV = math.radians(60)
"""Assumed for the virtual camera, radians; that of a common webcam."""

_FACE = Box(177, 66, 95, 95)
"""Where Viola-Jones sees the face in the portrait."""
_OUTLINE = (
    *((150, 60), (165, 30), (200, 12), (245, 9), (285, 28), (306, 70), (300, 112), (280, 140), (288, 175), (312, 225)),
    *((310, 238), (345, 262), (366, 335), (362, 348), (318, 378), (288, 425), (278, 512), (20, 512), (18, 400)),
    *((38, 290), (68, 240), (110, 208), (112, 172), (150, 146), (178, 142), (155, 110)),
)
"""Around the woman in the portrait, a little outside, but for the helmet in front of her."""
_OUT_OF_FOCUS = 9.0
"""Standard deviation of the blur, pixels of the portrait."""
_LOOKS_DOWN_AT = 14.0
_LOOKS_DOWN_FOR = 1.0


class SyntheticScene:
    """The scene, `width` x `height` pixels.

    Raises:
        ModuleNotFoundError: scikit-image is not installed; the message says how to get it.
    """

    def __init__(self, width: int = 640, height: int = 480):
        self.width, self.height = width, height
        self._portrait = _portrait()

    def picture(self, time: float) -> np.ndarray:
        """What the camera sees `time` seconds after the start: (height, width, 3) uint8, BGR."""
        view = cv2.warpAffine(
            self._portrait,
            self._view(time),
            (self.width, self.height),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return cv2.convertScaleAbs(view, alpha=0.95 + 0.1 * _wave(time, 5))

    def face(self, time: float) -> Box | None:
        """The face in the picture of that time, or None while part of it is outside."""
        x, y = self._view(time) @ (*_FACE.center, 1)
        side = _FACE.width * self._scale(time)
        box = Box(round(x - side / 2), round(y - side / 2), round(side), round(side))
        return box if box == box.clipped(self.width, self.height) else None

    def _scale(self, time: float) -> float:
        """Pixels of the picture for one of the portrait; above the factor at which the portrait just fills it."""
        fills = max(self.width / self._portrait.shape[1], self.height / self._portrait.shape[0])
        return fills * (1.26 + 0.14 * _wave(time, 3))

    def _view(self, time: float) -> np.ndarray:
        """The 2x3 matrix from pixels of the portrait to pixels of the picture."""
        scale = self._scale(time)
        tilt = math.radians(4) * _wave(time, 4)
        cosine, sine = math.cos(tilt), math.sin(tilt)
        # Half of what the tilted camera covers of the portrait: with its center this far inside, no border is seen.
        half_width = (self.width * cosine + self.height * abs(sine)) / (2 * scale)
        half_height = (self.width * abs(sine) + self.height * cosine) / (2 * scale)
        middle_y, middle_x = self._portrait.shape[0] / 2, self._portrait.shape[1] / 2
        center_x = middle_x + _wave(time, 2) * max(middle_x - half_width, 0)
        center_y = middle_y + _height(time) * max(middle_y - half_height, 0)
        turn = scale * np.array([[cosine, -sine], [sine, cosine]])
        shift = np.array([self.width / 2, self.height / 2]) - turn @ (center_x, center_y)
        return np.column_stack([turn, shift])


def _wave(time: float, per_period: int) -> float:
    """-1..1, `per_period` swings in a period."""
    return math.sin(2 * math.pi * per_period * time / PERIOD)


def _height(time: float) -> float:
    """Where the camera looks: -1 the top of the portrait, +1 its bottom."""
    follows_face = -0.85 + 0.15 * _wave(time, 6)
    since = abs((time - _LOOKS_DOWN_AT + PERIOD / 2) % PERIOD - PERIOD / 2)
    # Rises over a second to a full look down, stays there, and falls the same way.
    down = min(max(1.0 + _LOOKS_DOWN_FOR / 2 - since, 0.0), 1.0)
    smooth = down * down * (3 - 2 * down)
    return follows_face + smooth * (0.95 - follows_face)


def _portrait() -> np.ndarray:
    """The portrait, out of focus around the woman: the shuttle behind her, sharp, now and then passes for a face."""
    try:
        from skimage import data
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"the built-in scene shows a photograph that scikit-image ships, and {error.name} is not installed: "
            "pip install scikit-image (Debian, Ubuntu: apt install python3-skimage), or give another source"
        ) from error
    sharp = cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2BGR).astype(np.float32)
    outline = np.zeros(sharp.shape[:2], np.float32)
    cv2.fillPoly(outline, [np.array(_OUTLINE)], 1.0)
    woman = cv2.GaussianBlur(outline, (0, 0), 2)[..., np.newaxis]
    # Only pixels around her are averaged, so that she leaves no halo in what is blurred.
    around = 1.0 - outline[..., np.newaxis]
    weight = cv2.GaussianBlur(around, (0, 0), _OUT_OF_FOCUS)[..., np.newaxis]
    blurred = cv2.GaussianBlur(sharp * around, (0, 0), _OUT_OF_FOCUS) / np.maximum(weight, 1e-6)
    return cv2.convertScaleAbs(woman * sharp + (1 - woman) * blurred)
