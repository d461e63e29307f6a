# SPDX-License-Identifier: Apache-2.0
"""Data sets of labeled faces, recognized by the files they consist of and read into memory.

    FER2013's csv                  fer2013.csv, and beside it FERPlus' fer2013new.csv
    a list of images               a csv with the columns path, label and optionally split
    a folder per emotion           fer2013/, with train/ and test/ inside or only class folders
    NumPy arrays                   a.npz b.npz, or a folder of .npz files
    KDEF, RAVDESS, SAVEE, MEAD     the folder as published, recognized by its file names

A reader of another package is added with `DATASETS.register("name", Entry(loader, Options))`. Its options become
options of every command that reads data. Readers registered later are asked first whether they recognize the files.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from fer_ros.datasets.face_images import SPLITS, DataError, FaceImages, concatenate
from fer_ros.datasets.options import EmotionCorporaOptions, LabeledFilesOptions
from fer_ros.registry import Entry, NoOptions, Registry

__all__ = ["DATASETS", "SPLITS", "DataError", "DatasetReader", "FaceImages", "concatenate", "paths_of", "read"]


class DatasetReader(Protocol):
    """Reads one form of data set."""

    def matches(self, paths: Sequence[Path]) -> bool:
        """Return whether the existing files and folders `paths` are together a data set of this form."""

    def read(self, paths: Sequence[Path], image_size: int) -> FaceImages:
        """Return every image, of all splits, scaled to (image_size, image_size).

        Raises:
            DataError: names the file, the place in it and the fault.
        """


def _image_folder(options: LabeledFilesOptions) -> DatasetReader:
    from fer_ros.datasets.image_folder import ImageFolderReader

    return ImageFolderReader(options)


def _image_list(options: LabeledFilesOptions) -> DatasetReader:
    from fer_ros.datasets.image_list import ImageListReader

    return ImageListReader(options)


def _fer2013_csv(_: NoOptions) -> DatasetReader:
    from fer_ros.datasets.fer2013_csv import Fer2013CsvReader

    return Fer2013CsvReader()


def _emotion_corpora(options: EmotionCorporaOptions) -> DatasetReader:
    from fer_ros.datasets.emotion_corpora import EmotionCorpusReader

    return EmotionCorpusReader(options)


def _npz(_: NoOptions) -> DatasetReader:
    from fer_ros.datasets.npz import NpzReader

    return NpzReader()


DATASETS: Registry[DatasetReader] = Registry("data set")
DATASETS.register("image_folder", Entry(_image_folder, LabeledFilesOptions, description="a folder per emotion"))
DATASETS.register(
    "fer2013_csv", Entry(_fer2013_csv, description="fer2013.csv, also with FERPlus' fer2013new.csv beside it")
)
DATASETS.register(
    "image_list", Entry(_image_list, LabeledFilesOptions, description="a csv with the columns path,label")
)
DATASETS.register(
    "emotion_corpora", Entry(_emotion_corpora, EmotionCorporaOptions, description="KDEF, RAVDESS, SAVEE or MEAD")
)
DATASETS.register("npz", Entry(_npz, description=".npz files, or a folder of them"))


def read(sources: Sequence[str | Path], image_size: int, **options: Any) -> FaceImages:
    """Return every image of a data set, of all splits, scaled to (image_size, image_size).

    Args:
        sources: files or folders; a text may name several, separated by commas.
        image_size: side of the images, pixels.
        **options: of any reader; those that the recognized one does not have are ignored.

    Raises:
        DataError: no reader recognizes the files; or names the file, the row or image, and its fault.
    """
    paths = paths_of(sources)
    for name in reversed(DATASETS.names):
        reader = DATASETS.create(name, DATASETS.select_options(name, options))
        if reader.matches(paths):
            return reader.read(paths, image_size)
    known = ", ".join(DATASETS[name].description or name for name in DATASETS)
    raise DataError(f"{paths[0]}: not a data set of a known form ({known})")


def paths_of(sources: Sequence[str | Path]) -> list[Path]:
    """Return the absolute paths of a data set; a source may be several, separated by commas.

    Raises:
        DataError: a path does not exist, or there is none.
    """
    paths = [Path(part).expanduser().absolute() for source in sources for part in _parts(source)]
    if not paths:
        raise DataError("no data set was named")
    for path in paths:
        if not path.exists():
            raise DataError(f"{path}: there is no such file or folder")
    return paths


def _parts(source: str | Path) -> list[str]:
    """Return `source`, or its parts if it is a comma-separated list and no file has that name."""
    text = str(source)
    return [text] if Path(text).expanduser().exists() else [part.strip() for part in text.split(",") if part.strip()]
