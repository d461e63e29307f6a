# SPDX-License-Identifier: Apache-2.0
"""Converts raw and compressed ROS images to gray or BGR arrays.

The names of the encodings are those of sensor_msgs/image_encodings.hpp. Where cv_bridge knows an encoding, the pixels
equal those of `imgmsg_to_cv2(message, "mono8" | "bgr8")`, except that 16-bit samples are scaled by the bits they hold.
In addition, the newer names of the YUV formats, NV12, NV21 and NV24 are supported, and `8UC1`, `8UC3`, `8UC4` are taken
for gray, BGR and BGRA, as in OpenCV. `16UC1` and `32FC1` are rejected: by REP 118 they are depth images.

YUV is ITU-R BT.601 with a luma of 16..235; gray is the luma, unchanged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from fer_ros.media.image_files import decode_image
from fer_ros.media.image_header import MAX_PIXELS, ImageError
from fer_ros.registry import did_you_mean
from fer_ros.text import printable


@dataclass(frozen=True)
class RawImage:
    """The fields of sensor_msgs/Image, under their own names."""

    data: Any
    """Any object with the buffer protocol (array.array, bytes, a contiguous array); not modified."""
    height: int
    """Pixels."""
    width: int
    """Pixels."""
    encoding: str
    step: int
    """Bytes per row with padding; for NV12, NV21 and NV24, of the luma plane."""
    is_bigendian: bool = False
    """Byte order of 16-bit samples."""


@dataclass(frozen=True)
class _Packed:
    """A format whose pixels follow each other, each with all its samples."""

    samples: int
    depth: int
    """Bits of one sample: 8 or 16."""
    to_gray: int | None
    """OpenCV's conversion code; None where the pixels are gray already."""
    to_bgr: int | None
    """Likewise; None where the pixels are BGR already."""

    @property
    def pixel_bytes(self) -> int:
        return self.samples * self.depth // 8


@dataclass(frozen=True)
class _Planar:
    """A format with a luma plane, followed by one plane of interleaved chroma."""

    to_bgr: int
    """OpenCV's two-plane conversion code."""
    subsampled: bool
    """Whether 2x2 pixels share a chroma sample (4:2:0); otherwise each pixel has one (4:4:4)."""
    pixel_bytes: int = 1
    """In the luma plane, whose rows have `step` bytes."""


def _bayer(depth: int) -> dict[str, _Packed]:
    # ROS names a pattern after the first two pixels of the first two rows, OpenCV after the second and third pixel of
    # the second row: rggb in ROS is BayerBG in OpenCV.
    return {
        f"bayer_rggb{depth}": _Packed(1, depth, cv2.COLOR_BayerBG2GRAY, cv2.COLOR_BayerBG2BGR),
        f"bayer_bggr{depth}": _Packed(1, depth, cv2.COLOR_BayerRG2GRAY, cv2.COLOR_BayerRG2BGR),
        f"bayer_gbrg{depth}": _Packed(1, depth, cv2.COLOR_BayerGR2GRAY, cv2.COLOR_BayerGR2BGR),
        f"bayer_grbg{depth}": _Packed(1, depth, cv2.COLOR_BayerGB2GRAY, cv2.COLOR_BayerGB2BGR),
    }


def _colors(depth: int) -> dict[str, _Packed]:
    return {
        f"mono{depth}": _Packed(1, depth, None, cv2.COLOR_GRAY2BGR),
        f"bgr{depth}": _Packed(3, depth, cv2.COLOR_BGR2GRAY, None),
        f"rgb{depth}": _Packed(3, depth, cv2.COLOR_RGB2GRAY, cv2.COLOR_RGB2BGR),
        f"bgra{depth}": _Packed(4, depth, cv2.COLOR_BGRA2GRAY, cv2.COLOR_BGRA2BGR),
        f"rgba{depth}": _Packed(4, depth, cv2.COLOR_RGBA2GRAY, cv2.COLOR_RGBA2BGR),
    }


