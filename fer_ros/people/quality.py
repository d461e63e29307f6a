"""What may make the reading of a face unsure: too few pixels, blur, too little or too much light, the image's border.

The limits were measured; docs/emotions-over-time.md says how.
"""

from __future__ import annotations

from enum import IntFlag

import cv2
import numpy as np

from fer_ros.types import Box

SMALLEST_FACE = 32
"""Pixels across a box; a face shown to the network from fewer costs it more than 4 points of accuracy."""
LEAST_SHARPNESS = 0.02
"""Of `sharpness`; passed when out of focus by 2 % of the face's width (standard deviation) or moved by 7 %."""
DARKEST = 40.0
"""Mean gray level; 99.5 % of FER2013 is brighter."""
BRIGHTEST = 205.0
"""Mean gray level; 99.5 % of FER2013 is darker."""
SATURATED = 250
"""Gray level from which a pixel shows nothing any more."""
MOST_SATURATED = 0.25
"""Share of such pixels; 99 % of FER2013 has fewer."""
UNSURE_WEIGHT = 0.2
"""How much an image with any of these faults counts over time, beside one with none."""

_MEASURED_AT = 48
"""Width and height of the crops that the limits were measured on, pixels."""
_LEAST_CONTRAST = 4.0
"""Gray levels; so that the noise of a blank crop does not pass for sharpness."""


class Quality(IntFlag):
    """The bits of FaceEmotion.msg."""

    OK = 0
    TOO_SMALL = 1
    BLURRED = 2
    DARK = 4
    BRIGHT = 8
    CUT_OFF = 16


def assess(crop: np.ndarray, box: Box, image_size: tuple[int, int]) -> Quality:
    """The faults of one face.

    Args:
        crop: the face as the network is shown it, (size, size) uint8.
        box: where it was found.
        image_size: width and height of the image it was found in, pixels.
    """
    width, height = image_size
    quality = Quality.OK
    if max(box.width, box.height) < SMALLEST_FACE:
        quality |= Quality.TOO_SMALL
    if box.x <= 0 or box.y <= 0 or box.right >= width or box.bottom >= height:
        quality |= Quality.CUT_OFF
    return quality | _light(crop) | _blur(crop)


def weight(quality: int) -> float:
    """How much an image of this quality counts over time, above 0 and at most 1."""
    return UNSURE_WEIGHT if quality else 1.0


def sharpness(crop: np.ndarray) -> float:
    """How much fine detail a crop has in the direction that has less: mean squared second derivative over variance.

    Dividing by the variance makes it independent of light and contrast, and the crop's own fixed size of the face's
    size in the image. A smear along one axis wipes out the detail along that axis alone, so the two are not mixed,
    as they are in the variance of the Laplacian (Pech-Pacheco et al., "Diatom autofocusing in brightfield
    microscopy", 2000), from which it comes.

    Args:
        crop: (size, size) uint8; it is measured at 48x48.
    """
    if crop.shape[0] != _MEASURED_AT:
        crop = cv2.resize(crop, (_MEASURED_AT, _MEASURED_AT), interpolation=cv2.INTER_AREA)
    variance = max(float(cv2.meanStdDev(crop)[1][0, 0]), _LEAST_CONTRAST) ** 2
    # The outermost pixels have neighbors on one side only.
    across = cv2.Sobel(crop, cv2.CV_32F, 2, 0, ksize=1)[:, 1:-1]
    down = cv2.Sobel(crop, cv2.CV_32F, 0, 2, ksize=1)[1:-1]
    return min(cv2.norm(across, cv2.NORM_L2SQR), cv2.norm(down, cv2.NORM_L2SQR)) / across.size / variance


def _blur(crop: np.ndarray) -> Quality:
    return Quality.BLURRED if sharpness(crop) < LEAST_SHARPNESS else Quality.OK


def _light(crop: np.ndarray) -> Quality:
    brightness = cv2.mean(crop)[0]
    if brightness < DARKEST:
        return Quality.DARK
    too_bright = brightness > BRIGHTEST or np.count_nonzero(crop >= SATURATED) > MOST_SATURATED * crop.size
    return Quality.BRIGHT if too_bright else Quality.OK
