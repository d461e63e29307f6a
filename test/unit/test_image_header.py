# SPDX-License-Identifier: Apache-2.0
"""Image files of unknown origin: what passes the check of headers, and what decoders never see."""

import os
import struct
import zlib

import cv2
import numpy as np
import pytest

from fer_ros.media.image_files import decode_image, read_image
from fer_ros.media.image_header import FILE_FORMATS, ImageError, ImageHeader, check_header

IMAGE = np.random.default_rng(1).integers(0, 255, (30, 40, 3), np.uint8)


def encode(suffix: str, image: np.ndarray = IMAGE, *options: int) -> bytes:
    return cv2.imencode(suffix, image, options)[1].tobytes()


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, pixels: bytes, *before: bytes) -> bytes:
    """Return an 8-bit gray PNG that claims a size, with further chunks before its pixels."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n" + header + b"".join(before) + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")
    )


def resized_jpeg(width: int, height: int) -> bytes:
    """Return a JPEG of few bytes that claims another size."""
    content = bytearray(encode(".jpg", np.zeros((8, 8), np.uint8)))
    at = content.index(b"\xff\xc0") + 5
    content[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(content)


def animated_png() -> bytes:
    control = chunk(b"acTL", struct.pack(">II", 2, 0))
    frame = chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 8, 8, 0, 0, 1, 10, 0, 0))
    return png(8, 8, bytes(72), control, frame)


def gif() -> bytes:
    return b"GIF89a" + struct.pack("<HHBBB", 8, 8, 0, 0, 0) + b";"


@pytest.mark.parametrize("options", [(), (cv2.IMWRITE_JPEG_PROGRESSIVE, 1), (cv2.IMWRITE_JPEG_RST_INTERVAL, 2)])
@pytest.mark.parametrize("image", [IMAGE, IMAGE[..., 0]])
def test_check_header_accepts_every_kind_of_jpeg(options, image):
    assert check_header(encode(".jpg", image, *options)) == ImageHeader("JPEG", 40, 30)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".ppm", ".pgm", ".pbm"])
@pytest.mark.parametrize("binary", [0, 1])
@pytest.mark.parametrize("gray", [False, True])
def test_read_image_accepts_simple_formats(tmp_path, suffix, binary, gray):
    options = [cv2.IMWRITE_PXM_BINARY, binary] if suffix[1] == "p" and suffix != ".png" else []
    image = IMAGE if suffix in (".png", ".bmp", ".ppm") else IMAGE[..., 0]
    path = tmp_path / f"x{suffix}"
    path.write_bytes(encode(suffix, image, *options))
    read = read_image(path, gray)
    assert read.shape == ((30, 40) if gray else (30, 40, 3))
    assert np.array_equal(read, cv2.imread(str(path), cv2.IMREAD_GRAYSCALE if gray else cv2.IMREAD_COLOR))


def test_read_image_follows_the_orientation_tag(tmp_path):
    tag = bytes.fromhex("0112 0003 00000001 0006 0000")  # orientation 6: rotate by 90 degrees to view
    exif = b"Exif\0\0MM\0*" + bytes.fromhex("00000008 0001") + tag + bytes(4)
    jpeg = encode(".jpg")
    (tmp_path / "x.jpg").write_bytes(jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:])
    assert read_image(tmp_path / "x.jpg").shape == (40, 30, 3)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (bytes(50), "unknown format, starting with 00 00 00 00"),
        (gif(), "a GIF file"),
        (encode(".webp"), "a WebP file"),
        (encode(".tiff"), "a TIFF file"),
        (b"\x76\x2f\x31\x01" + bytes(40), "OpenEXR file"),
        (b"P7\nWIDTH 1\n", "a PAM file"),
        (animated_png(), "an animated PNG"),
        (resized_jpeg(32000, 32000), r"too few for the 32000x32000 pixels|32000x32000 pixels, 1024.0 million"),
        (resized_jpeg(3000, 3000), "too few for the 3000x3000 pixels"),
        (png(20000, 20000, bytes(100)), "too few for the 20000x20000 pixels|400.0 million"),
        (png(0, 8, b""), "0x8 pixels"),
        (b"\x89PNG\r\n\x1a\n" + b"\xff\x00\x00\x32IHDR" + bytes(470), "a chunk of 4278190130 bytes does not fit"),
        (b"\xff\xd8\xff\xd9", "without a frame header"),
        (encode(".jpg")[:400], "truncated after 400 bytes"),
        (encode(".png")[:-5], "truncated after"),
        (b"BM" + bytes(60), "BMP of an unusual or compressed kind"),
        (b"P5 99999 99999 255 " + bytes(50), "too few for the 99999x99999"),
        (b"P5 3 x", "a damaged header"),
    ],
)
def test_check_header_refuses_by_name_and_reason(content, reason):
    with pytest.raises(ImageError, match=reason) as raised:
        check_header(content, formats=FILE_FORMATS)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("suffix", [".bmp", ".ppm"])
def test_check_header_accepts_only_jpeg_and_png_in_streams(suffix):
    with pytest.raises(ImageError, match=r"a (BMP|PNM) file; JPEG and PNG are supported: convert it to PNG"):
        check_header(encode(suffix))


def test_check_header_refuses_more_pixels_than_allowed():
    assert check_header(encode(".png"), max_pixels=1200)
    with pytest.raises(ImageError, match=r"40x30 pixels, 0\.0 million; the limit is 0\.001199"):
        check_header(encode(".png"), max_pixels=1199)


def test_check_header_refuses_too_many_scans():
    jpeg = encode(".jpg", IMAGE, cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    first = jpeg.index(b"\xff\xda")
    scan = jpeg[first : jpeg.index(b"\xff\xc4", first)]
    with pytest.raises(ImageError, match="more than 64 scans"):
        check_header(jpeg[:first] + 65 * scan + jpeg[first:])


def test_decode_image_gives_the_channels_it_promises():
    for content in (encode(".png", IMAGE[..., 0]), encode(".png"), encode(".png", np.dstack([IMAGE, IMAGE[..., :1]]))):
        assert decode_image(content, gray=True).shape == (30, 40)
        assert decode_image(content, gray=False).shape == (30, 40, 3)


def test_read_image_refuses_fifos_devices_and_folders(tmp_path):
    os.mkfifo(tmp_path / "fifo.png")
    (tmp_path / "link.png").symlink_to("/dev/zero")
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    (tmp_path / "folder.png").mkdir()
    for name in ("fifo.png", "link.png", "folder.png", "none.png", "loop.png"):
        with pytest.raises(ImageError, match=name):
            read_image(tmp_path / name)