_UYVY = _Packed(2, 8, cv2.COLOR_YUV2GRAY_UYVY, cv2.COLOR_YUV2BGR_UYVY)
_YUYV = _Packed(2, 8, cv2.COLOR_YUV2GRAY_YUYV, cv2.COLOR_YUV2BGR_YUYV)
_FORMATS: dict[str, _Packed | _Planar] = {
    **_colors(8),
    **_colors(16),
    **_bayer(8),
    **_bayer(16),
    "uyvy": _UYVY,
    "yuv422": _UYVY,
    "yuyv": _YUYV,
    "yuv422_yuy2": _YUYV,
    "nv12": _Planar(cv2.COLOR_YUV2BGR_NV12, subsampled=True),
    "nv21": _Planar(cv2.COLOR_YUV2BGR_NV21, subsampled=True),
    "nv24": _Planar(cv2.COLOR_YUV2BGR_NV12, subsampled=False),
}
_FORMATS["8UC1"] = _FORMATS["mono8"]
_FORMATS["8UC3"] = _FORMATS["bgr8"]
_FORMATS["8UC4"] = _FORMATS["bgra8"]

_SENSOR_BITS = (10, 12, 14, 16)

SUPPORTED = tuple(_FORMATS)
"""The encodings that `gray` and `bgr` convert."""


