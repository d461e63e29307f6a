# SPDX-License-Identifier: Apache-2.0
"""Contrast stretching of dark images before detection.

OpenCV's cascades skip every window whose contrast is below 10 gray levels, and with that most faces of an image at a
third of its brightness. The emotion network needs no stretching: it normalizes the contrast of each crop.
"""

from __future__ import annotations

import cv2
import numpy as np

CONTRAST_MODES = ("off", "auto", "equalize")
_SUFFICIENT_RANGE = 128
"""Gray levels between the darkest and the brightest percent of an image that needs no stretching."""
_MAX_GAIN = 12.0
"""Upper bound of the gain, beyond which there is only noise."""
_SAMPLES = 60
"""Pixels sampled along the shorter side to measure the range."""


def adjust_contrast(image: np.ndarray, mode: str) -> np.ndarray:
    """Return an image for the detector.

    Args:
        image: (height, width) uint8; not modified.
        mode: "off" returns the image itself. "auto" does too where its range is sufficient, and stretches it to
            0..255 otherwise. "equalize" equalizes the histogram.
    """
    if mode == "equalize":
        return cv2.equalizeHist(image)
    return _stretch(image) if mode == "auto" else image


def _stretch(image: np.ndarray) -> np.ndarray:
    step = max(1, min(image.shape) // _SAMPLES)
    dark, bright = _gray_range(image[::step, ::step])
    if bright - dark >= _SUFFICIENT_RANGE:
        return image
    gain = min(255 / max(bright - dark, 1), _MAX_GAIN)
    levels = np.clip((np.arange(256) - dark) * gain, 0, 255).astype(np.uint8)
    return cv2.LUT(image, levels)


def _gray_range(pixels: np.ndarray) -> tuple[int, int]:
    """Return the 1st and the 99th percentile of the gray levels."""
    # np.percentile takes more than twice as long in a process that has slept between two images.
    cumulative = np.bincount(pixels.ravel(), minlength=256).cumsum()
    dark, bright = np.searchsorted(cumulative, (0.01 * pixels.size, 0.99 * pixels.size))
    return int(dark), int(bright)
