# SPDX-License-Identifier: Apache-2.0
"""Labeled boxes of faces, in the text formats of WIDER FACE and FDDB.

Both list, for each image, its name, the number of faces, and a line for each face:

    WIDER FACE (Yang et al. 2016)                    FDDB (Jain, Learned-Miller 2010)
    0--Parade/0_Parade_marchingband_1_849.jpg        2002/08/11/big/img_591
    1                                                1
    449 330 122 149 0 0 0 0 0 0                      123.58 85.55 1.27 269.69 161.78 1

A face of WIDER FACE is left, top, width, height, blur, expression, illumination, invalid, occlusion and pose; of an
image without faces there is one line of zeros. A face of FDDB is an ellipse: both radii, the angle of the larger one in
radians, the center, and 1; its box is the one around it. FDDB leaves out the suffix `.jpg`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from fer_ros.datasets.face_images import DataError
from fer_ros.files import open_regular_file
from fer_ros.text import printable
from fer_ros.types import Box

_ELLIPSE, _RECTANGLE, _WIDER_FACE = 6, 4, 10
"""Numbers in a line."""
_INVALID = 7
"""Position of the mark of faces that do not count."""
_MAX_LINE = 1000
_MAX_NAME = 200
"""Characters of a file or folder."""
_MAX_FACES = 10_000
"""Of one image; WIDER FACE has up to 2,000."""
_MAX_COORDINATE = 1e6


@dataclass(frozen=True)
class LabeledFaces:
    """The faces of one image."""

    boxes: tuple[Box, ...]
    ignored: tuple[Box, ...] = ()
    """Faces that need not be found, and are no mistake if they are: too small or unrecognizable."""


def read(path: Path) -> dict[str, LabeledFaces]:
    """Return the faces by the name of the image, in the order of the file.

    Raises:
        DataError: names the file, the line and its fault.
    """
    try:
        with open_regular_file(path) as file:
            text = file.read().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not a readable text ({printable(error, 200)})") from error
    lines = _Lines(path, text)
    images: dict[str, LabeledFaces] = {}
    while lines.left:
        name = _image_name(lines)
        images[name] = _faces(lines)
    if not images:
        raise DataError(f"{path}: lists no image")
    return images


class _Lines:
    """The lines of a file that are not blank, with the place for errors."""

    def __init__(self, path: Path, text: str):
        self._path = path
        self._number = 0
        self.left = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1) if line.strip()][::-1]
        """Number and text of the lines that were not taken yet, last first."""

    def take(self) -> str:
        if not self.left:
            raise self.error("the file ends, but another line was expected")
        self._number, text = self.left.pop()
        return text

    def skip_zeros(self) -> None:
        """Skip a line of zeros, which WIDER FACE has for an image without faces."""
        if self.left and set(self.left[-1][1]) == {"0", " "}:
            self.take()

    def error(self, reason: str) -> DataError:
        return DataError(f"{self._path}, line {self._number}: {reason}")


def _image_name(lines: _Lines) -> str:
    name = lines.take()
    path = PurePosixPath(name)
    if (
        max(map(len, path.parts), default=_MAX_LINE) > _MAX_NAME
        or len(name) > _MAX_LINE
        or not name.isprintable()
        or path.is_absolute()
        or ".." in path.parts
    ):
        raise lines.error(f"'{printable(name, 100)}' is not the name of an image below a folder")
    return name if path.suffix else f"{name}.jpg"


def _faces(lines: _Lines) -> LabeledFaces:
    text = lines.take()
    if not (text.isascii() and text.isdecimal() and len(text) < 6 and int(text) <= _MAX_FACES):
        raise lines.error(f"'{printable(text, 50)}' is not a number of faces")
    if int(text) == 0:
        lines.skip_zeros()
    faces = [_face(lines) for _ in range(int(text))]
    boxes, ignored = (tuple(box for box, counts in faces if counts == wanted) for wanted in (True, False))
    return LabeledFaces(boxes, ignored)


def _face(lines: _Lines) -> tuple[Box, bool]:
    """Return a box, and whether it counts."""
    text = lines.take()
    try:
        numbers = [float(word) for word in text[:_MAX_LINE].split()]
    except ValueError:
        numbers = []
    in_range = all(abs(number) < _MAX_COORDINATE for number in numbers)
    if not in_range or len(numbers) not in (_RECTANGLE, _ELLIPSE, _WIDER_FACE):
        raise lines.error(
            f"'{printable(text, 60)}' is no face, which has 10 numbers in WIDER FACE, 6 in FDDB, or left, top, width, "
            "height"
        )
    if len(numbers) == _ELLIPSE:
        box = _around_ellipse(*numbers[:5])
    else:
        left, top, width, height = (round(number) for number in numbers[:4])
        box = Box(left, top, max(width, 0), max(height, 0))
    return box, box.area > 0 and not (len(numbers) == _WIDER_FACE and numbers[_INVALID])


def _around_ellipse(major: float, minor: float, angle: float, x: float, y: float) -> Box:
    half_width = math.hypot(major * math.cos(angle), minor * math.sin(angle))
    half_height = math.hypot(major * math.sin(angle), minor * math.cos(angle))
    return Box(round(x - half_width), round(y - half_height), round(2 * half_width), round(2 * half_height))
