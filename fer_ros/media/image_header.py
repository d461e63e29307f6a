# SPDX-License-Identifier: Apache-2.0
"""Checks an image file's header and structure before a decoder reads it.

A decoder trusts the sizes that a file claims: a few hundred bytes can make it allocate gigabytes, and OpenCV's PNG
decoder ends the process on some animated files. Here the format is recognized by its signature, the structure is
walked, and a file passes only if its size is plausible for its number of bytes.

Sources: ITU-T T.81 (JPEG); W3C, "Portable Network Graphics", Third Edition; the Netpbm manual; Microsoft's
BITMAPINFOHEADER.
"""

from __future__ import annotations

import re
import struct
from typing import NamedTuple

MAX_PIXELS = 64_000_000
"""Default limit of width x height."""
STREAM_FORMATS = ("JPEG", "PNG")
"""Formats of compressed images in messages, as image_transport writes them."""
FILE_FORMATS = ("JPEG", "PNG", "BMP", "PNM")
"""Formats of image files."""

_MAX_SCANS = 64
"""Scans of a progressive JPEG; encoders write about ten."""
_MAX_SCANS_OF_LARGEST = 10
"""Each scan costs a pass over all pixels, so that fewer are allowed in larger images; this many at the pixel limit."""
_JPEG_PIXELS_PER_BYTE = 1024
"""A block of 8x8 pixels takes at least one bit, so that no valid JPEG has more pixels per byte than 512."""
_PNG_BYTES_PER_BYTE = 1040
"""Deflate compresses by a factor of 1032 at most."""

_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]")
"""A marker with a segment, or the end marker: no stuffed byte, fill byte, restart or start of an image."""
_SOS, _EOI = 0xDA, 0xD9
_SEQUENTIAL = (0xC0, 0xC1)
"""Frame headers of images without progression, as cameras send them."""
_NOT_FRAME_HEADERS = (0xC4, 0xC8, 0xCC)
"""Markers between SOF0 and SOF15 that are none."""

