# SPDX-License-Identifier: Apache-2.0
"""A contact sheet: small copies of many images on one page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from fer_ros.media import drawing
from fer_ros.media.image_files import read_image
from fer_ros.media.image_header import ImageError
from fer_ros.recording.files import letterbox

PER_SHEET = 60
"""Images on one sheet."""
_CELL = (320, 240)
"""Width and height of a small image, pixels."""
_CAPTION = 20
"""Height of the line with the file's name, pixels."""
_GAP = 8
_MAX_COLUMNS = 5
_PAPER, _INK = (250, 250, 250), (40, 40, 40)


def contact_sheet(images: Sequence[tuple[str, Path]]) -> np.ndarray:
    """Return a page with all images, in rows from left to right.

    Args:
        images: caption and file of each; one that cannot be read leaves its place empty.

    Returns:
        (height, width, 3) uint8, BGR.
    """
    columns = min(_MAX_COLUMNS, max(1, math.ceil(math.sqrt(len(images)))))
    rows = math.ceil(len(images) / columns)
    width, height = _CELL[0] + _GAP, _CELL[1] + _CAPTION + _GAP
    sheet = np.full((rows * height + _GAP, columns * width + _GAP, 3), _PAPER, np.uint8)
    for number, (caption, path) in enumerate(images):
        x, y = _GAP + number % columns * width, _GAP + number // columns * height
        try:
            sheet[y : y + _CELL[1], x : x + _CELL[0]] = letterbox(read_image(path), _CELL)
        except ImageError:
            cv2.rectangle(sheet, (x, y), (x + _CELL[0] - 1, y + _CELL[1] - 1), (200, 200, 200), 1)
        drawing.write_caption(sheet[y + _CELL[1] : y + _CELL[1] + _CAPTION, x : x + _CELL[0]], caption, _INK)
    return sheet
