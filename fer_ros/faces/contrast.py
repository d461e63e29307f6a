"""Images as a detector is to see them: those too dark for it made brighter.

OpenCV's cascades pass over every window whose contrast is below 10 gray levels, and with that over most faces in an
image at a third of its brightness. The network needs none of this: it brings every crop to one contrast by itself.
"""

from __future__ import annotations

import cv2
import numpy as np

LIGHTING = ("off", "auto", "equalize")
_ENOUGH = 128.0
"""Gray levels from dark to bright from which an image is left as it is."""
_MOST = 12.0
"""Largest gain; beyond it there is only noise to be seen."""
_SAMPLES = 60
"""Pixels along the shorter side that are looked at to judge an image."""


def lit(gray: np.ndarray, lighting: str) -> np.ndarray:
    """An image for the detector.

    Args:
        gray: (height, width) uint8; not changed.
        lighting: "off" gives the image itself; so does "auto" where there is enough contrast, and stretches the others
            to the whole range; "equalize" equalizes every histogram.
    """
    if lighting == "equalize":
        return cv2.equalizeHist(gray)
    return _stretched(gray) if lighting == "auto" else gray


def _stretched(gray: np.ndarray) -> np.ndarray:
    step = max(1, min(gray.shape) // _SAMPLES)
    dark, bright = _range(gray[::step, ::step])
    if bright - dark >= _ENOUGH:
        return gray
    gain = min(255 / max(bright - dark, 1), _MOST)
    levels = np.clip((np.arange(256) - dark) * gain, 0, 255).astype(np.uint8)
    return cv2.LUT(gray, levels)


def _range(gray: np.ndarray) -> tuple[int, int]:
    """The gray levels below which 1 % and 99 % of the pixels lie."""
    # np.percentile takes more than twice the time in a process that has slept between two images.
    below = np.bincount(gray.ravel(), minlength=256).cumsum()
    dark, bright = np.searchsorted(below, (0.01 * gray.size, 0.99 * gray.size))
    return int(dark), int(bright)
