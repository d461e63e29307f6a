# SPDX-License-Identifier: Apache-2.0
"""Images in one folder per emotion, the form in which FER2013 and others can be downloaded.

    root/train/happy/*.jpg  root/val/happy/*.jpg  root/test/happy/*.jpg    training, public, private
    root/train/happy/*.jpg  root/test/happy/*.jpg                          training, public
    root/happy/*.png                                                       without splits: every image is for training

Common synonyms such as "anger", "Happiness" and "fearful" are understood as folder names. Files whose name
starts with a dot and the folder __MACOSX, which macOS adds to archives, are ignored.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from fer_ros.datasets import labeled_files
from fer_ros.datasets.face_images import DataError, FaceImages
from fer_ros.datasets.labeled_files import SPLIT_OF_NAME, VALIDATION, LabeledFile
from fer_ros.datasets.options import LabeledFilesOptions
from fer_ros.emotion.labels import FER2013
from fer_ros.text import printable

_TEST_IS_PUBLIC = (
    "%s: there is no folder 'val' beside 'test': the best epoch and the temperature are chosen on the images of 'test' "
    "(split 'public'), so the accuracy on them is too high; to keep 'test' for the final evaluation, add a folder "
    "'val' or train with --hold-out%s"
)
_IS_FER2013 = ". These %d images are FER2013's PublicTest and PrivateTest together, not one of them"
_FER2013_TEST = {
    "angry": 958,
    "disgust": 111,
    "fear": 1024,
    "happy": 1774,
    "sad": 1247,
    "surprise": 831,
    "neutral": 1233,
}
"""Images of each class in the folder test/ of FER2013 as a folder per class: those of both test splits."""
_SUFFIXES = {".bmp", ".jfif", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
"""TIFF and WebP are listed so that they are refused by name; see `fer_ros.media.image_files`."""
_NAMED = 5
"""Number of files that a warning names."""

_log = logging.getLogger(__name__)


class ImageFolderReader:
    """Reads one folder."""

    def __init__(self, options: LabeledFilesOptions):
        self._options = options

    def matches(self, paths: Sequence[Path]) -> bool:
        return len(paths) == 1 and paths[0].is_dir()

    def read(self, paths: Sequence[Path], image_size: int) -> FaceImages:
        return read(paths[0], image_size, self._options)


def read(root: Path, image_size: int, options: LabeledFilesOptions | None = None) -> FaceImages:
    """Return every image below `root`, gray, scaled to (image_size, image_size).

    The labels are those of the folders, in FER2013's order.

    Args:
        root: folder of the data set.
        image_size: side of the images, pixels.
        options: whether to leave out unusable files and classes, and how to find faces.

    Raises:
        DataError: a folder is not named after an emotion, a class has no image, or an image cannot be read.
    """
    options = options or LabeledFilesOptions()
    folders = _split_folders(root)
    files = [
        LabeledFile(path, label, split)
        for folder, split in folders.items()
        for path, label in _labeled(folder, options.skip_faulty)
    ]
    tests = [folder for folder, split in folders.items() if folder.name.lower() == "test" and split == "public"]
    if tests and "training" in folders.values():
        of_test = Counter(file.label for file in files if file.split == "public")
        _log.warning(_TEST_IS_PUBLIC, root, _IS_FER2013 % of_test.total() if of_test == _FER2013_TEST else "")
    return labeled_files.read(root, files, image_size, options)


def _split_folders(root: Path) -> dict[Path, str]:
    """Return the splits by the folders that hold class folders: `root` alone for a data set without splits."""
    by_name = {folder.name.lower(): folder for folder in _folders(root)}
    splits = {name: SPLIT_OF_NAME[name] for name in by_name if name in SPLIT_OF_NAME}
    if not splits:
        return {root: "training"}
    stray = next((folder for name, folder in by_name.items() if name not in splits), None)
    if stray:
        raise DataError(f"{stray}: lies beside the splits, but is none of {', '.join(SPLIT_OF_NAME)}")
    if "test" in splits and not splits.keys().isdisjoint(VALIDATION):
        splits["test"] = "private"
    return {by_name[name]: split for name, split in splits.items()}


def _labeled(folder: Path, skip_faulty: bool) -> list[tuple[Path, str]]:
    """Return the images in the class folders of `folder` with their labels, sorted by name."""
    classes = _folders(folder)
    if not classes:
        raise DataError(f"{folder}: has neither .npz files nor a folder per emotion ({', '.join(FER2013)})")
    files = []
    for class_folder in classes:
        try:
            label = _label(class_folder)
            images = _images(class_folder)
            if not images:
                raise DataError(f"{class_folder}: the class '{label}' is empty, there is no image in its folder")
        except DataError as error:
            if not skip_faulty:
                raise DataError(f"{error}; remove the folder or use --skip-faulty") from error
            _log.warning("left out: %s", error)
            continue
        files += [(image, label) for image in images]
    return files


def _images(folder: Path) -> list[Path]:
    """Return the images in a folder, sorted by name; log what else is in it."""
    entries = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    images = [path for path in entries if path.suffix.lower() in _SUFFIXES and not path.is_dir()]
    others = [path.name + "/" * path.is_dir() for path in entries if path not in set(images)]
    if others:
        names = printable(", ".join(others[:_NAMED]) + (", ..." if len(others) > _NAMED else ""), 200)
        _log.warning("left out: %s: %d files or folders that are no images (%s)", folder, len(others), names)
    return images


def _label(folder: Path) -> str:
    try:
        return labeled_files.label_of(folder.name)
    except DataError as error:
        raise DataError(f"{folder}: {error}") from error


def _folders(root: Path) -> list[Path]:
    return sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith((".", "__MACOSX")))
