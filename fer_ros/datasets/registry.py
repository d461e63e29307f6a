# SPDX-License-Identifier: Apache-2.0
"""Data sets of labeled faces, recognized by the files they consist of and read into memory.

    FER2013's csv                  fer2013.csv
    a folder per emotion           fer2013/, with train/ and test/ inside or only class folders
    NumPy arrays                   a.npz b.npz, or a folder of .npz files
    KDEF, RAVDESS, SAVEE, MEAD     the folder as published, recognized by its file names

A reader of another package is added with `DATASETS.register("name", Entry(loader, Options))`. Its options become
options of every command that reads data. Readers registered later are asked first whether they recognize the files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from fer_ros.datasets.face_images import SPLITS, DataError, FaceImages, concatenate
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


_SKIP_FAULTY = "for folders and corpora: leave out unusable files and empty classes, with a warning"


@dataclass(frozen=True)
class ImageFolderOptions:
    """Options for folders of images."""

    skip_faulty: bool = field(default=False, metadata={"help": _SKIP_FAULTY})


@dataclass(frozen=True)
class EmotionCorporaOptions:
    """Options for corpora of acted emotions."""

    by_speaker: bool = field(
        default=False, metadata={"help": "for corpora of acted emotions: keep each person in one split"}
    )
    skip_faulty: bool = field(default=False, metadata={"help": _SKIP_FAULTY})
    cache: str = field(
        default="",
        metadata={
            "help": "for corpora: folder that keeps the faces found (default: $FER_ROS_CACHE, or ~/.cache/fer_ros)"
        },
    )


def _image_folder(options: ImageFolderOptions) -> DatasetReader:
    from fer_ros.datasets.image_folder import ImageFolderReader

    return ImageFolderReader(options.skip_faulty)


def _fer2013_csv(_: NoOptions) -> DatasetReader:
    from fer_ros.datasets.fer2013_csv import Fer2013CsvReader

    return Fer2013CsvReader()


def _emotion_corpora(options: EmotionCorporaOptions) -> DatasetReader:
    from fer_ros.datasets.emotion_corpora import EmotionCorpusReader

    cache = Path(options.cache).expanduser() if options.cache else None
    return EmotionCorpusReader(options.by_speaker, options.skip_faulty, cache)


def _npz(_: NoOptions) -> DatasetReader:
    from fer_ros.datasets.npz import NpzReader

    return NpzReader()


DATASETS: Registry[DatasetReader] = Registry("data set")
DATASETS.register("image_folder", Entry(_image_folder, ImageFolderOptions, description="a folder per emotion"))
DATASETS.register("fer2013_csv", Entry(_fer2013_csv, description="fer2013.csv"))
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
