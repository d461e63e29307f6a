# SPDX-License-Identifier: Apache-2.0
"""Images in one folder per emotion, the form in which FER2013 and others can be downloaded.

    root/train/happy/*.jpg  root/test/happy/*.jpg      with splits
    root/happy/*.png                                   without: every image is for training

Common synonyms such as "anger", "Happiness" and "fearful" are understood as folder names.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

import cv2
import numpy as np

from fer_ros.datasets.face_images import SPLITS, DataError, FaceImages
from fer_ros.emotion.labels import FER2013, KNOWN
from fer_ros.media.resize import resize

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
"""In the widely used download with train/ and test/, models are chosen on test/."""

_SYNONYMS = {
    "anger": "angry",
    "disgusted": "disgust",
    "fearful": "fear",
    "scared": "fear",
    "happiness": "happy",
    "sadness": "sad",
    "surprised": "surprise",
}
_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".pgm", ".tif", ".tiff", ".webp"}


class ImageFolderReader:
    """Reads one folder."""

    def matches(self, paths: Sequence[Path]) -> bool:
        return len(paths) == 1 and paths[0].is_dir()

    def read(self, paths: Sequence[Path], image_size: int) -> FaceImages:
        return read(paths[0], image_size)


def read(root: Path, image_size: int) -> FaceImages:
    """Return every image below `root`, gray, scaled to (image_size, image_size).

    The labels are those of the folders, in FER2013's order.

    Raises:
        DataError: a folder is not named after an emotion, a class has no image, or an image cannot be read.
    """
    inside = _folders(root)
    parts = [(folder, _SPLIT_OF_FOLDER.get(folder.name.lower())) for folder in inside]
    if not any(split for _, split in parts):
        parts = [(root, "training")]
    stray = next((folder for folder, split in parts if split is None), None)
    if stray:
        raise DataError(f"{stray}: lies beside the splits, but is none of {', '.join(_SPLIT_OF_FOLDER)}")
    files = [(path, label, split) for folder, split in parts for path, label in _labeled(folder)]
    found = {label for _, label, _ in files}
    labels = tuple(label for label in KNOWN if label in found)
    faces = [_read_image(path, image_size) for path, _, _ in files]
    return FaceImages(
        pixels=np.stack(faces),
        targets=np.array([labels.index(label) for _, label, _ in files], np.int64),
        labels=labels,
        splits=np.array([SPLITS.index(split) for _, _, split in files], np.uint8),
    )


def _labeled(folder: Path) -> list[tuple[Path, str]]:
    """Return the images in the class folders of `folder` with their labels, sorted by name."""
    classes = _folders(folder)
    if not classes:
        raise DataError(f"{folder}: has neither .npz files nor a folder per emotion ({', '.join(FER2013)})")
    files = []
    for class_folder in classes:
        label = _label(class_folder)
        images = sorted(p for p in class_folder.iterdir() if p.suffix.lower() in _SUFFIXES)
        if not images:
            raise DataError(f"{class_folder}: the class '{label}' is empty, there is no image in its folder")
        files += [(image, label) for image in images]
    return files


def _label(folder: Path) -> str:
    word = folder.name.lower()
    label = _SYNONYMS.get(word, word)
    if label not in KNOWN:
        near = get_close_matches(word, KNOWN, n=1)
        hint = f", did you mean '{near[0]}'?" if near else f"; available: {', '.join(KNOWN)}"
        raise DataError(f"{folder}: '{folder.name}' is not an emotion{hint}")
    return label


def _read_image(path: Path, image_size: int) -> np.ndarray:
    """Return (image_size, image_size) uint8 from an image file of any size, gray or color."""
    content = np.fromfile(path, np.uint8)
    gray = cv2.imdecode(content, cv2.IMREAD_GRAYSCALE) if len(content) else None
    if gray is None:
        raise DataError(f"{path}: not a readable image")
    return resize(gray, (image_size, image_size))


def _folders(root: Path) -> list[Path]:
    return sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))
