# SPDX-License-Identifier: Apache-2.0
"""Image quality of a face: too few pixels, blur, too little or too much light, cut off by the image border, covered.

docs/reports/emotions-over-time.md says how the thresholds were measured.
"""

from __future__ import annotations

from enum import IntFlag

import cv2
import numpy as np

from fer_ros.media.resize import resize
from fer_ros.types import Box

MIN_FACE_SIZE = 32
"""Pixels across a box; below this a network loses more than 4 points of accuracy."""
MIN_SHARPNESS = 0.02
"""Of `sharpness`; reached at a defocus of 2 % of the face's width (standard deviation) or a motion of 7 %."""
MIN_BRIGHTNESS = 40.0
"""Mean gray level; 99.5 % of FER2013 is brighter."""
MAX_BRIGHTNESS = 205.0
"""Mean gray level; 99.5 % of FER2013 is darker."""
SATURATED_LEVEL = 250
"""Gray level from which a pixel counts as saturated."""
MAX_SATURATED_SHARE = 0.25
"""Share of saturated pixels; 99 % of FER2013 has fewer."""
DEGRADED_WEIGHT = 0.2
"""Weight in the average over time of an image with any of these faults; one without has 1."""

_REGIONS = {
    # Pixels of a 48x48 crop (rows, columns); its outer pixels often show hair and background.
    "left half": (np.s_[4:44, 2:24], 0.41),
    "right half": (np.s_[4:44, 24:46], 0.41),
    "mouth": (np.s_[29:46, 8:40], 0.50),
    "eyes": (np.s_[12:24, 4:44], 0.53),
}
"""Regions of a crop, and the mean gradient, relative to that of the rest of the face, below which each is covered."""
_MEASURED_AT = 48
"""Width and height, pixels, of the crops that the thresholds were measured on."""
_BORDER = 2
"""Outermost pixels of a crop, which are not counted as face."""
_MIN_GRADIENT = 1.0
"""Gray levels; where the rest of a crop has less detail than this, it is blank, and nothing is covered."""
_MIN_CONTRAST = 4.0
"""Gray levels; keeps the noise of a blank crop from counting as sharpness."""


class Quality(IntFlag):
    """Faults of a face in an image: the bits of `quality` in FaceEmotion.msg."""

    OK = 0
    TOO_SMALL = 1
    BLURRED = 2
    DARK = 4
    BRIGHT = 8
    CUT_OFF = 16
    COVERED = 32


def assess(crop: np.ndarray, box: Box, image_size: tuple[int, int]) -> Quality:
    """Return the faults of one face.

    Args:
        crop: the network's input before normalization, (size, size) uint8.
        box: of the face, in pixels of the image.
        image_size: width and height of the image, pixels.
    """
    width, height = image_size
    quality = Quality.OK
    if max(box.width, box.height) < MIN_FACE_SIZE:
        quality |= Quality.TOO_SMALL
    if box.x <= 0 or box.y <= 0 or box.right >= width or box.bottom >= height:
        quality |= Quality.CUT_OFF
    exposure, crop = _exposure(crop), _at_measured_size(crop)
    # White regions have no detail either; their fault is the light.
    return quality | exposure | _blur(crop) | (Quality.OK if exposure == Quality.BRIGHT else _cover(crop))


def weight(quality: int) -> float:
    """Return the weight, above 0 and at most 1, of an image of this quality in an average over time."""
    return DEGRADED_WEIGHT if quality else 1.0


def sharpness(crop: np.ndarray) -> float:
    """Return how much fine detail a crop has, in the direction that has less: mean squared second derivative over
    variance.

    Dividing by the variance makes it independent of brightness and contrast; measuring on a crop of fixed size makes it
    independent of the face's size in the image. Motion along one axis removes the detail along that axis only, so the
    two axes are kept apart, unlike in the variance of the Laplacian that this derives from (Pech-Pacheco et al.,
    "Diatom autofocusing in brightfield microscopy", ICPR 2000).

    Args:
        crop: (size, size) uint8; resized to 48x48 if necessary.
    """
    crop = _at_measured_size(crop)
    variance = max(float(cv2.meanStdDev(crop)[1][0, 0]), _MIN_CONTRAST) ** 2
    # The outermost pixels have a neighbor on one side only.
    horizontal = cv2.Sobel(crop, cv2.CV_32F, 2, 0, ksize=1)[:, 1:-1]
    vertical = cv2.Sobel(crop, cv2.CV_32F, 0, 2, ksize=1)[1:-1]
    energy = min(cv2.norm(horizontal, cv2.NORM_L2SQR), cv2.norm(vertical, cv2.NORM_L2SQR))
    return float(energy / horizontal.size / variance)


def detail_by_region(crop: np.ndarray) -> dict[str, float]:
    """Return the mean gradient in each of the halves, the mouth and the eyes, relative to that of the rest of the face.

    What covers a face, such as a mask, a hand or glasses, has less detail than a face. Unlike `sharpness`, the gradient
    hardly rises with the noise of a camera.

    Args:
        crop: (size, size) uint8; resized to 48x48 if necessary.
    """
    crop = _at_measured_size(crop)
    across, down = (cv2.Sobel(crop, cv2.CV_32F, *axes) for axes in ((1, 0), (0, 1)))
    gradient = cv2.magnitude(across, down)
    face = gradient[_BORDER:-_BORDER, _BORDER:-_BORDER]
    total, detail = cv2.sumElems(face)[0], {}
    for name, (region, _) in _REGIONS.items():
        part = gradient[region]
        inside = cv2.sumElems(part)[0]
        rest = (total - inside) / (face.size - part.size)
        detail[name] = inside / part.size / rest if rest > _MIN_GRADIENT else 1.0
    return detail


def _at_measured_size(crop: np.ndarray) -> np.ndarray:
    return crop if crop.shape[0] == _MEASURED_AT else resize(crop, (_MEASURED_AT, _MEASURED_AT))


def _cover(crop: np.ndarray) -> Quality:
    detail = detail_by_region(crop)
    return Quality.COVERED if any(detail[name] < lowest for name, (_, lowest) in _REGIONS.items()) else Quality.OK


def _blur(crop: np.ndarray) -> Quality:
    return Quality.BLURRED if sharpness(crop) < MIN_SHARPNESS else Quality.OK


def _exposure(crop: np.ndarray) -> Quality:
    brightness = cv2.mean(crop)[0]
    if brightness < MIN_BRIGHTNESS:
        return Quality.DARK
    saturated = np.count_nonzero(crop >= SATURATED_LEVEL) > MAX_SATURATED_SHARE * crop.size
    return Quality.BRIGHT if saturated or brightness > MAX_BRIGHTNESS else Quality.OK
