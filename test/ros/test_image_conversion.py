# SPDX-License-Identifier: Apache-2.0
"""Conversion of image messages with and without cv_bridge, also with one that crashes."""

import array
import sys
import textwrap

import cv2
import numpy as np
import pytest

pytest.importorskip("sensor_msgs.msg", reason="needs ROS messages: make setup")

from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from fer_ros.media import encodings
from fer_ros.media.image_header import ImageError
from fer_ros.nodes.common.image_conversion import Converter, choose_converter, to_message


def _message(encoding: str, height: int, width: int, padding: int = 0, is_bigendian: int = 0) -> Image:
    step = width * encodings.pixel_bytes(encoding) + padding
    noise = np.random.default_rng(2).integers(0, 256, 3 * height * step, np.uint8)
    return Image(
        encoding=encoding,
        height=height,
        width=width,
        step=step,
        is_bigendian=is_bigendian,
        data=array.array("B", noise.tobytes()),
    )


@pytest.fixture
def install_cv_bridge(tmp_path, monkeypatch):
    """Put a module `cv_bridge` with the given body first on the path of this process and of its children."""
    real = sys.modules.pop("cv_bridge", None)

    def install(body: str) -> None:
        (tmp_path / "cv_bridge.py").write_text(textwrap.dedent(body))
        monkeypatch.syspath_prepend(tmp_path)

    yield install
    sys.modules.pop("cv_bridge", None)
    if real:
        sys.modules["cv_bridge"] = real


def test_image_message_round_trip():
    image = np.random.default_rng(3).integers(0, 256, (5, 7, 3), np.uint8)
    message = to_message(image[:, ::-1], Header(frame_id="camera"))
    assert (message.encoding, message.step, message.header.frame_id) == ("bgr8", 21, "camera")
    assert np.array_equal(Converter().bgr(message), image[:, ::-1])


def test_converter_decodes_compressed_messages():
    image = np.full((40, 60, 3), (10, 100, 200), np.uint8)
    message = CompressedImage(format="png", data=array.array("B", cv2.imencode(".png", image)[1].tobytes()))
    assert np.array_equal(Converter().bgr(message), image)
    assert Converter().gray(message).shape == (40, 60)


@pytest.mark.parametrize(
    "message",
    [
        Image(),
        Image(encoding="bgr8", height=480, width=640, step=1920, data=array.array("B", bytes(100))),
        Image(encoding="bgr8", height=2, width=2, step=5, data=array.array("B", bytes(10))),
        Image(encoding="no such", height=1, width=1, step=1, data=array.array("B", bytes(1))),
        CompressedImage(format="jpeg"),
        CompressedImage(format="jpeg", data=array.array("B", b"\xff\xd8\xff\xe0 broken")),
    ],
)
def test_converter_raises_only_image_error(message):
    converter = Converter()
    for convert in (converter.gray, converter.bgr):
        with pytest.raises(ImageError):
            convert(message)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV"),
        ("raise ImportError('numpy.core.multiarray failed to import')", "numpy.core.multiarray"),
        (
            """
            import numpy
            class CvBridge:
                def imgmsg_to_cv2(self, message, encoding):
                    return numpy.zeros((message.height, message.width), numpy.uint8)
            """,
            "differ in every encoding",
        ),
    ],
)
def test_converter_avoids_cv_bridge_that_fails(install_cv_bridge, body, reason):
    install_cv_bridge(body)
    converter = choose_converter()
    assert converter.name == "fer_ros"
    assert reason in converter.reason
    assert converter.gray(_message("rgb8", 4, 6)).shape == (4, 6)


def test_converter_uses_cv_bridge_for_encodings_that_agree(install_cv_bridge):
    install_cv_bridge(
        """
        import cv2, numpy
        calls = []
        class CvBridge:
            def imgmsg_to_cv2(self, message, encoding):
                calls.append((message.encoding, encoding))
                if (message.encoding, encoding) != ("rgb8", "mono8"):
                    raise RuntimeError("unsupported")
                pixels = numpy.frombuffer(message.data, numpy.uint8)[: message.height * message.step]
                return cv2.cvtColor(pixels.reshape(message.height, message.width, 3), cv2.COLOR_RGB2GRAY)
        """,
    )
    converter = choose_converter()
    import cv_bridge

    assert converter.name == "cv_bridge"
    for encoding in ("rgb8", "yuyv", "nv12", "mono8"):
        message = _message(encoding, 4, 6)
        assert np.array_equal(converter.gray(message), Converter().gray(message))
        assert np.array_equal(converter.bgr(message), Converter().bgr(message))
    assert cv_bridge.calls == [("rgb8", "mono8")]


def test_converter_agrees_with_installed_cv_bridge():
    converter = choose_converter()
    if converter.name != "cv_bridge":
        pytest.skip(converter.reason)
    from cv_bridge import CvBridge

    names = ["mono8", "mono16", "yuv422"]
    names += [f"{colors}{depth}" for colors in ("bgr", "rgb", "bgra", "rgba") for depth in (8, 16)]
    names += [f"bayer_{pattern}{depth}" for pattern in ("rggb", "bggr", "gbrg", "grbg") for depth in (8, 16)]
    for encoding in names:
        message = _message(encoding, 48, 64)
        for target, own in (("mono8", Converter().gray), ("bgr8", Converter().bgr)):
            theirs = CvBridge().imgmsg_to_cv2(message, target).astype(int)
            # cv_bridge may be linked to another version of OpenCV, which rounds Bayer to gray differently.
            assert np.abs(theirs - own(message)).max() <= 1, encoding
    for encoding in encodings.SUPPORTED:
        for height, width, padding, is_bigendian in [(47, 63, 0, 0), (48, 64, 12, 0), (48, 64, 7, 0), (48, 64, 0, 1)]:
            message = _message(encoding, height, width, padding, is_bigendian)
            assert np.array_equal(converter.gray(message), Converter().gray(message)), encoding
            assert np.array_equal(converter.bgr(message), Converter().bgr(message)), encoding