_JPEG, _PNG, _BMP = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM"
_PNM = re.compile(rb"P([1-6])(?:[ \t\r\n]|#[^\r\n]{0,500}[\r\n]){1,100}(\d{1,5})[ \t\r\n]{1,9}(\d{1,5})[ \t\r\n]")
_PNM_MAXIMUM = re.compile(rb"[ \t\r\n]{0,9}(\d{1,5})[ \t\r\n]")
_PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Samples per pixel by color type."""
_OTHERS = {
    b"GIF8": "GIF",
    b"II*\x00": "TIFF",
    b"MM\x00*": "TIFF",
    b"II+\x00": "BigTIFF",
    b"MM\x00+": "BigTIFF",
    b"\x76\x2f\x31\x01": "OpenEXR",
    b"#?RADIANCE": "Radiance HDR",
    b"#?RGBE": "Radiance HDR",
    b"\x00\x00\x00\x0cjP  ": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
    b"\xff\x0a": "JPEG XL",
    b"\x00\x00\x00\x0cJXL ": "JPEG XL",
    b"\x59\xa6\x6a\x95": "Sun raster",
    b"P7": "PAM",
    b"PF": "PFM",
    b"Pf": "PFM",
    b"%PDF": "PDF",
    b"<svg": "SVG",
    b"\x1f\x8b": "gzip",
}


class ImageError(ValueError):
    """An image that cannot be read or converted; the message gives the reason with its numbers.

    Args:
        message: the reason.
        kind: a short fixed text; errors of one kind differ only in their numbers, so that a log can count them.
    """

    def __init__(self, message: str, kind: str = "image"):
        super().__init__(message)
        self.kind = kind


class ImageHeader(NamedTuple):
    """Format and size that a file claims."""

    format: str
    """One of `FILE_FORMATS`."""
    width: int
    """Pixels."""
    height: int
    """Pixels."""


def check_header(
    content: bytes, max_pixels: int = MAX_PIXELS, formats: tuple[str, ...] = STREAM_FORMATS
) -> ImageHeader:
    """Return format and size of an image that is safe to decode.

    Args:
        content: the whole file.
        max_pixels: largest width x height to accept.
        formats: those to accept, of `FILE_FORMATS`.

    Raises:
        ImageError: another format, animated, truncated, damaged in its structure, or larger than `max_pixels`.
    """
    if content.startswith(_JPEG) and "JPEG" in formats:
        header, scans = _jpeg_header(content)
    elif content.startswith(_PNG) and "PNG" in formats:
        header, scans = _png_header(content), 1
    elif content.startswith(_BMP) and "BMP" in formats:
        header, scans = _bmp_header(content), 1
    elif re.match(rb"P[1-6]\s", content) and "PNM" in formats:
        header, scans = _pnm_header(content), 1
    else:
        accepted = f"{', '.join(formats[:-1])} and {formats[-1]}"
        raise ImageError(f"it is {_name(content)}; {accepted} are supported: convert it to PNG", "format")
    pixels = header.width * header.height
    if pixels > max_pixels:
        raise ImageError(
            f"it has {header.width}x{header.height} pixels, {pixels / 1e6:.1f} million; "
            f"the limit is {max_pixels / 1e6:g} million",
            "too large",
        )
    if scans * pixels > _MAX_SCANS_OF_LARGEST * max(max_pixels, MAX_PIXELS):
        raise ImageError(f"it is a JPEG of {header.width}x{header.height} pixels in {scans} scans", "damaged")
    return header


def _name(content: bytes) -> str:
    if not content:
        return "empty"
    names = (name for signature, name in _OTHERS.items() if content.startswith(signature))
    if name := next(names, ""):
        return f"{'an' if name == 'OpenEXR' else 'a'} {name} file"
    if content.startswith(_BMP):
        return "a BMP file"
    if re.match(rb"P[1-6]\s", content):
        return "a PNM file"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "a WebP file"
    if content[4:8] == b"ftyp":
        return "an AVIF or HEIF file" if content[8:12] in (b"avif", b"avis", b"heic", b"mif1") else "a video file"
    return f"of an unknown format, starting with {content[:4].hex(' ')}"


def _check_size(header: ImageHeader, least: int, present: int) -> ImageHeader:
    """Return `header`, if `present` bytes can hold what it claims, which takes `least` bytes."""
    if 0 in (header.width, header.height):
        raise ImageError(f"it is a {header.format} of {header.width}x{header.height} pixels", "damaged")
    if least > present:
        raise ImageError(
            f"it is a {header.format} with {present} bytes of pixels, too few for the {header.width}x{header.height} "
            "pixels that it claims",
            "truncated",
        )
    return header


def _jpeg_header(content: bytes) -> tuple[ImageHeader, int]:
    """Walk the segments; return also the number of scans."""
    size: tuple[int, int] | None = None
    frame_header = components = scans = 0
    at, end = 2, len(content)
    truncated = ImageError(f"it is a JPEG truncated after {end} bytes: its end marker is missing", "truncated")
    while True:
        found = _MARKER.search(content, at)
        if found is None:
            raise truncated
        at = found.start()
        marker = content[at + 1]
        if marker == _EOI:
            break
        length = int.from_bytes(content[at + 2 : at + 4], "big")
        if length < 2 or at + 2 + length > end:
            raise ImageError(
                f"it is a JPEG truncated after {end} bytes or damaged: a segment of {length} bytes does not fit",
                "truncated",
            )
        if 0xC0 <= marker <= 0xCF and marker not in _NOT_FRAME_HEADERS:
            if size is not None:
                raise ImageError("it is a JPEG with more than one frame header", "damaged")
            if length < 11 or length < 8 + 3 * content[at + 9]:
                raise ImageError("it is a JPEG with a damaged frame header", "damaged")
            height, width, components = struct.unpack_from(">HHB", content, at + 5)
            size, frame_header = (width, height), marker
        at += 2 + length
        if marker == _SOS:
            scans += 1
            if scans > _MAX_SCANS:
                raise ImageError(f"it is a JPEG of more than {_MAX_SCANS} scans", "damaged")
            if frame_header in _SEQUENTIAL and length > 2 and content[at - length + 2] == components:
                # The only scan: no need to search its bytes, which takes longer than everything else here.
                if content.rfind(b"\xff\xd9", at) < 0:
                    raise truncated
                break
    if size is None or not scans:
        raise ImageError("it is a JPEG without a frame header or without pixels", "damaged")
    return _check_size(ImageHeader("JPEG", *size), size[0] * size[1] // _JPEG_PIXELS_PER_BYTE, end), scans


def _png_header(content: bytes) -> ImageHeader:
    """Walk all chunks; their checksums are left to the decoder."""
    header: ImageHeader | None = None
    row_bytes = data_bytes = 0
    at, end = len(_PNG), len(content)
    while True:
        if at + 12 > end:
            raise ImageError(f"it is a PNG truncated after {end} bytes: its end chunk is missing", "truncated")
        length, kind = int.from_bytes(content[at : at + 4], "big"), content[at + 4 : at + 8]
        if at + 12 + length > end:
            raise ImageError(
                f"it is a PNG truncated after {end} bytes or damaged: a chunk of {length} bytes does not fit",
                "truncated",
            )
        if (header is None) != (kind == b"IHDR"):
            raise ImageError("it is a PNG that does not start with one header chunk", "damaged")
        if kind == b"IHDR":
            if length != 13:
                raise ImageError("it is a PNG with a damaged header chunk", "damaged")
            width, height, depth, color = struct.unpack_from(">IIBB", content, at + 8)
            channels = _PNG_CHANNELS.get(color, 0)
            if max(width, height) >= 2**31 or not channels or depth not in (1, 2, 4, 8, 16):
                raise ImageError(f"it is a PNG of {width}x{height} pixels with a damaged header chunk", "damaged")
            header, row_bytes = ImageHeader("PNG", width, height), 1 + (width * channels * depth + 7) // 8
        elif kind in (b"acTL", b"fcTL", b"fdAT"):
            raise ImageError("it is an animated PNG; only still images are supported: convert it to PNG", "format")
        elif kind == b"IDAT":
            data_bytes += length
        elif kind == b"IEND":
            break
        at += 12 + length
    if header is None or not data_bytes:
        raise ImageError("it is a PNG without pixels", "damaged")
    return _check_size(header, header.height * row_bytes // _PNG_BYTES_PER_BYTE, data_bytes)


def _bmp_header(content: bytes) -> ImageHeader:
    """Accept bitmaps without compression, of Windows' header versions 3 to 5."""
    if len(content) < 54:
        raise ImageError(f"it is a BMP truncated after {len(content)} bytes", "truncated")
    start, size, width, height, planes, bits, compression = struct.unpack_from("<IIiiHHI", content, 10)
    if size not in (40, 52, 56, 108, 124) or planes != 1 or bits not in (8, 24, 32) or compression not in (0, 3):
        raise ImageError("it is a BMP of an unusual or compressed kind: convert it to PNG", "format")
    if compression == 3 and bits != 32:
        raise ImageError("it is a BMP with color masks and without 32 bits: convert it to PNG", "format")
    if width < 0 or start < 14 + size:
        raise ImageError("it is a BMP with a damaged header", "damaged")
    row_bytes = (width * bits + 31) // 32 * 4
    return _check_size(ImageHeader("BMP", width, abs(height)), row_bytes * abs(height), len(content) - start)


def _pnm_header(content: bytes) -> ImageHeader:
    """Accept PBM, PGM and PPM, as text and in binary."""
    found = _PNM.match(content)
    if found is None:
        raise ImageError("it is a PNM with a damaged header", "damaged")
    kind, width, height = (int(number) for number in found.groups())
    sample_bytes = 1
    start = found.end()
    if kind not in (1, 4):
        maximum = _PNM_MAXIMUM.match(content, start)
        if maximum is None or not 0 < int(maximum[1]) < 65536:
            raise ImageError("it is a PNM with a damaged header", "damaged")
        start, sample_bytes = maximum.end(), 1 if int(maximum[1]) < 256 else 2
    samples = height * width * (3 if kind in (3, 6) else 1)
    # In binary, a row of a bitmap is padded to whole bytes; as text, a sample has at least one digit.
    least = height * ((width + 7) // 8) if kind == 4 else samples * (sample_bytes if kind > 4 else 1)
    return _check_size(ImageHeader("PNM", width, height), least, len(content) - start)
