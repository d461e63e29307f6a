# SPDX-License-Identifier: Apache-2.0
"""Conversion of raw and compressed images."""

import array

import cv2
import numpy as np
import pytest

from fer_ros.media import encodings
from fer_ros.media.encodings import RawImage
from fer_ros.media.image_header import ImageError

HEIGHT, WIDTH = 6, 8


def _random(*shape, dtype=np.uint8):
    return np.random.default_rng(1).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def _raw(pixels: np.ndarray, encoding: str, padding: int = 0, **fields) -> RawImage:
    """Return pixels (height, width[, samples]) as a driver sends them, with `padding` bytes of 0xAA after each row."""
    height, width = pixels.shape[:2]
    rows = np.ascontiguousarray(pixels).view(np.uint8).reshape(height, -1)
    rows = np.pad(rows, ((0, 0), (0, padding)), constant_values=0xAA)
    return RawImage(rows.tobytes(), height, width, encoding, rows.shape[1], **fields)


def _mosaic(pattern: str, bgr: np.ndarray) -> np.ndarray:
    """Return the samples of a sensor with a color filter, given row by row from the top left."""
    mosaic = np.empty(bgr.shape[:2], bgr.dtype)
    for place, color in enumerate(pattern):
        y, x = divmod(place, 2)
        mosaic[y::2, x::2] = bgr[y::2, x::2, "bgr".index(color)]
    return mosaic


@pytest.mark.parametrize("padding", [0, 1, 5])
@pytest.mark.parametrize(
    ("encoding", "order"),
    [("bgr", [0, 1, 2]), ("rgb", [2, 1, 0]), ("bgra", [0, 1, 2, 3]), ("rgba", [2, 1, 0, 3])],
)
@pytest.mark.parametrize("depth", [8, 16])
def test_bgr_and_gray_convert_packed_colors(encoding, order, depth, padding):
    bgra = _random(HEIGHT, WIDTH, 4)
    wide = bgra.astype(np.uint16) * 257 if depth == 16 else bgra
    raw = _raw(wide[..., order], f"{encoding}{depth}", padding)
    assert np.array_equal(encodings.bgr(raw), bgra[..., :3])
    weighted = bgra[..., :3] @ np.array([0.114, 0.587, 0.299])
    assert np.abs(encodings.gray(raw) - weighted).max() < 1


@pytest.mark.parametrize("padding", [0, 3])
@pytest.mark.parametrize("bigendian", [False, True])
def test_gray_scales_16_bit_samples_of_either_byte_order(bigendian, padding):
    values = np.arange(65536).reshape(256, 256)
    raw = _raw(values.astype(">u2" if bigendian else "<u2"), "mono16", padding, is_bigendian=bigendian)
    expected = np.rint(values / 257).astype(np.uint8)
    assert np.array_equal(encodings.gray(raw), expected)
    assert np.array_equal(encodings.bgr(raw), np.dstack([expected] * 3))


@pytest.mark.parametrize(("generic", "specific"), [("8UC1", "mono8"), ("8UC3", "bgr8"), ("8UC4", "bgra8")])
def test_bgr_takes_opencv_type_names_as_opencv_does(generic, specific):
    samples = int(generic[-1])
    pixels = _random(HEIGHT, WIDTH, samples)
    assert np.array_equal(encodings.bgr(_raw(pixels, generic)), encodings.bgr(_raw(pixels, specific)))


@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
@pytest.mark.parametrize("depth", [8, 16])
def test_bgr_names_bayer_patterns_as_ros_does(pattern, depth):
    scale = 257 if depth == 16 else 1
    orange = np.full((HEIGHT, WIDTH, 3), (20, 120, 220), np.uint16 if depth == 16 else np.uint8) * scale
    raw = _raw(_mosaic(pattern, orange.astype(f"u{depth // 8}")), f"bayer_{pattern}{depth}", padding=2)
    assert np.array_equal(encodings.bgr(raw), np.full((HEIGHT, WIDTH, 3), (20, 120, 220)))
    assert np.abs(encodings.gray(raw) - (0.114 * 20 + 0.587 * 120 + 0.299 * 220)).max() <= 1


