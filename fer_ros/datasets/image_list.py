# SPDX-License-Identifier: Apache-2.0
"""A list of image files with their labels: a csv with the columns `path` and `label`, and optionally `split`.

    path,label,split
    faces/ada.jpg,happy,training
    faces/bob.jpg,neutral,public

Relative paths start at the folder of the list. Labels are those of folders of images, with the same synonyms. Splits
are named as such folders are, or as FER2013 names them; without the column every image is for training.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from fer_ros.datasets import labeled_files
from fer_ros.datasets.csv_table import Row, header_of, rows_of
from fer_ros.datasets.face_images import DataError, FaceImages
from fer_ros.datasets.labeled_files import SPLIT_OF_NAME, VALIDATION, LabeledFile
from fer_ros.datasets.options import LabeledFilesOptions
from fer_ros.text import printable

_SUFFIXES = {".csv", ".txt"}
_COLUMNS = {"path", "label"}

_log = logging.getLogger(__name__)


class ImageListReader:
    """Reads one list."""

    def __init__(self, options: LabeledFilesOptions):
        self._options = options

    def matches(self, paths: Sequence[Path]) -> bool:
        return len(paths) == 1 and paths[0].suffix.lower() in _SUFFIXES and set(header_of(paths[0])) >= _COLUMNS

    def read(self, paths: Sequence[Path], image_size: int) -> FaceImages:
        return read(paths[0], image_size, self._options)


def read(path: Path, image_size: int, options: LabeledFilesOptions | None = None) -> FaceImages:
    """Return the images of a list, gray, scaled to (image_size, image_size).

    Raises:
        DataError: names the list, the row and its fault, or the image that cannot be read.
    """
    options = options or LabeledFilesOptions()
    rows = list(rows_of(path, ("path", "label"), ("split",)))
    validates = any(row.cells.get("split", "").lower() in VALIDATION for row in rows)
    files: list[LabeledFile] = []
    for row in rows:
        try:
            file = _file(path.parent, row, validates)
        except DataError as error:
            if not options.skip_faulty:
                raise
            _log.warning("left out: %s", error)
            continue
        files.append(file)
    if not files:
        raise DataError(f"{path}: the list has no usable row")
    return labeled_files.read(path, files, image_size, options)


def _file(folder: Path, row: Row, validates: bool) -> LabeledFile:
    name, split = row.cells.get("split", "").lower(), "training"
    if name:
        if name not in SPLIT_OF_NAME:
            raise DataError(f"{row.place}: split '{printable(name, 20)}' is none of {', '.join(SPLIT_OF_NAME)}")
        split = "private" if name == "test" and validates else SPLIT_OF_NAME[name]
    try:
        label = labeled_files.label_of(row.cells["label"])
    except DataError as error:
        raise DataError(f"{row.place}: {error}") from error
    path = folder / row.cells["path"]
    if not _is_file(path):
        raise DataError(f"{row.place}: there is no file {printable(path, 300)}")
    return LabeledFile(path, label, split)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that no file can have
        return False
