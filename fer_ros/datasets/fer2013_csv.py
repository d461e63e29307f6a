# SPDX-License-Identifier: Apache-2.0
"""FER2013's official table (Goodfellow et al. 2013): `emotion,pixels,Usage`, one 48x48 image per row.

Without the column Usage, as in the competition's train.csv, every image is for training. FERPlus' own table,
`fer2013new.csv`, may be given beside the official one: its rows are those of that table, in the same order.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from fer_ros.datasets import ferplus
from fer_ros.datasets.csv_table import Row, rows_of
from fer_ros.datasets.face_images import SPLITS, DataError, FaceImages, resize_all
from fer_ros.emotion.labels import FER2013
from fer_ros.text import printable

_SPLIT_OF_USAGE = {"Training": "training", "PublicTest": "public", "PrivateTest": "private"}
_SPLIT_OF_LOWER = {usage.lower(): split for usage, split in _SPLIT_OF_USAGE.items()}
_CLASSES = {str(number) for number in range(len(FER2013))}
_SIZE = 48


class Fer2013CsvReader:
    """Reads one .csv file, or two of which one is FERPlus' table of votes."""

    def matches(self, paths: Sequence[Path]) -> bool:
        if not all(path.suffix.lower() == ".csv" for path in paths):
            return False
        return len(paths) == 1 or (len(paths) == 2 and any(map(ferplus.is_ferplus, paths)))

    def read(self, paths: Sequence[Path], image_size: int) -> FaceImages:
        tables = [path for path in paths if not ferplus.is_ferplus(path)]
        if not tables:
            raise DataError(f"{paths[0]}: has FERPlus' votes, but no pixels; give FER2013's table beside it")
        images = read(tables[0], image_size)
        votes = next((path for path in paths if path not in tables), None)
        return _with_votes(images, tables[0], votes) if votes else images


def read(path: Path, image_size: int) -> FaceImages:
    """Return every row of the table, as an image scaled to (image_size, image_size).

    Upper and lower case are the same in the header and in `Usage`; a byte order mark and blank lines are skipped.

    Raises:
        DataError: names the file, the row (counted from 1 at the header, as in an editor) and its fault.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)  # NumPy before 2.3 only warns about text among the numbers
        faces = [_face(row) for row in rows_of(path, ("emotion", "pixels"), ("Usage",))]
    if not faces:
        raise DataError(f"{path}: the table has no rows")
    targets, pixels, splits = zip(*faces, strict=True)
    return FaceImages(
        pixels=resize_all(np.stack(pixels), image_size),
        targets=np.array(targets, np.int64),
        labels=FER2013,
        splits=np.array(splits, np.uint8),
    )


def _with_votes(images: FaceImages, table: Path, path: Path) -> FaceImages:
    """Return the images with the votes in FERPlus' table `path`."""
    usages, votes = ferplus.read_votes(path)
    if len(usages) != len(images):
        raise DataError(
            f"{path}: has {len(usages)} rows, but {table} has {len(images)}: they must be of the same images"
        )
    for number, (usage, split) in enumerate(zip(usages, images.splits, strict=True), start=2):
        if _SPLIT_OF_LOWER.get(usage) != SPLITS[split]:
            raise DataError(
                f"{path}, row {number}: Usage is '{printable(usage, 20)}', but {table} has the split {SPLITS[split]} "
                "there: the tables must have the same order"
            )
    return replace(images, crowd_votes=ferplus.vote_shares(votes))


def _face(row: Row) -> tuple[int, np.ndarray, int]:
    """Return target, (48, 48) uint8 pixels and split of one row."""
    emotion = row.cells["emotion"]
    if emotion not in _CLASSES:
        raise DataError(f"{row.place}: emotion '{printable(emotion, 20)}' is not 0 to {len(FER2013) - 1}")
    return int(emotion), _pixels(row.place, row.cells["pixels"]), SPLITS.index(_split(row))


def _split(row: Row) -> str:
    usage = row.cells.get("usage", "Training")
    split = _SPLIT_OF_LOWER.get(usage.lower())
    if split is None:
        raise DataError(f"{row.place}: Usage '{printable(usage, 20)}' is not one of {', '.join(_SPLIT_OF_USAGE)}")
    return split


def _pixels(place: str, text: str) -> np.ndarray:
    try:
        values = np.fromstring(text, np.int64, sep=" ")
    except (ValueError, DeprecationWarning):
        wrong = next((word for word in text.split() if not word.isdecimal()), text)
        raise DataError(f"{place}: pixel '{printable(wrong, 20)}' is not a whole number") from None
    if len(values) != _SIZE * _SIZE:
        raise DataError(f"{place}: has {len(values)} pixels, not {_SIZE * _SIZE}")
    if values.min() < 0 or values.max() > 255:
        raise DataError(f"{place}: a pixel lies outside 0 to 255")
    return values.astype(np.uint8).reshape(_SIZE, _SIZE)