def _bt601(luma: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    y, u, v = 1.164 * (luma.astype(float) - 16).clip(0), u.astype(float) - 128, v.astype(float) - 128
    return np.dstack([y + 2.018 * u, y - 0.391 * u - 0.813 * v, y + 1.596 * v]).clip(0, 255)


def _yuv(height: int, width: int):
    """Return luma, and chroma (u, v) per 2x2 pixels."""
    return _random(height, width), _random((height + 1) // 2, (width + 1) // 2, 2)


@pytest.mark.parametrize("padding", [0, 1, 4])
@pytest.mark.parametrize(("encoding", "luma_first"), [
    ("uyvy", False), ("yuv422", False), ("yuyv", True), ("yuv422_yuy2", True),
])  # fmt: skip
@pytest.mark.parametrize("size", [(6, 8), (5, 8), (1, 2)])
def test_bgr_converts_yuv_422_under_both_names(encoding, luma_first, padding, size):
    luma, chroma = _yuv(*size)
    u, v = (chroma[..., i].repeat(2, 0).repeat(2, 1)[: size[0], : size[1]] for i in (0, 1))
    alternating = np.where(np.arange(size[1]) % 2 == 0, u, v)
    pixels = np.dstack([luma, alternating] if luma_first else [alternating, luma])
    raw = _raw(pixels, encoding, padding)
    assert np.array_equal(encodings.gray(raw), luma)
    assert np.abs(encodings.bgr(raw) - _bt601(luma, u, v)).max() < 2


@pytest.mark.parametrize("padding", [0, 2])
@pytest.mark.parametrize("encoding", ["nv12", "nv21"])
@pytest.mark.parametrize("size", [(6, 8), (5, 8), (6, 7), (5, 7)])
def test_bgr_converts_yuv_420_at_even_and_odd_sizes(encoding, padding, size):
    luma, chroma = _yuv(*size)
    pairs = chroma if encoding == "nv12" else chroma[..., ::-1]
    chroma_rows = pairs.reshape(len(pairs), -1)
    step = chroma_rows.shape[1] + padding
    rows = [np.pad(plane, ((0, 0), (0, step - plane.shape[1]))) for plane in (luma, chroma_rows)]
    raw = RawImage(np.concatenate(rows).tobytes(), *size, encoding, step)
    u, v = (chroma[..., i].repeat(2, 0).repeat(2, 1)[: size[0], : size[1]] for i in (0, 1))
    assert np.array_equal(encodings.gray(raw), luma)
    assert np.abs(encodings.bgr(raw) - _bt601(luma, u, v)).max() < 2


def test_bgr_converts_yuv_444():
    luma, chroma = _random(HEIGHT, WIDTH), _random(HEIGHT, WIDTH, 2)
    raw = RawImage(luma.tobytes() + chroma.tobytes(), HEIGHT, WIDTH, "nv24", WIDTH)
    assert np.array_equal(encodings.gray(raw), luma)
    assert np.abs(encodings.bgr(raw) - _bt601(luma, chroma[..., 0], chroma[..., 1])).max() < 2


@pytest.mark.parametrize("encoding", ["uyvy", "yuyv"])
def test_bgr_completes_the_chroma_of_an_odd_column(encoding):
    flat = np.full((4, 8, 2), (90, 160) if encoding == "uyvy" else (160, 90), np.uint8)
    even = encodings.bgr(_raw(flat, encoding))
    whole = RawImage(flat.tobytes(), 4, 7, encoding, 16)
    cut = _raw(flat[:, :7], encoding)
    for raw in (whole, cut):
        assert encodings.bgr(raw).shape == (4, 7, 3)
        assert np.array_equal(encodings.bgr(raw), even[:, :7])


@pytest.mark.parametrize("encoding", encodings.SUPPORTED)
@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 2), (2, 1), (3, 3), (1, 9), (9, 1)])
def test_gray_and_bgr_convert_tiny_images(encoding, height, width):
    step = width * encodings.pixel_bytes(encoding)
    raw = RawImage(bytes(3 * step * height), height, width, encoding, step)
    assert encodings.gray(raw).shape == (height, width)
    assert encodings.bgr(raw).shape == (height, width, 3)
    assert encodings.gray(raw).dtype == encodings.bgr(raw).dtype == np.uint8


