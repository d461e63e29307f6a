# SPDX-License-Identifier: Apache-2.0
"""Resizing without aliasing."""

from __future__ import annotations

import cv2
import numpy as np


def resize(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return an image in another size: pixels are averaged where it shrinks, interpolated where it grows.

    Args:
        image: (height, width) or (height, width, channels), any dtype that OpenCV resizes.
        size: (width, height) in pixels.
    """
    height, width = image.shape[:2]
    shrinks = size[0] * size[1] < width * height
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
