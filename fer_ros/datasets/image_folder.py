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
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

import numpy as np

from fer_ros.datasets.face_images import SPLITS, DataError, FaceImages
from fer_ros.emotion.labels import FER2013, KNOWN
from fer_ros.media.image_files import read_image
from fer_ros.media.image_header import ImageError
from fer_ros.media.resize import resize_to_square
from fer_ros.text import printable

_SPLIT_OF_FOLDER = {
    "train": "training",
    "training": "training",
    "test": "public",
    "public": "public",
    "publictest": "public",
    "val": "public",
    "valid": "public",
    "validation": "public",
    "private": "private",
    "privatetest": "private",
}
"""A folder test/ is the split private where a folder for validation lies beside it; see `_split_folders`."""
_VALIDATION = ("val", "valid", "validation", "public", "publictest")
_TEST_IS_PUBLIC = (
    "%s: there is no folder 'val' beside 'test': the best epoch and the temperature are chosen on the images of 'test' "
    "(split 'public'), so the accuracy on them is too high; add a folder 'val' to keep 'test' for the final evaluation"
)

_SYNONYMS = {
    "anger": "angry",
    "disgusted": "disgust",
    "fearful": "fear",
    "scared": "fear",
    "happiness": "happy",
    "sadness": "sad",
    "surprised": "surprise",
}
_SUFFIXES = {".bmp", ".jfif", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
"""TIFF and WebP are listed so that they are refused by name; see `fer_ros.media.image_files`."""
_NAMED = 5
"""Number of files that a warning names."""

_log = logging.getLogger(__name__)


class ImageFolderReader:
    """Reads one folder.

    Args:
        skip_faulty: whether to leave out, with a warning, images that cannot be read and classes without images.
    """

    def __init__(self, skip_faulty: bool = False):
        self._skip_faulty = skip_faulty

    def matches(self, paths: Sequence[Path]) -> bool:
        return len(paths) == 1 and paths[0].is_dir()

    def read(self, paths: Sequence[Path], image_size: int) -> FaceImages:
        return read(paths[0], image_size, self._skip_faulty)


def read(root: Path, image_size: int, skip_faulty: bool = False) -> FaceImages:
    """Return every image below `root`, gray, scaled to (image_size, image_size).

    The labels are those of the folders, in FER2013's order.

    Args:
        root: folder of the data set.
        image_size: side of the images, pixels.
        skip_faulty: whether to leave out, with a warning, images that cannot be read and classes without images.

    Raises:
        DataError: a folder is not named after an emotion, a class has no image, or an image cannot be read.
    """
    files = [
        (path, label, split) for folder, split in _split_folders(root) for path, label in _labeled(folder, skip_faulty)
    ]
    faces: list[np.ndarray] = []
    read_files: list[tuple[str, str]] = []
    for path, label, split in files:
        try:
            faces.append(_read_image(path, image_size))
        except DataError as error:
            if not skip_faulty:
                raise
            _log.warning("left out: %s", error)
            continue
        read_files.append((label, split))
    if not faces:
        raise DataError(f"{root}: none of its {len(files)} images can be read")
    found = {label for label, _ in read_files}
    labels = tuple(label for label in KNOWN if label in found)
    return FaceImages(
        pixels=np.stack(faces),
        targets=np.array([labels.index(label) for label, _ in read_files], np.int64),
        labels=labels,
        splits=np.array([SPLITS.index(split) for _, split in read_files], np.uint8),
    )


def _split_folders(root: Path) -> list[tuple[Path, str]]:
    """Return the folders that hold class folders, with their splits: `root` alone for a data set without splits."""
    by_name = {folder.name.lower(): folder for folder in _folders(root)}
    splits = {name: _SPLIT_OF_FOLDER[name] for name in by_name if name in _SPLIT_OF_FOLDER}
    if not splits:
        return [(root, "training")]
    stray = next((folder for name, folder in by_name.items() if name not in splits), None)
    if stray:
        raise DataError(f"{stray}: lies beside the splits, but is none of {', '.join(_SPLIT_OF_FOLDER)}")
    if "test" in splits and not splits.keys().isdisjoint(_VALIDATION):
        splits["test"] = "private"
    elif "test" in splits and "training" in splits.values():
        _log.warning(_TEST_IS_PUBLIC, root)
    return [(by_name[name], split) for name, split in splits.items()]


def _labeled(folder: Path, skip_faulty: bool) -> list[tuple[Path, str]]:
    """Return the images in the class folders of `folder` with their labels, sorted by name."""
    classes = _folders(folder)
    if not classes:
        raise DataError(f"{folder}: has neither .npz files nor a folder per emotion ({', '.join(FER2013)})")
    files = []
    for class_folder in classes:
        label = _label(class_folder)
        images = _images(class_folder)
        if not images:
            reason = f"{class_folder}: the class '{label}' is empty, there is no image in its folder"
            if not skip_faulty:
                raise DataError(f"{reason}; remove the folder or use --skip-faulty")
            _log.warning("left out: %s", reason)
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
    word = folder.name.lower()
    label = _SYNONYMS.get(word, word)
    if label not in KNOWN:
        near = get_close_matches(word, KNOWN, n=1)
        hint = f", did you mean '{near[0]}'?" if near else f"; available: {', '.join(KNOWN)}"
        raise DataError(f"{folder}: '{folder.name}' is not an emotion{hint}")
    return label


def _read_image(path: Path, image_size: int) -> np.ndarray:
    """Return (image_size, image_size) uint8 from an image file of any size and proportions, gray or color."""
    try:
        gray = read_image(path, gray=True)
    except ImageError as error:
        raise DataError(str(error)) from error
    return resize_to_square(gray, image_size)


def _folders(root: Path) -> list[Path]:
    return sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith((".", "__MACOSX")))
