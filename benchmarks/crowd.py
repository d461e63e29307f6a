# SPDX-License-Identifier: Apache-2.0
"""A synthetic video of several moving people, for the end-to-end benchmark."""

from __future__ import annotations

import math
from collections.abc import Iterator

import cv2
import numpy as np

_PORTRAIT = (slice(0, 300), slice(90, 370))
"""Part of scikit-image's photograph (NASA, public domain): a face of about 95 pixels and the hair around it."""
_PERIOD = 4.0
"""Seconds after which the video repeats."""


def crowd(width: int, height: int, people: int, rate: float) -> Iterator[np.ndarray]:
    """Yield one period of `people` who sway, nod and approach: (height, width, 3) uint8, BGR."""
    from skimage import data

    portrait = cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2BGR)[_PORTRAIT]
    for step in range(round(_PERIOD * rate)):
        yield _image(portrait, width, height, people, step / rate)


def _image(portrait: np.ndarray, width: int, height: int, people: int, second: float) -> np.ndarray:
    image = np.full((height, width, 3), (120, 110, 100), np.uint8)
    columns = min(max(people, 1), 4)
    rows = max(math.ceil(people / columns), 1)
    cell_width, cell_height = width / columns, height / rows
    size = 0.85 * min(cell_width / portrait.shape[1], cell_height / portrait.shape[0])
    for person in range(people):
        phase = 2 * math.pi * second / _PERIOD + 1.3 * person
        mapping = cv2.getRotationMatrix2D(
            (portrait.shape[1] / 2, portrait.shape[0] / 2), 6 * math.sin(phase), size * (1 + 0.08 * math.sin(2 * phase))
        )
        mapping[:, 2] += (
            (person % columns + 0.5 + 0.08 * math.sin(phase)) * cell_width - portrait.shape[1] / 2,
            (person // columns + 0.5 + 0.04 * math.cos(phase)) * cell_height - portrait.shape[0] / 2,
        )
        cv2.warpAffine(portrait, mapping, (width, height), image, cv2.INTER_LINEAR, cv2.BORDER_TRANSPARENT)
    return image
