# SPDX-License-Identifier: Apache-2.0
"""A real face that can look surprised: the public-domain NASA portrait of Eileen Collins that scikit-image ships.

The photograph shows her smiling. Surprise is made of it by moving brows, lids, mouth and chin, and darkening the open
mouth.
"""

from __future__ import annotations

import cv2
import numpy as np

from fer_ros.types import Box

FACE = Box(177, 66, 95, 95)
"""Viola-Jones' box of the face; this and all other positions are pixels of the photograph, 512x512."""
_OUTLINE = (
    *((20, 512), (18, 400), (25, 345), (40, 290), (70, 240), (112, 208), (111, 195), (121, 176), (140, 157)),
    *((165, 148), (185, 149), (184, 136), (171, 122), (157, 106), (152, 80), (158, 55), (172, 38), (188, 31)),
    *((194, 21), (215, 15), (240, 14), (262, 20), (280, 30), (294, 48), (301, 70), (302, 90), (296, 110), (284, 128)),
    *((271, 137), (266, 150), (258, 172), (282, 194), (298, 222), (305, 238), (345, 261), (358, 300)),
    *((366, 344), (400, 342), (440, 350), (470, 375), (490, 420), (498, 470), (497, 512)),
)
"""Polygon around the person and the helmet in front of her."""
_HAIR = (
    *((152, 85), (158, 55), (188, 31), (194, 21), (240, 14), (280, 30), (301, 70), (300, 95), (284, 130), (270, 133)),
    *((268, 112), (262, 92), (242, 88), (215, 82), (192, 76), (184, 96), (180, 120), (172, 118), (157, 104)),
)
_CREASE = (134, 282), 14
"""Center and radius of a crease of the suit, which is smoothed: Viola-Jones sees a face in it in large images."""
_RED_HAIR = (0.5, 0.12, -0.25)
"""By how much red hair is darker than her own in blue, green and red."""
_MOVES = (
    # brows
    ((194, 90), (0, -5), 8),
    ((208, 87), (0, -5), 8),
    ((244, 89), (0, -5), 8),
    ((258, 92), (0, -5), 8),
    # upper lids
    ((204, 97), (0, -2.5), 6),
    ((246, 100), (0, -2.5), 6),
    # corners of the mouth with the cheeks, its lower lip, and the chin
    ((203, 141), (8, 9), 10.5),
    ((245, 142), (-8, 9), 10.5),
    ((224, 153), (0, 14.5), 12),
    ((224, 172), (0, 9), 15),
)
"""Where a surprised face moves: place, how far, and standard deviation of the Gaussian around the place."""
_MOUTH_OPENS = ((224, 146), (224, 153)), ((17, 2), (11, 10.5))
"""Center of the dark part of the mouth in the smile and in surprise; its half axes in both."""
_MOUTH_COLOR = (30, 22, 52)
"""BGR."""
_FOLDS = (((197, 130), (193, 148)), ((252, 131), (256, 150)))
"""The lines that a smile leaves beside the mouth."""
_WALL_BLUR = 40.0
"""Standard deviation, pixels."""
_REGION = Box(150, 50, 150, 150)
"""The part of the photograph that surprise changes."""


class Portrait:
    """A cut-out person.

    Args:
        other: whether to make another person of it: with red hair and a blue suit.

    Raises:
        ModuleNotFoundError: scikit-image is not installed; the message says how to get it.
    """

    def __init__(self, other: bool = False):
        self._image = _without_crease(photograph())
        shape = self._image.shape[:2]
        self.alpha = _soft(_polygon(shape, _OUTLINE), 1.2)
        """(512, 512) float32: 1 where the person is, 0 in the background."""
        if other:
            self._image = _dressed_otherwise(self._image)
        self._smooth = cv2.GaussianBlur(self._image, (0, 0), 5)
        region = _slices(_REGION)
        folds = np.zeros(shape, np.float32)
        for start, end in _FOLDS:
            cv2.line(folds, start, end, 1.0, 8, cv2.LINE_AA)
        self._folds = _soft(folds, 3)[region][..., np.newaxis]
        self._x, self._y, self._move_x, self._move_y = _displacement()

    def image(self, surprise: float = 0.0) -> np.ndarray:
        """Return the photograph with its background: (512, 512, 3) uint8, BGR.

        Args:
            surprise: 0 is the smile, 1 surprise.
        """
        image: np.ndarray = self._image.copy()
        if surprise > 0:
            region = _slices(_REGION)
            folds = surprise * self._folds
            image[region] = image[region] * (1 - folds) + self._smooth[region] * folds
            sources = (self._x - surprise * self._move_x, self._y - surprise * self._move_y)
            moved = cv2.remap(image, *sources, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            mouth = min(3 * surprise, 1.0) * _open_mouth(surprise)
            image[region] = moved * (1 - mouth) + mouth * np.array(_MOUTH_COLOR, np.float32)
        return image


def photograph() -> np.ndarray:
    """Return the photograph as it is: (512, 512, 3) uint8, BGR; raises as `Portrait` does."""
    try:
        from skimage import data
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"the synthetic scene needs a photograph of scikit-image, and {error.name} is not installed: "
            "pip install scikit-image (Debian, Ubuntu: apt install python3-skimage), or choose another source"
        ) from error
    image: np.ndarray = cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2BGR)  # type: ignore[no-untyped-call]
    return image


