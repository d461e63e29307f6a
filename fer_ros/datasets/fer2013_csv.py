# SPDX-License-Identifier: Apache-2.0
"""FER2013's official table (Goodfellow et al. 2013): `emotion,pixels,Usage`, one 48x48 image per row."""

from __future__ import annotations

import csv
import io
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

import numpy as np

from fer_ros.datasets.face_images import SPLITS, DataError, FaceImages, resize_all
from fer_ros.emotion.labels import FER2013
from fer_ros.files import open_regular_file
from fer_ros.text import printable

_SPLIT_OF_USAGE = {"Training": "training", "PublicTest": "public", "PrivateTest": "private"}
_SPLIT_OF_LOWER = {usage.lower(): split for usage, split in _SPLIT_OF_USAGE.items()}
_COLUMNS = ("emotion", "pixels", "Usage")
_MAX_LINE = 1 << 17
"""Characters; FER2013's rows have up to 9,250. A file without line breaks is not read to its end."""
_CLASSES = {str(number) for number in range(len(FER2013))}
_SIZE = 48


class Fer2013CsvReader:
    """Reads one .csv file."""

    def matches(self, paths: Sequence[Path]) -> bool:
        return len(paths) == 1 and paths[0].suffix.lower() == ".csv"

    def read(self, paths: Sequence[Path], image_size: int) -> FaceImages:
        return read(paths[0], image_size)


def read(path: Path, image_size: int) -> FaceImages:
    """Return every row of the table, as an image scaled to (image_size, image_size).

    Upper and lower case are the same in the header and in `Usage`; a byte order mark and blank lines are skipped.

    Raises:
        DataError: names the file, the row (counted from 1 at the header, as in an editor) and its fault.
    """
    with _open(path) as file, warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)  # NumPy before 2.3 only warns about text among the numbers
        rows = csv.reader(_lines(file))
        number = 1
        try:
            at = _columns(path, next(rows, []))
            faces = []
            for row in rows:
                number, first_line = rows.line_num, number + 1
                if any(cell.strip() for cell in row):
                    faces.append(_face(f"{path}, row {first_line}", row, at))
        except (UnicodeDecodeError, csv.Error) as error:
            raise DataError(f"{path}, row {number + 1}: not a readable csv ({printable(error, 200)})") from error
    if not faces:
        raise DataError(f"{path}: the table has no rows")
    targets, pixels, splits = zip(*faces, strict=True)
    return FaceImages(
        pixels=resize_all(np.stack(pixels), image_size),
        targets=np.array(targets, np.int64),
        labels=FER2013,
        splits=np.array(splits, np.uint8),
    )


def _open(path: Path) -> TextIO:
    try:
        return io.TextIOWrapper(open_regular_file(path), encoding="utf-8-sig", newline="")
    except OSError as error:
        raise DataError(str(error)) from error


def _lines(file: TextIO) -> Iterator[str]:
    while line := file.readline(_MAX_LINE):
        if len(line) == _MAX_LINE:
            raise csv.Error(f"a line of more than {_MAX_LINE} characters")
        yield line


def _columns(path: Path, header: list[str]) -> list[int]:
    """Return the indices of emotion, pixels and Usage in a row."""
    names = [name.strip().lower() for name in header]
    missing = [name for name in _COLUMNS if name.lower() not in names]
    if missing:
        raise DataError(f"{path}, row 1: no column '{missing[0]}'; FER2013 has {','.join(_COLUMNS)}")
    return [names.index(name.lower()) for name in _COLUMNS]


def _face(where: str, row: list[str], at: list[int]) -> tuple[int, np.ndarray, int]:
    """Return target, (48, 48) uint8 pixels and split of one row."""
    if len(row) <= max(at):
        raise DataError(f"{where}: has {len(row)} columns, not {max(at) + 1}")
    emotion, text, usage = (row[column].strip() for column in at)
    if emotion not in _CLASSES:
        raise DataError(f"{where}: emotion '{printable(emotion, 20)}' is not 0 to {len(FER2013) - 1}")
    split = _SPLIT_OF_LOWER.get(usage.lower())
    if split is None:
        raise DataError(f"{where}: Usage '{printable(usage, 20)}' is not one of {', '.join(_SPLIT_OF_USAGE)}")
    try:
        values = np.fromstring(text, np.int64, sep=" ")
    except (ValueError, DeprecationWarning):
        wrong = next((word for word in text.split() if not word.isdecimal()), text)
        raise DataError(f"{where}: pixel '{printable(wrong, 20)}' is not a whole number") from None
    if len(values) != _SIZE * _SIZE:
        raise DataError(f"{where}: has {len(values)} pixels, not {_SIZE * _SIZE}")
    if values.min() < 0 or values.max() > 255:
        raise DataError(f"{where}: a pixel lies outside 0 to 255")
    return int(emotion), values.astype(np.uint8).reshape(_SIZE, _SIZE), SPLITS.index(split)
