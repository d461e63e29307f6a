# SPDX-License-Identifier: Apache-2.0
"""Functions that read one input of unknown origin, and the errors that they may raise."""

from __future__ import annotations

import math
import struct
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from fer_ros.datasets import face_boxes, image_list, registry
from fer_ros.datasets.registry import DataError
from fer_ros.emotion.model_file import ModelFileError
from fer_ros.media import encodings
from fer_ros.media.encodings import RawImage
from fer_ros.media.image_files import decode_image
from fer_ros.media.image_header import FILE_FORMATS, ImageError
from fer_ros.people.camera_model import CameraModel
from fer_ros.text import printable
from fer_ros.training import recipe
from fer_ros.training.recipe import RecipeError
from fer_ros.types import Box
from fuzz import models, seeds

_ODD_ENCODINGS = ("", "bgr", "16UC1", "rgb8\n\x1b[2J")
_folder = Path(tempfile.mkdtemp(prefix="fer_ros_fuzz_"))


@dataclass(frozen=True)
class Target:
    """One reader."""

    run: Callable[[bytes], None]
    """Read one input; asserts what holds for every input that is not refused."""
    refusal: type[Exception]
    """Raised for an input that is refused; its message is one printable line."""
    seeds: Callable[[], list[bytes]]


def _compressed(content: bytes) -> None:
    gray = encodings.decode_gray(content)
    assert (gray.ndim, gray.dtype) == (2, np.uint8)
    bgr = encodings.decode_bgr(content)
    assert (bgr.shape, bgr.dtype) == ((*gray.shape, 3), np.uint8)


def _file(content: bytes) -> None:
    for gray in (True, False):
        image = decode_image(content, gray, formats=FILE_FORMATS, orient=True)
        assert (image.ndim, image.dtype) == (2 if gray else 3, np.uint8)


def _raw(content: bytes) -> None:
    encoding, bigendian, height, width, step = struct.unpack("<BBHHI", content[:10].ljust(10, b"\0"))
    names = (*encodings.SUPPORTED, *_ODD_ENCODINGS)
    data = content[10:]
    if bigendian & 2:  # otherwise hardly any image is complete
        height, width = height % 20, width % 20
        step = width * 8 + step % 9
    if bigendian & 6 == 6:
        data = (data or b"\0") * (1 + 3 * height * step // max(len(data), 1))
    raw = RawImage(data, height, width, names[encoding % len(names)], step, bool(bigendian & 1))
    for convert, shape in ((encodings.gray, (height, width)), (encodings.bgr, (height, width, 3))):
        image = convert(raw)
        assert (image.shape, image.dtype) == (shape, np.uint8)
        image.sum()


def _camera(content: bytes) -> None:
    counts = content[:4].ljust(4, b"\0")
    values = list(struct.unpack("<50d", content[4:404].ljust(400, b"\0")))
    boxes = struct.unpack("<4q", content[404:436].ljust(32, b"\0"))
    model = CameraModel(
        width=counts[0] * 8,
        height=counts[1] * 8,
        k=values[:9],
        d=values[9 : 9 + counts[2] % 15],
        distortion_model=("", "plumb_bob", "rational_polynomial", "equidistant")[counts[3] % 4],
        p=values[24:36],
        rectified=bool(counts[3] & 4),
    )
    for bits in (64, 32, 12):
        x, y, width, height = (value % (1 << bits) for value in boxes)
        position = model.position(Box(x - (1 << (bits - 1)), y, width, height), 0.15)
        assert position is None or all(math.isfinite(value) and abs(value) <= 1000 for value in position), position


def _cameras() -> list[bytes]:
    k = (500.0, 0, 320, 0, 500, 240, 0, 0, 1)
    p = (*k[:3], 0.0, *k[3:6], 0, *k[6:], 0)
    box = struct.pack("<4q", 300, 200, 100, 100)
    distortions = ((-0.3, 0.1, 0.001, 0.001, 0), (0.3, -0.1, 0, 0, 0.1, 0.6, 0, 0), (0.05, -0.01, 0.002, -0.001))
    return [
        bytes([80, 60, len(d), kind | rectified])
        + struct.pack("<50d", *k, *d, *bytes(15 - len(d)), *p, *bytes(14))
        + box
        for kind, d in enumerate(distortions, 1)
        for rectified in (0, 4)
    ]


def _raws() -> list[bytes]:
    return [
        struct.pack("<BBHHI", kind, flags, 9, 13, 5) + bytes(range(256)) for kind in range(40) for flags in (2, 6, 7)
    ]


def _data_set(suffix: str) -> Callable[[bytes], None]:
    path = _folder / f"input{suffix}"

    def read(content: bytes) -> None:
        path.write_bytes(content)
        faces = registry.read([path], 48)
        assert faces.pixels.shape == (max(len(faces), 1), 48, 48)
        assert np.isin(faces.targets, range(len(faces.labels))).all()
        assert faces.crowd_votes is None or np.isfinite(faces.crowd_votes).all()

    return read


def _list(content: bytes) -> None:
    path = _folder / "list.txt"
    cv2.imwrite(str(_folder / "a.png"), np.full((9, 9), 50, np.uint8))
    path.write_bytes(content)
    faces = image_list.read(path, 48)
    assert faces.pixels.shape == (len(faces), 48, 48)


def _boxes(content: bytes) -> None:
    path = _folder / "boxes.txt"
    path.write_bytes(content)
    for name, faces in face_boxes.read(path).items():
        assert not Path(name).is_absolute()
        assert all(box.area > 0 for box in faces.boxes)


def _recipe(content: bytes) -> None:
    path = _folder / "input.yaml"
    path.write_bytes(content)
    recipe.load(str(path))


TARGETS = {
    "compressed image": Target(_compressed, ImageError, seeds.jpeg_and_png),
    "image file": Target(_file, ImageError, seeds.files),
    "raw image": Target(_raw, ImageError, _raws),
    "camera_info": Target(_camera, ValueError, _cameras),
    "npz": Target(_data_set(".npz"), DataError, seeds.npz),
    "csv": Target(_data_set(".csv"), DataError, seeds.csv),
    "image list": Target(_list, DataError, seeds.lists),
    "labeled boxes": Target(_boxes, DataError, seeds.boxes),
    "recipe": Target(_recipe, RecipeError, seeds.recipes),
    "cascade": Target(models.read_cascade, ValueError, seeds.cascades),
    "model metadata": Target(models.read_metadata, ModelFileError, models.metadata),
    "TorchScript code": Target(models.read_code, ModelFileError, models.code),
    "TorchScript objects": Target(models.read_objects, ModelFileError, models.objects),
    "TorchScript file": Target(models.read_archive, ModelFileError, models.archives),
    **({"ONNX file": Target(models.read_onnx, ModelFileError, models.onnx)} if models.onnx() else {}),
}


def run(name: str, content: bytes) -> bool:
    """Read one input; return whether it was accepted.

    Raises:
        AssertionError: the input was accepted, but the result is wrong; or the refusal is not one short line.
        Exception: the reader raised something else than a refusal.
    """
    target = TARGETS[name]
    try:
        target.run(content)
    except target.refusal as error:
        message = str(error)
        assert message == printable(message, 2000) != "", message
        return False
    return True