@pytest.mark.parametrize("encoding", ["bgr8", "nv12", "yuyv"])
def test_gray_converts_8k_images(encoding):
    height, width = 4320, 7680
    step = width * encodings.pixel_bytes(encoding)
    data = np.full(step * height * 3 // 2, 77, np.uint8)
    assert encodings.gray(RawImage(data, height, width, encoding, step))[-1, -1] == 77


@pytest.mark.parametrize(
    ("encoding", "convert"),
    [
        *((name, encodings.gray) for name in ("mono8", "8UC1", "nv12", "nv21", "nv24")),
        *((name, encodings.bgr) for name in ("bgr8", "8UC3")),
    ],
)
def test_gray_and_bgr_do_not_copy_without_need(encoding, convert):
    step = WIDTH * encodings.pixel_bytes(encoding) + 4
    data = array.array("B", bytes(3 * step * HEIGHT))
    image = convert(RawImage(data, HEIGHT, WIDTH, encoding, step))
    data[step + 1] = 200
    assert 200 in image[1]


@pytest.mark.parametrize("convert", [encodings.gray, encodings.bgr])
@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"data": bytes(143)}, ["143", "144", "24"]),
        ({"data": b""}, ["0 bytes", "144"]),
        ({"data": [0] * 144}, ["list"]),
        ({"height": 0}, ["no pixels", "8 wide", "0 high"]),
        ({"width": 0}, ["no pixels", "0 wide"]),
        ({"step": 23}, ["step is 23", "8 pixels", "24"]),
        ({"encoding": "bgr"}, ["'bgr'", "did you mean", "bgr8"]),
        ({"encoding": "RGB8"}, ["'RGB8'", "rgb8"]),
        ({"encoding": ""}, ["''", "supported: ", "mono8"]),
        ({"encoding": "16UC1", "step": 16}, ["16UC1", "depth"]),
        ({"encoding": "32FC1", "step": 32}, ["32FC1", "depth"]),
        ({"encoding": "nv12", "step": 8, "data": bytes(71)}, ["71", "72"]),
        ({"encoding": "nv24", "step": 8, "data": bytes(143)}, ["143", "144"]),
    ],
)
def test_conversion_error_names_the_reason(convert, fields, words):
    good = {"data": bytes(144), "height": HEIGHT, "width": WIDTH, "encoding": "bgr8", "step": 24}
    with pytest.raises(ImageError) as failure:
        convert(RawImage(**{**good, **fields}))
    assert all(word in str(failure.value) for word in words), failure.value


