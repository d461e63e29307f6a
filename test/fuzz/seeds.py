# SPDX-License-Identifier: Apache-2.0
"""Small valid inputs, from which mutations are derived."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

import cv2
import numpy as np

_NOISE = np.random.default_rng(1).integers(0, 255, (16, 24, 3), np.uint8)
_SMOOTH = np.dstack([np.add.outer(np.arange(16), np.arange(24)).astype(np.uint8) * 6] * 3)


def chunk(kind: bytes, content: bytes) -> bytes:
    """Return a chunk of a PNG."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _png(depth: int, color: int, interlaced: int, *before: bytes) -> bytes:
    """Return a PNG of 24x16 pixels that OpenCV does not write."""
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[color]
    rows = [(3, 2), (3, 2), (2, 3), (6, 3), (4, 6), (12, 6), (8, 24)] if interlaced else [(16, 24)]
    data = b"".join(h * (b"\1" + bytes((w * samples * depth + 7) // 8)) for h, w in rows)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 24, 16, depth, color, 0, 0, interlaced))
    palette = chunk(b"PLTE", bytes(48)) if color == 3 else b""
    parts = [header, *before, palette, chunk(b"IDAT", zlib.compress(data)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _exif_jpeg() -> bytes:
    jpeg = cv2.imencode(".jpg", _SMOOTH)[1].tobytes()
    tag = bytes.fromhex("0112 0003 00000001 0006 0000")
    exif = b"Exif\0\0MM\0*" + bytes.fromhex("00000008 0001") + tag + bytes(4)
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]


def jpeg_and_png() -> list[bytes]:
    """Return images as messages have them: of every coding, depth and number of channels; some are refused."""
    images = [
        cv2.imencode(".jpg", image, list(options))[1].tobytes()
        for image in (_NOISE, _SMOOTH, _SMOOTH[..., 0])
        for options in (
            (),
            (cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
            (cv2.IMWRITE_JPEG_RST_INTERVAL, 1),
            (cv2.IMWRITE_JPEG_QUALITY, 20, cv2.IMWRITE_JPEG_OPTIMIZE, 1),
        )
    ]
    images.append(_exif_jpeg())
    kinds = _NOISE, _SMOOTH[..., 0], _SMOOTH.astype(np.uint16) * 256, np.dstack([_NOISE, _NOISE[..., :1]])
    images += [cv2.imencode(".png", image)[1].tobytes() for image in kinds]
    images += [_png(*kind) for kind in ((1, 0, 0), (4, 3, 0), (16, 4, 0), (8, 2, 1), (2, 3, 1), (8, 6, 1))]
    extra = [chunk(b"tRNS", bytes(6)), chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(200))), chunk(b"gAMA", bytes(4))]
    images.append(_png(8, 2, 0, *extra))
    images.append(
        _png(8, 2, 0, chunk(b"eXIf", b"MM\0*" + bytes(30)), chunk(b"tEXt", b"a\0b"), chunk(b"bKGD", bytes(6)))
    )
    animation = (
        chunk(b"acTL", struct.pack(">II", 2, 0)),
        chunk(b"fcTL", struct.pack(">5I2H2B", 0, 24, 16, 0, 0, 1, 10, 0, 0)),
    )
    images.append(_png(8, 2, 0, *animation))
    return images


def files() -> list[bytes]:
    """Return images as files have them: those of messages, BMP, PNM, and formats that are refused."""
    images = jpeg_and_png()
    images += [cv2.imencode(".bmp", image)[1].tobytes() for image in (_NOISE, _NOISE[..., 0])]
    for binary in (0, 1):
        options = [cv2.IMWRITE_PXM_BINARY, binary]
        images += [
            cv2.imencode(".ppm", image, options)[1].tobytes() for image in (_NOISE, _NOISE.astype(np.uint16) * 9)
        ]
        images += [cv2.imencode(suffix, _NOISE[..., 0], options)[1].tobytes() for suffix in (".pgm", ".pbm")]
    return [*images, *(cv2.imencode(suffix, _NOISE)[1].tobytes() for suffix in (".webp", ".tiff"))]


def _npz(compression: int, **arrays: np.ndarray) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, array in arrays.items():
            content = io.BytesIO()
            np.lib.format.write_array(content, array)
            archive.writestr(f"{name}.npy", content.getvalue())
    return stream.getvalue()


def npz() -> list[bytes]:
    """Return data sets as .npz files."""
    arrays = {
        "pixels": np.zeros((7, 4, 4), np.uint8),
        "label": np.arange(7, dtype=np.uint8),
        "usage": np.zeros(7, np.uint8),
    }
    votes = {"ferplus_votes": np.ones((7, 10), np.uint8), "source": np.zeros(7, np.uint8)}
    return [_npz(kind, **arrays, **more) for kind in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for more in ({}, votes)]


def lists() -> list[bytes]:
    """Return lists of images; the only one that exists is a.png."""
    return [b"path,label,split\na.png,happy,train\na.png,anger,PublicTest\n", b"label,path\nsad,a.png\n\nhapy,b.png\n"]


def boxes() -> list[bytes]:
    """Return lists of labeled boxes in the formats of WIDER FACE and FDDB."""
    return [
        b"0--A/a.jpg\n2\n449 330 122 149 0 0 0 0 0 0\n7 22 7 8 2 0 0 1 0 0\n0--A/b.jpg\n0\n0 0 0 0 0 0 0 0 0 0\n",
        b"2002/08/11/big/img_591\n1\n123.5833 85.5495 1.265839 269.6934 161.7812  1\n2002/a\n0\n",
        b"a.png\n1\n1 2 3 4\n",
    ]


def csv() -> list[bytes]:
    """Return tables in the form of FER2013's."""
    rows = [f"{target},{' '.join(['7'] * 2304)},{usage}" for target, usage in enumerate(("Training", "PublicTest"))]
    table = "\n".join(["emotion,pixels,Usage", *rows]) + "\n"
    return [table.encode(), table.replace("\n", "\r\n").encode("utf-8-sig"), table[:300].encode()]


CASCADE = b"""<?xml version="1.0"?>
<opencv_storage><cascade type_id="opencv-cascade-classifier"><stageType>BOOST</stageType><featureType>HAAR</featureType>
<height>24</height><width>20</width><stageParams><maxWeakCount>1</maxWeakCount></stageParams>
<featureParams><maxCatCount>0</maxCatCount></featureParams><stageNum>1</stageNum>
<stages><_><maxWeakCount>1</maxWeakCount><stageThreshold>-1.5e-01</stageThreshold><weakClassifiers><_>
<internalNodes>1 0 0 -3.1e-02 -1 -2 1 4.5e-02</internalNodes><leafValues>2.06 -5.01 1.5</leafValues></_>
</weakClassifiers></_></stages>
<features><_><rects><_>2 3 12 9 -1.</_><_>6 4 4 9 3.</_></rects></_>
<_><rects><_>9 2 4 8 -1.</_></rects><tilted>1</tilted></_></features></cascade></opencv_storage>
"""
LBP_CASCADE = b"""<?xml version="1.0"?>
<opencv_storage><cascade><stageType>BOOST</stageType><featureType>LBP</featureType><height>24</height><width>24</width>
<stageParams><maxWeakCount>1</maxWeakCount></stageParams><featureParams><maxCatCount>256</maxCatCount></featureParams>
<stageNum>1</stageNum><stages><_><maxWeakCount>1</maxWeakCount><stageThreshold>-0.75</stageThreshold><weakClassifiers><_>
<internalNodes>0 -1 0 -67130709 -21569 -1426120013 -1275125205 -21585 -16385 587145899 -24005</internalNodes>
<leafValues>-0.65 0.88</leafValues></_></weakClassifiers></_></stages>
<features><_><rect>0 0 8 8</rect></_></features></cascade></opencv_storage>
"""


def cascades() -> list[bytes]:
    """Return the smallest cascades of either kind of features."""
    return [CASCADE, LBP_CASCADE]


def recipes() -> list[bytes]:
    """Return recipes as YAML."""
    return [
        b"network: mini_xception\nepochs: 3\nlearning_rate: 5e-4\naugmentation: {rotation: 10, erase: 0.2}\n",
        b"network: mini_xception\nteachers: [a.pt, b]\nstages:\n- {name: a, epochs: 2}\n- name: b\n  init_from: a\n",
        b"network: &x mini_xception\nepochs: !!int '3'\nseed: 0x1F\npreprocessing: {std: .inf}\n",
    ]
