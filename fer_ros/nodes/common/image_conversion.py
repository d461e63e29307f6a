# SPDX-License-Identifier: Apache-2.0
"""Conversion between image messages and arrays, by cv_bridge if it works, else by `fer_ros.media.encodings`.

cv_bridge compiled for NumPy 1 crashes the process under NumPy 2 at its first color conversion (ros-perception/
vision_opencv issue 535), so it is tried in a child process first. The child also compares both conversions for each
encoding, and cv_bridge is used only for encodings in which the pixels are equal. It is never used where no conversion
is needed (gray from mono8, color from bgr8), because a view of the message's buffer costs nothing.
"""

from __future__ import annotations

import array
import importlib.util
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

import cv2
import numpy as np
from sensor_msgs.msg import CompressedImage, Image

from fer_ros.media import encodings
from fer_ros.media.encodings import RawImage
from fer_ros.media.image_header import MAX_PIXELS

_TARGETS: dict[str, Callable[[RawImage, int], np.ndarray]] = {"mono8": encodings.gray, "bgr8": encodings.bgr}
_TRIAL_TIMEOUT = 30.0
"""Seconds. Importing OpenCV and cv_bridge takes a few on a busy robot; a hang must not keep the node from starting."""


class Converter:
    """Converts sensor_msgs Image and CompressedImage to arrays; created by `choose_converter`.

    Args:
        bridge: a `cv_bridge.CvBridge`, or None to do without.
        trusted: encodings that `bridge` converts, for each of the targets "mono8" and "bgr8".
        reason: why this converter was chosen, for a log line.
        max_pixels: largest width x height to convert.
    """

    def __init__(
        self,
        bridge: Any = None,
        trusted: Mapping[str, list[str]] | None = None,
        reason: str = "",
        max_pixels: int = MAX_PIXELS,
    ):
        self.name = "fer_ros" if bridge is None else "cv_bridge"
        self.reason = reason
        self._bridge = bridge
        self._max_pixels = max_pixels
        self._trusted = {target: frozenset((trusted or {}).get(target, ())) for target in _TARGETS}

    def gray(self, message: Image | CompressedImage) -> np.ndarray:
        """Return the image in grayscale.

        Returns:
            (height, width) uint8, possibly a view of `message.data`: do not write to it.

        Raises:
            ImageError: the message is invalid; says why. Nothing else is raised.
        """
        if isinstance(message, CompressedImage):
            return encodings.decode_gray(message.data, self._max_pixels)
        return self._convert(message, "mono8")

    def bgr(self, message: Image | CompressedImage) -> np.ndarray:
        """Return the image in color, (height, width, 3) uint8 BGR; otherwise like `gray`."""
        if isinstance(message, CompressedImage):
            return encodings.decode_bgr(message.data, self._max_pixels)
        return self._convert(message, "bgr8")

    def _convert(self, message: Image, target: str) -> np.ndarray:
        raw = _raw(message)
        encodings.check(raw, self._max_pixels)
        if raw.encoding in self._trusted[target] and _bridge_reads(raw):
            try:
                return self._bridge.imgmsg_to_cv2(message, target)
            except Exception:  # cv_bridge also raises TypeError, AttributeError and cv2.error
                pass
        return _TARGETS[target](raw, self._max_pixels)


def choose_converter(max_pixels: int = MAX_PIXELS) -> Converter:
    """Return a converter that uses cv_bridge if it is installed and works in a child process.

    Takes about a second if cv_bridge is installed.

    Args:
        max_pixels: largest width x height to convert.
    """
    if importlib.util.find_spec("cv_bridge") is None:
        return Converter(reason="cv_bridge is not installed", max_pixels=max_pixels)
    trusted, failure = _try_in_child()
    if not any(trusted.values()):
        return Converter(reason=failure, max_pixels=max_pixels)
    from cv_bridge import CvBridge

    return Converter(CvBridge(), trusted, "a trial conversion through cv_bridge succeeded", max_pixels)


