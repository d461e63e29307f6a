"""Images as a detector is to see them: those too dark for it made brighter.

OpenCV's cascades pass over every window whose contrast is below 10 grey levels, and with that over most faces in an
image at a third of its brightness. The network needs none of this: it brings every crop to one contrast by itself.
"""

from __future__ import annotations

import cv2
import numpy as np

LIGHTING = ("off", "auto", "equalise")
_ENOUGH = 128.0
"""Grey levels from dark to bright from which an image is left as it is."""
_MOST = 12.0
"""Largest gain; beyond it there is only noise to be seen."""
_SAMPLES = 60
"""Pixels along the shorter side that are looked at to judge an image."""


def lit(grey: np.ndarray, lighting: str) -> np.ndarray:
    """An image for the detector.

    Args:
        grey: (height, width) uint8; not changed.
        lighting: "off" gives the image itself; so does "auto" where there is enough contrast, and stretches the others
            to the whole range; "equalise" equalises every histogram.
    """
    if lighting == "equalise":
        return cv2.equalizeHist(grey)
    return _stretched(grey) if lighting == "auto" else grey


def _stretched(grey: np.ndarray) -> np.ndarray:
    step = max(1, min(grey.shape) // _SAMPLES)
    dark, bright = _range(grey[::step, ::step])
    if bright - dark >= _ENOUGH:
        return grey
    gain = min(255 / max(bright - dark, 1), _MOST)
    levels = np.clip((np.arange(256) - dark) * gain, 0, 255).astype(np.uint8)
    return cv2.LUT(grey, levels)


def _range(grey: np.ndarray) -> tuple[int, int]:
    """The grey levels below which 1 % and 99 % of the pixels lie."""
    # np.percentile takes more than twice the time in a process that has slept between two images.
    below = np.bincount(grey.ravel(), minlength=256).cumsum()
    dark, bright = np.searchsorted(below, (0.01 * grey.size, 0.99 * grey.size))
    return int(dark), int(bright)