def gray(raw: RawImage, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Return the image as gray: (height, width) uint8.

    A view of `raw.data`, without a copy, for mono8, 8UC1, nv12, nv21 and nv24. 16-bit samples that hold 10,
    12 or 14 bits are scaled by what they hold; see `_to_8_bit`.

    Raises:
        ImageError: see `check`.
    """
    check(raw, max_pixels)
    return _convert(raw, _packed_gray, _luma)


def bgr(raw: RawImage, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Return the image as BGR: (height, width, 3) uint8.

    A view of `raw.data`, without a copy, for bgr8 and 8UC3.

    Raises:
        ImageError: see `check`.
    """
    check(raw, max_pixels)
    return _convert(raw, _packed_bgr, _planar_bgr)


def pixel_bytes(encoding: str) -> int:
    """Return the bytes per pixel in a row of `step` bytes (for NV12, NV21 and NV24, in the luma plane).

    Raises:
        ImageError: `encoding` is not one of `SUPPORTED`.
    """
    if encoding not in _FORMATS:
        raise _unknown(encoding)
    return _FORMATS[encoding].pixel_bytes


def check(raw: RawImage, max_pixels: int = MAX_PIXELS) -> None:
    """Check that the fields of an image are consistent.

    Args:
        raw: the image.
        max_pixels: largest width x height to accept.

    Raises:
        ImageError: the encoding is unknown, there are no pixels or too many, `step` is too small for the width, or
            `data` is not a buffer or is shorter than step x height (with chroma: x 1.5 for nv12 and nv21, x 3 for
            nv24). The padding of the last row may be missing.
    """
    row = raw.width * pixel_bytes(raw.encoding)
    if raw.width <= 0 or raw.height <= 0:
        raise ImageError(f"the image has no pixels: it is {raw.width} wide and {raw.height} high", "no pixels")
    if raw.width * raw.height > max_pixels:
        raise ImageError(
            f"the image has {raw.width}x{raw.height} pixels; the limit is {max_pixels / 1e6:g} million", "too large"
        )
    if raw.step < row:
        raise ImageError(
            f"step is {raw.step}, but a row of {raw.width} pixels of {raw.encoding} has {row} bytes", "step"
        )
    present, needed = _buffer(raw.data).nbytes, _needed_bytes(raw)
    if present < needed:
        raise ImageError(
            f"data has {present} bytes, but {raw.height} rows of step {raw.step} in {raw.encoding} need {needed}",
            "truncated",
        )


def decode_gray(data: Any, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Decode a JPEG or PNG to gray: (height, width) uint8.

    Of a JPEG only the luma is decoded, which is cheaper. An orientation tag is ignored, as image_transport does, so
    that boxes fit the image that other nodes decode.

    Args:
        data: the whole file, in any object with the buffer protocol.
        max_pixels: largest width x height to decode.

    Raises:
        ImageError: neither a JPEG nor a PNG, animated, truncated, damaged, or larger than `max_pixels`. No decoder
            notices flipped bits within a JPEG's pixels.
    """
    return _decode(data, True, max_pixels)


def decode_bgr(data: Any, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Decode to BGR: (height, width, 3) uint8; see `decode_gray`."""
    return _decode(data, False, max_pixels)


def _unknown(encoding: str) -> ImageError:
    if encoding in ("16UC1", "32FC1"):
        return ImageError(
            f"encoding '{encoding}' is depth (REP 118), not an image; remap to the camera's color or gray topic",
            "depth",
        )
    name = printable(encoding, 40)
    return ImageError(
        f"unknown encoding '{name}'{did_you_mean(name, SUPPORTED)}; supported: {', '.join(SUPPORTED)}", "encoding"
    )


def _buffer(data: Any) -> memoryview:
    try:
        view = memoryview(data)
    except TypeError as error:
        raise ImageError(f"data is {type(data).__name__}, not a buffer of bytes", "data") from error
    if not view.c_contiguous:
        raise ImageError("data is not contiguous in memory", "data")
    return view


def _needed_bytes(raw: RawImage) -> int:
    layout = _FORMATS[raw.encoding]
    if isinstance(layout, _Packed):
        return raw.step * (raw.height - 1) + raw.width * layout.pixel_bytes
    luma = raw.step * raw.height
    if not layout.subsampled:
        return luma + 2 * raw.step * (raw.height - 1) + 2 * raw.width
    # Drivers disagree on whether an odd last row has chroma, so it is not required.
    rows = raw.height // 2
    return luma + raw.step * (rows - 1) + _chroma_row_bytes(raw) if rows else raw.width


def _chroma_row_bytes(raw: RawImage) -> int:
    """Return the bytes of chroma in a row of nv12 and nv21; an odd width may lack the last pair."""
    return 2 * min((raw.width + 1) // 2, raw.step // 2)


def _convert(
    raw: RawImage,
    packed: Callable[[RawImage, _Packed], np.ndarray],
    planar: Callable[[RawImage, _Planar], np.ndarray],
) -> np.ndarray:
    layout = _FORMATS[raw.encoding]
    try:
        return packed(raw, layout) if isinstance(layout, _Packed) else planar(raw, layout)
    except cv2.error as error:
        size = f"{raw.width}x{raw.height}"
        reason = printable(str(error).strip(), 200)
        raise ImageError(f"OpenCV cannot convert this {size} image from {raw.encoding}: {reason}", "decoder") from error


def _packed_gray(raw: RawImage, layout: _Packed) -> np.ndarray:
    pixels = _pixels(raw, layout, raw.width)
    return _to_8_bit(pixels if layout.to_gray is None else cv2.cvtColor(pixels, layout.to_gray), pixels)


def _packed_bgr(raw: RawImage, layout: _Packed) -> np.ndarray:
    if layout.to_bgr is not None and layout in (_UYVY, _YUYV) and raw.width % 2:
        return cv2.cvtColor(_even_columns(raw, layout), layout.to_bgr)[:, : raw.width]
    pixels = _pixels(raw, layout, raw.width)
    return _to_8_bit(pixels if layout.to_bgr is None else cv2.cvtColor(pixels, layout.to_bgr), pixels)


def _pixels(raw: RawImage, layout: _Packed, width: int) -> np.ndarray:
    """Return a view of the first `width` pixels of each row: (height, width) or (height, width, samples)."""
    order = ">" if raw.is_bigendian else "<"
    dtype = np.dtype(np.uint8 if layout.depth == 8 else f"{order}u2")
    shape: tuple[int, ...] = (raw.height, width)
    strides: tuple[int, ...] = (raw.step, layout.pixel_bytes)
    if layout.samples > 1:
        shape, strides = (*shape, layout.samples), (*strides, dtype.itemsize)
    pixels: np.ndarray = np.ndarray(shape, dtype, _buffer(raw.data), strides=strides)
    if dtype.isnative and pixels.flags.aligned:
        return pixels
    return pixels.astype(dtype.newbyteorder("="))


def _to_8_bit(pixels: np.ndarray, samples: np.ndarray) -> np.ndarray:
    """Scale converted pixels to 8 bits.

    Sensors of 10, 12 or 14 bits fill only the lower bits of their 16-bit samples; scaled by 255/65535 their images are
    nearly black. The encoding does not contain the number of bits, so that it is derived from the largest sample.

    Args:
        pixels: of any shape, uint8 or uint16.
        samples: of the image before the conversion.
    """
    if pixels.dtype == np.uint8:
        return pixels
    largest = int(samples.max())
    bits = next(bits for bits in _SENSOR_BITS if largest < 1 << bits)
    return cv2.convertScaleAbs(pixels, alpha=255 / ((1 << bits) - 1))


def _even_columns(raw: RawImage, layout: _Packed) -> np.ndarray:
    """Return 4:2:2 pixels in an even number of columns: at an odd width, OpenCV writes beyond its result."""
    even = raw.width + 1
    needed = raw.step * (raw.height - 1) + even * layout.pixel_bytes
    if raw.step >= even * layout.pixel_bytes and _buffer(raw.data).nbytes >= needed:
        return _pixels(raw, layout, even)
    padded = np.full((raw.height, even, layout.samples), 128, np.uint8)
    padded[:, : raw.width] = _pixels(raw, layout, raw.width)
    if raw.width > 1:
        padded[:, raw.width] = padded[:, raw.width - 2]
    return padded


def _luma(raw: RawImage, layout: _Planar) -> np.ndarray:
    luma: np.ndarray = np.ndarray((raw.height, raw.width), np.uint8, _buffer(raw.data), strides=(raw.step, 1))
    return luma


def _planar_bgr(raw: RawImage, layout: _Planar) -> np.ndarray:
    luma = _luma(raw, layout)
    if not layout.subsampled:
        return _full_chroma_bgr(luma, raw)
    luma = _repeat_edges(luma, raw.height + raw.height % 2, raw.width + raw.width % 2)
    return cv2.cvtColorTwoPlane(luma, _chroma(raw), layout.to_bgr)[: raw.height, : raw.width]


def _chroma(raw: RawImage) -> np.ndarray:
    """Return one pair of samples per 2x2 pixels: (height / 2, width / 2, 2) uint8, both rounded up."""
    rows, columns = (raw.height + 1) // 2, (raw.width + 1) // 2
    start = raw.step * raw.height
    row = _chroma_row_bytes(raw)
    # The last row may lack its padding.
    present = min(rows, (_buffer(raw.data).nbytes - start - row) // raw.step + 1), row // 2
    if min(present) <= 0:
        return np.full((rows, columns, 2), 128, np.uint8)
    pairs = np.ndarray((*present, 2), np.uint8, _buffer(raw.data), start, (raw.step, 2, 1))
    return _repeat_edges(pairs, rows, columns)


def _repeat_edges(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    below, right = height - pixels.shape[0], width - pixels.shape[1]
    return cv2.copyMakeBorder(pixels, 0, below, 0, right, cv2.BORDER_REPLICATE) if below or right else pixels


def _full_chroma_bgr(luma: np.ndarray, raw: RawImage) -> np.ndarray:
    """Convert 4:4:4, which OpenCV lacks: write each pixel twice, as a YUYV pair, and read every second."""
    height, width = luma.shape
    chroma = np.ndarray((height, width, 2), np.uint8, _buffer(raw.data), raw.step * height, (2 * raw.step, 2, 1))
    pairs = np.empty((height, width, 4), np.uint8)
    pairs[..., 0::2] = luma[..., np.newaxis]
    pairs[..., 1::2] = chroma
    doubled = cv2.cvtColor(pairs.reshape(height, 2 * width, 2), cv2.COLOR_YUV2BGR_YUYV)
    return np.ascontiguousarray(doubled[:, ::2])


def _decode(data: Any, gray: bool, max_pixels: int) -> np.ndarray:
    content = _buffer(data).tobytes()
    try:
        return decode_image(content, gray, max_pixels)
    except ImageError as error:
        raise ImageError(f"the compressed image is not readable: {error}", error.kind) from error
