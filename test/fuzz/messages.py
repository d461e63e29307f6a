# SPDX-License-Identifier: Apache-2.0
"""Messages as a broken or hostile camera sends them: all are valid DDS, none need make sense."""

from __future__ import annotations

import array
import random
from typing import Any

from builtin_interfaces.msg import Time
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, RegionOfInterest
from std_msgs.msg import Header

from fer_ros.media import encodings
from fuzz import mutations, seeds

_TEXTS = ("", "camera", "x\n[ERROR] forged", "\x1b[2J", "é" * 300, "y" * 20_000, "/", "a b", "%s%n")
_FORMATS = ("jpeg", "png", "bgr8; jpeg compressed bgr8", "rgb8; png compressed ", "rvl", "gif", *_TEXTS)
_SIZES = (0, 1, 2, 7, 16, 640, 32_000, 65_536, 2**31 - 1, 2**32 - 1)
_FLOATS = (0.0, 1.0, -1.0, 500.0, 1e-300, 1e300, float("inf"), float("-inf"), float("nan"))
_SECONDS = (0, 1, -1, -(2**31), 2**31 - 1)
_NANOSECONDS = (0, 1, 999_999_999, 10**9, 2**32 - 1)
_MAX_DATA = 30_000


def compressed_image(draw: random.Random) -> CompressedImage:
    """Return a compressed image: a changed image file, or noise."""
    content = mutations.mutate(seeds.files(), draw) if draw.random() < 0.9 else draw.randbytes(draw.randrange(2000))
    return CompressedImage(header=_header(draw), format=draw.choice(_FORMATS), data=array.array("B", content))


def image(draw: random.Random) -> Image:
    """Return an image whose fields contradict each other, mostly."""
    encoding = draw.choice((*encodings.SUPPORTED, *encodings.SUPPORTED, "mono9", *_TEXTS))
    height, width, step = (draw.choice((*_SIZES, draw.randrange(1, 40))) for _ in range(3))
    size = draw.choice((0, 1, min(height * step, _MAX_DATA), draw.randrange(_MAX_DATA)))
    return Image(
        header=_header(draw),
        height=height,
        width=width,
        encoding=encoding,
        is_bigendian=draw.choice((0, 1, 255)),
        step=step,
        data=array.array("B", draw.randbytes(size)),
    )


def camera_info(draw: random.Random) -> CameraInfo:
    """Return a calibration of numbers that no camera has, mostly."""

    def numbers(count: int) -> list[float]:
        return [draw.choice((*_FLOATS, draw.uniform(-1000, 1000))) for _ in range(count)]

    sizes = [draw.choice(_SIZES) for _ in range(8)]
    return CameraInfo(
        header=_header(draw),
        height=sizes[0],
        width=sizes[1],
        distortion_model=draw.choice(("plumb_bob", "equidistant", "rational_polynomial", *_TEXTS)),
        d=numbers(draw.choice((0, 1, 4, 5, 8, 14, 1000))),
        k=numbers(9),
        r=numbers(9),
        p=numbers(12),
        binning_x=sizes[2],
        binning_y=sizes[3],
        roi=RegionOfInterest(x_offset=sizes[4], y_offset=sizes[5], height=sizes[6], width=sizes[7]),
    )


def _header(draw: random.Random) -> Any:
    stamp = Time(sec=draw.choice(_SECONDS), nanosec=draw.choice(_NANOSECONDS))
    return Header(stamp=stamp, frame_id=draw.choice(_TEXTS))
