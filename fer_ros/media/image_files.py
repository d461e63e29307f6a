# SPDX-License-Identifier: Apache-2.0
"""Decodes image files of unknown origin: JPEG, PNG, BMP, PBM, PGM and PPM.

Other formats (TIFF, WebP, GIF, OpenEXR, ...) are refused by name: OpenCV's decoders for them have ended the process on
damaged files. Convert such images to PNG.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from fer_ros.files import read_regular_file
from fer_ros.media.image_header import FILE_FORMATS, MAX_PIXELS, STREAM_FORMATS, ImageError, check_header
from fer_ros.text import printable

MAX_FILE_BYTES = 1 << 28
"""Largest image file that is read: 256 MiB."""


def read_image(path: Path, gray: bool = False, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Return the image in a file, turned as its orientation tag says.

    Args:
        path: of a regular file; see `fer_ros.media.image_header.FILE_FORMATS`.
        gray: whether to convert to gray.
        max_pixels: largest width x height to decode.

    Returns:
        (height, width, 3) uint8 BGR, or (height, width) uint8 if `gray`.

    Raises:
        ImageError: the file cannot be read or decoded; the message starts with its path.
    """
    try:
        content = read_regular_file(path, MAX_FILE_BYTES)
    except OSError as error:
        raise ImageError(str(error), "file") from error
    try:
        return decode_image(content, gray, max_pixels, FILE_FORMATS, orient=True)
    except ImageError as error:
        raise ImageError(f"{path}: not a readable image: {error}", error.kind) from error


def decode_image(
    content: bytes,
    gray: bool,
    max_pixels: int = MAX_PIXELS,
    formats: tuple[str, ...] = STREAM_FORMATS,
    orient: bool = False,
) -> np.ndarray:
    """Return the image in the content of a file; see `read_image`.

    Args:
        content: the whole file.
        gray: whether to convert to gray. Of a JPEG only the luma is decoded then, which is cheaper.
        max_pixels: largest width x height to decode.
        formats: those to accept.
        orient: whether to turn the image as its orientation tag says.

    Raises:
        ImageError: see `check_header`; or the decoder fails. No decoder notices flipped bits within a JPEG's pixels.
    """
    header = check_header(content, max_pixels, formats)
    flags = cv2.IMREAD_GRAYSCALE if gray else cv2.IMREAD_COLOR
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), flags | (0 if orient else cv2.IMREAD_IGNORE_ORIENTATION))
    except (cv2.error, MemoryError) as error:
        reason = printable(str(error).strip() or "out of memory", 200)
        raise ImageError(f"the decoder failed on {len(content)} bytes: {reason}", "decoder") from error
    if image is None:
        raise ImageError(f"it is a damaged {header.format} of {len(content)} bytes", "decoder")
    if image.ndim != (2 if gray else 3):  # some decoders ignore the flag
        image = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY if gray else cv2.COLOR_GRAY2BGR)
    if sorted(image.shape[:2]) != sorted((header.height, header.width)):
        raise ImageError(f"it is a {header.format} whose size differs from its header", "damaged")
    return image