def to_message(bgr: np.ndarray, header: Any) -> Image:
    """Return an image as sensor_msgs/Image with the encoding bgr8.

    Args:
        bgr: (height, width, 3) uint8 BGR.
        header: std_msgs/Header of the message.
    """
    height, width, _ = bgr.shape
    # rclpy takes an array.array as it is, and checks any other sequence element by element.
    data = array.array("B")
    data.frombytes(np.ascontiguousarray(bgr))  # type: ignore[arg-type] # NumPy declares no buffer before 3.12
    return Image(header=header, height=height, width=width, encoding="bgr8", step=3 * width, data=data)


def to_jpeg(bgr: np.ndarray, header: Any) -> CompressedImage:
    """Return an image as sensor_msgs/CompressedImage, in the default format and quality of image_transport.

    Args:
        bgr: (height, width, 3) uint8 BGR.
        header: std_msgs/Header of the message.
    """
    _, coded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 95])
    data = array.array("B")
    data.frombytes(coded)  # type: ignore[arg-type]
    return CompressedImage(header=header, format="bgr8; jpeg compressed bgr8", data=data)


def report_agreement() -> None:
    """Print as JSON, for each target, the encodings that cv_bridge converts to the same pixels; run by the child."""
    from cv_bridge import CvBridge

    bridge = CvBridge()
    random = np.random.default_rng(0)
    agreeing: dict[str, list[str]] = {target: [] for target in _TARGETS}
    for encoding in encodings.SUPPORTED:
        message = _noise(encoding, random)
        for target, own in _TARGETS.items():
            if not _is_view(encoding, target) and _agree(bridge, message, target, own(_raw(message), MAX_PIXELS)):
                agreeing[target].append(encoding)
    print(json.dumps(agreeing))


def _try_in_child() -> tuple[dict[str, list[str]], str]:
    """Return the encodings that cv_bridge may convert, for each target; and if there are none, why."""
    command = [sys.executable, "-c", f"from {__name__} import report_agreement; report_agreement()"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        child = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=_TRIAL_TIMEOUT)
    except (OSError, subprocess.TimeoutExpired) as error:
        return {}, f"the trial of cv_bridge did not finish: {error}"
    if child.returncode < 0:
        signal_name = signal.Signals(-child.returncode).name
        return (
            {},
            f"cv_bridge crashed with {signal_name} in a conversion; it was probably compiled for another NumPy",
        )
    if child.returncode > 0:
        last_line = (child.stderr.strip().splitlines() or ["no message"])[-1]
        return {}, f"the trial of cv_bridge failed: {last_line}"
    trusted = json.loads(child.stdout.strip().splitlines()[-1])
    return trusted, "" if any(trusted.values()) else "cv_bridge and fer_ros differ in every encoding"


def _noise(encoding: str, random: np.random.Generator) -> Image:
    height, width = 48, 64  # wide enough for OpenCV's vector instructions, in which versions round differently
    step = width * encodings.pixel_bytes(encoding)
    data = array.array("B", random.integers(0, 256, 3 * height * step, np.uint8).tobytes())  # for any chroma
    return Image(height=height, width=width, encoding=encoding, step=step, data=data)


def _is_view(encoding: str, target: str) -> bool:
    return encoding in {"mono8": ("mono8", "8UC1"), "bgr8": ("bgr8", "8UC3")}[target]


def _agree(bridge: Any, message: Image, target: str, expected: np.ndarray) -> bool:
    try:
        return np.array_equal(bridge.imgmsg_to_cv2(message, target), expected)
    except Exception:  # cv_bridge does not support this encoding
        return False


def _raw(message: Image) -> RawImage:
    return RawImage(
        message.data, message.height, message.width, message.encoding, message.step, bool(message.is_bigendian)
    )


def _bridge_reads(raw: RawImage) -> bool:
    """Return whether cv_bridge reads this layout correctly in an encoding that it supports.

    Older versions ignore `step`, newer ones shear the image if it is no whole number of pixels; big-endian data is
    swapped in a way that NumPy 2 rejects; OpenCV writes past the end of its result for 4:2:2 with an odd width; and
    16-bit samples are not scaled by the bits they hold.
    """
    rows_adjoin = raw.step == raw.width * encodings.pixel_bytes(raw.encoding)
    return rows_adjoin and not raw.is_bigendian and raw.width % 2 == 0 and not raw.encoding.endswith("16")
