"""Image messages to pixels and back: through cv_bridge where it can be trusted, else through `fer_ros.media.encodings`.

cv_bridge built for NumPy 1 kills the process under NumPy 2 at its first color conversion (ros-perception/
vision_opencv issue 535), so it is tried in a child process first. The child also compares, encoding by encoding, and
only those in which both give the same pixels go through cv_bridge. What needs no conversion never does, because a view
of the message's own buffer costs nothing: gray from mono8, color from bgr8.
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

_TARGETS: dict[str, Callable[[RawImage], np.ndarray]] = {"mono8": encodings.gray, "bgr8": encodings.bgr}
_TRIAL_TIMEOUT = 30.0
"""Seconds. Importing OpenCV and cv_bridge on a busy robot takes a few; a hang must not keep the node from starting."""


class Converter:
    """Turns sensor_msgs Image and CompressedImage into pixels; `choose_converter` makes one."""

    def __init__(self, bridge: Any = None, trusted: Mapping[str, list[str]] | None = None, reason: str = ""):
        """
        Args:
            bridge: a `cv_bridge.CvBridge`, or None to do without.
            trusted: which encodings go through `bridge` to "mono8" and to "bgr8".
            reason: why this converter was chosen, for a log line.
        """
        self.name = "fer_ros" if bridge is None else "cv_bridge"
        self.reason = reason
        self._bridge = bridge
        self._trusted = {target: frozenset((trusted or {}).get(target, ())) for target in _TARGETS}

    def gray(self, message: Image | CompressedImage) -> np.ndarray:
        """The picture in shades of gray: (height, width) uint8, perhaps a view of `message.data`: do not write to it.

        Raises:
            ImageError: names what is wrong with the message. Nothing else is raised for a bad one.
        """
        if isinstance(message, CompressedImage):
            return encodings.decode_gray(message.data)
        return self._convert(message, "mono8")

    def bgr(self, message: Image | CompressedImage) -> np.ndarray:
        """The picture in color: (height, width, 3) uint8, blue first; otherwise as `gray`."""
        if isinstance(message, CompressedImage):
            return encodings.decode_bgr(message.data)
        return self._convert(message, "bgr8")

    def _convert(self, message: Image, target: str) -> np.ndarray:
        raw = _raw(message)
        encodings.check(raw)
        if raw.encoding in self._trusted[target] and _bridge_reads(raw):
            try:
                return self._bridge.imgmsg_to_cv2(message, target)
            except Exception:  # cv_bridge also lets TypeError, AttributeError and OpenCV's own errors through
                pass
        return _TARGETS[target](raw)


def choose_converter() -> Converter:
    """A converter with cv_bridge where it is installed and survives a trial in a child process, else without.

    Takes about a second where cv_bridge is installed.
    """
    if importlib.util.find_spec("cv_bridge") is None:
        return Converter(reason="cv_bridge is not installed")
    trusted, failure = _try_in_child()
    if not any(trusted.values()):
        return Converter(reason=failure)
    from cv_bridge import CvBridge

    return Converter(CvBridge(), trusted, "a trial conversion through cv_bridge succeeded")


def to_message(bgr: np.ndarray, header: Any) -> Image:
    """A picture as sensor_msgs/Image in encoding bgr8 with `header`.

    Args:
        bgr: (height, width, 3) uint8, blue first.
        header: std_msgs/Header, taken as it is.
    """
    height, width, _ = bgr.shape
    # An array.array is what rclpy takes without checking each of the million elements.
    data = array.array("B")
    data.frombytes(np.ascontiguousarray(bgr))
    return Image(header=header, height=height, width=width, encoding="bgr8", step=3 * width, data=data)


def to_jpeg(bgr: np.ndarray, header: Any) -> CompressedImage:
    """The same as sensor_msgs/CompressedImage, in the format and quality that image_transport has by default."""
    _, coded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 95])
    data = array.array("B")
    data.frombytes(coded)
    return CompressedImage(header=header, format="bgr8; jpeg compressed bgr8", data=data)


def report_agreement() -> None:
    """What the child process runs: prints, as JSON, which encodings cv_bridge converts to which target as we do."""
    from cv_bridge import CvBridge

    bridge = CvBridge()
    random = np.random.default_rng(0)
    agreeing: dict[str, list[str]] = {target: [] for target in _TARGETS}
    for encoding in encodings.KNOWN:
        message = _noise(encoding, random)
        for target, own in _TARGETS.items():
            if not _is_view(encoding, target) and _agree(bridge, message, target, own(_raw(message))):
                agreeing[target].append(encoding)
    print(json.dumps(agreeing))


def _try_in_child() -> tuple[dict[str, list[str]], str]:
    """The encodings that cv_bridge may convert, for each target; and if there are none, why."""
    command = [sys.executable, "-c", f"from {__name__} import report_agreement; report_agreement()"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        child = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=_TRIAL_TIMEOUT)
    except (OSError, subprocess.TimeoutExpired) as error:
        return {}, f"the trial of cv_bridge did not finish: {error}"
    if child.returncode < 0:
        died_of = signal.Signals(-child.returncode).name
        return {}, f"cv_bridge dies of {died_of} at a color conversion; it was probably built for another NumPy"
    if child.returncode > 0:
        last_words = (child.stderr.strip().splitlines() or ["no message"])[-1]
        return {}, f"the trial of cv_bridge failed: {last_words}"
    trusted = json.loads(child.stdout.strip().splitlines()[-1])
    return trusted, "" if any(trusted.values()) else "cv_bridge gives other pixels than fer_ros in every encoding"


def _noise(encoding: str, random: np.random.Generator) -> Image:
    height, width = 48, 64  # wide enough for OpenCV's vector instructions, where versions round differently
    step = width * encodings.pixel_bytes(encoding)
    data = array.array("B", random.integers(0, 256, 3 * height * step, np.uint8).tobytes())  # room for any chroma
    return Image(height=height, width=width, encoding=encoding, step=step, data=data)


def _is_view(encoding: str, target: str) -> bool:
    return encoding in {"mono8": ("mono8", "8UC1"), "bgr8": ("bgr8", "8UC3")}[target]


def _agree(bridge: Any, message: Image, target: str, expected: np.ndarray) -> bool:
    try:
        return np.array_equal(bridge.imgmsg_to_cv2(message, target), expected)
    except Exception:  # whatever it is, cv_bridge does not know this encoding
        return False


def _raw(message: Image) -> RawImage:
    return RawImage(
        message.data, message.height, message.width, message.encoding, message.step, bool(message.is_bigendian)
    )


def _bridge_reads(raw: RawImage) -> bool:
    """Whether cv_bridge reads a sound message of an encoding it knows. Its Python part has gaps.

    Older ones ignore `step`, newer ones shear the picture when it is no whole number of pixels; bytes are swapped in a
    way that NumPy 2 refuses; and OpenCV is let write past its result where 4:2:2 has an odd width.
    """
    rows_adjoin = raw.step == raw.width * encodings.pixel_bytes(raw.encoding)
    return rows_adjoin and not raw.is_bigendian and raw.width % 2 == 0