def wall() -> np.ndarray:
    """Return what is behind the person, as blurred as by a lens: (512, 512, 3) uint8, BGR; raises as `Portrait` does.

    The sharp background of the photograph gives false detections now and then.
    """
    image = photograph().astype(np.float32)
    # Only pixels of the background are averaged, also for those that the person hides.
    weight = 1 - _soft(_polygon(image.shape[:2], _OUTLINE), 2)[..., np.newaxis]
    total = cv2.GaussianBlur(weight, (0, 0), _WALL_BLUR)[..., np.newaxis]
    blurred = cv2.GaussianBlur(image * weight, (0, 0), _WALL_BLUR) / np.maximum(total, 1e-9)
    wall: np.ndarray = np.clip(np.rint(blurred), 0, 255).astype(np.uint8)
    return wall


def _without_crease(image: np.ndarray) -> np.ndarray:
    disc = np.zeros(image.shape[:2], np.float32)
    cv2.circle(disc, *_CREASE, 1.0, cv2.FILLED)
    share = _soft(disc, 4)[..., np.newaxis]
    smooth: np.ndarray = np.rint(image * (1 - share) + cv2.GaussianBlur(image, (0, 0), 6) * share).astype(np.uint8)
    return smooth


def _dressed_otherwise(image: np.ndarray) -> np.ndarray:
    hue, saturation, value = cv2.split(cv2.cvtColor(image, cv2.COLOR_BGR2HSV))
    is_suit = (hue < 18) & (saturation > 110)
    is_suit[: FACE.bottom + 30] = False
    hue[is_suit] = (hue[is_suit] + 100) % 180
    value[is_suit] = value[is_suit] // 4 * 3
    dressed = cv2.cvtColor(cv2.merge([hue, saturation, value]), cv2.COLOR_HSV2BGR)
    hair = _soft(_polygon(image.shape[:2], _HAIR), 3)[..., np.newaxis]
    # Of the same brightness: in darker hair Viola-Jones sees faces.
    return np.clip(np.rint(dressed * (1 - hair * _RED_HAIR)), 0, 255).astype(np.uint8)


def _open_mouth(surprise: float) -> np.ndarray:
    """Return how dark each pixel of the region is: (height, width, 1) float32, 0..1."""
    (center, axes) = ((1 - surprise) * np.array(start) + surprise * np.array(end) for start, end in _MOUTH_OPENS)
    y, x = np.mgrid[_slices(_REGION)]
    distance = np.hypot((x - center[0]) / axes[0], (y - center[1]) / axes[1])
    inside = np.clip((1 - distance) * axes[1] / 1.5 + 0.5, 0, 1).astype(np.float32)
    return _soft(inside, 0.7)[..., np.newaxis]


def _displacement() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return x and y of each pixel of the region, and how far surprise moves it in x and y; all float32."""
    y, x = np.mgrid[_slices(_REGION)].astype(np.float32)
    move_x, move_y = np.zeros_like(x), np.zeros_like(y)
    for (at_x, at_y), (by_x, by_y), deviation in _MOVES:
        # The Gaussian lies where the place moves to, since each pixel is told where it comes from.
        distance = ((x - at_x - by_x) ** 2 + (y - at_y - by_y) ** 2) / (2 * deviation**2)
        weight = np.exp(-distance)
        move_x += by_x * weight
        move_y += by_y * weight
    return x, y, move_x, move_y


def _polygon(shape: tuple[int, int], points: tuple[tuple[int, int], ...]) -> np.ndarray:
    mask = np.zeros(shape, np.float32)
    cv2.fillPoly(mask, [np.array(points)], 1.0)
    return mask


def _soft(mask: np.ndarray, deviation: float) -> np.ndarray:
    return cv2.GaussianBlur(mask, (0, 0), deviation)


def _slices(box: Box) -> tuple[slice, slice]:
    return slice(box.y, box.bottom), slice(box.x, box.right)