@pytest.fixture(scope="module")
def photo():
    """Return a smooth image, which JPEG hardly changes: (120, 160, 3) uint8."""
    y, x = np.mgrid[0:120, 0:160]
    return np.dstack([x, 255 - y * 2, (x + y) // 2]).astype(np.uint8)


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_decode_reads_jpeg_and_png(photo, suffix):
    data = array.array("B", cv2.imencode(suffix, photo)[1].tobytes())
    assert np.abs(encodings.decode_bgr(data).astype(int) - photo).mean() < 2
    assert np.abs(encodings.decode_gray(data).astype(int) - cv2.cvtColor(photo, cv2.COLOR_BGR2GRAY)).mean() < 2


def test_decode_bgr_gives_three_channels_for_a_gray_jpeg(photo):
    data = cv2.imencode(".jpg", photo[..., 0])[1].tobytes()
    assert encodings.decode_bgr(data).shape == (120, 160, 3)
    assert encodings.decode_gray(data).shape == (120, 160)


def test_decode_allows_padding_after_a_jpeg(photo):
    data = cv2.imencode(".jpg", photo)[1].tobytes() + bytes(100)
    assert encodings.decode_gray(data).shape == (120, 160)


def test_decode_ignores_the_orientation_tag(photo):
    jpeg = cv2.imencode(".jpg", photo)[1].tobytes()
    tag = bytes.fromhex("0112 0003 00000001 0006 0000")  # orientation 6: rotate by 90 degrees to view
    exif = b"Exif\0\0MM\0*" + bytes.fromhex("00000008 0001") + tag + bytes(4)
    turned = jpeg[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + jpeg[2:]
    assert cv2.imdecode(np.frombuffer(turned, np.uint8), cv2.IMREAD_COLOR).shape == (160, 120, 3)
    assert encodings.decode_bgr(turned).shape == (120, 160, 3)


@pytest.mark.parametrize("decode", [encodings.decode_gray, encodings.decode_bgr])
@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize("keep", [0.02, 0.5, 0.97])
def test_decode_rejects_truncated_files(photo, decode, suffix, keep):
    data = cv2.imencode(suffix, photo)[1].tobytes()
    with pytest.raises(ImageError, match=str(int(len(data) * keep))):
        decode(data[: int(len(data) * keep)])


@pytest.mark.parametrize("data", [b"", b"\0" * 50, b"not an image", b"\xff\xd8\xff\xd9"])
def test_decode_rejects_files_that_are_not_images(data):
    with pytest.raises(ImageError, match="compressed image"):
        encodings.decode_bgr(data)


@pytest.mark.parametrize(("bits", "encoding"), [(10, "mono16"), (12, "mono16"), (14, "mono16"), (12, "bayer_rggb16")])
@pytest.mark.parametrize("convert", [encodings.gray, encodings.bgr])
def test_16_bit_samples_are_scaled_by_the_bits_they_hold(bits, encoding, convert):
    eight = np.full((HEIGHT, WIDTH), 120, np.uint16)
    eight[0, 0] = 255
    full = convert(_raw(eight * 257, encoding))
    partial = convert(_raw(np.rint(eight * ((2**bits - 1) / 255)).astype(np.uint16), encoding))
    assert np.abs(full.astype(int) - partial).max() <= 1
    assert partial[-1, -1].max() == 120


@pytest.mark.parametrize("encoding", encodings.SUPPORTED)
@pytest.mark.parametrize(("height", "width"), [(1, 3), (2, 2), (4, 6), (5, 7)])
def test_last_row_may_lack_its_padding(encoding, height, width):
    step = (width + 1) * encodings.pixel_bytes(encoding) + 8
    rows = {"nv12": height + height // 2, "nv21": height + height // 2, "nv24": 3 * height}.get(encoding, height)
    data = _random(rows * step)
    whole = RawImage(data, height, width, encoding, step)
    row = width * encodings.pixel_bytes(encoding)
    if encoding in ("nv12", "nv21") and height > 1:
        row = (width + 1) // 2 * 2
    if encoding == "nv24":
        row = 2 * width - step  # a row of chroma has two steps
    cut = RawImage(data[: (rows - 1) * step + row], height, width, encoding, step)
    for convert in (encodings.gray, encodings.bgr):
        image = convert(cut)
        assert image.shape[:2] == (height, width)
        if encoding not in ("uyvy", "yuyv", "yuv422", "yuv422_yuy2") or width % 2 == 0:
            assert np.array_equal(image, convert(whole))
    with pytest.raises(ImageError, match="need"):
        encodings.gray(RawImage(cut.data[:-1], height, width, encoding, step))


def test_images_above_the_pixel_limit_are_refused():
    raw = RawImage(bytes(12), 3, 4, "mono8", 4)
    assert encodings.gray(raw, max_pixels=12).shape == (3, 4)
    with pytest.raises(ImageError, match="4x3 pixels; the limit is") as raised:
        encodings.gray(raw, max_pixels=11)
    assert raised.value.kind == "too large"


def test_unknown_encoding_is_logged_on_one_short_line():
    with pytest.raises(ImageError) as raised:
        encodings.check(RawImage(b"", 1, 1, "rgb8\n\x1b[31m[FATAL]" + 100_000 * "x", 1))
    assert len(str(raised.value)) < 600
    assert str(raised.value).isprintable()
