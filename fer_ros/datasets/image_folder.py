"""Reads pictures sorted into one folder per emotion, as FER2013 and others are published for download.

    root/train/happy/*.jpg  root/test/happy/*.jpg      a training and a test part
    root/happy/*.png                                   no parts: everything counts as training

Folders may also be called "anger", "Happiness", "fearful" and the like.
"""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

import cv2
import numpy as np

from fer_ros.datasets.face_images import SPLITS, DataError, FaceImages, resized
from fer_ros.emotion.labels import FER2013, KNOWN

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
"""The widely copied download with train/ and test/ is meant for choosing models on test/."""

_OTHER_WORDS = {
    "anger": "angry",
    "disgusted": "disgust",
    "fearful": "fear",
    "scared": "fear",
    "happiness": "happy",
    "sadness": "sad",
    "surprised": "surprise",
}
_PICTURES = {".png", ".jpg", ".jpeg", ".bmp", ".pgm", ".tif", ".tiff", ".webp"}


def read(root: Path, image_size: int) -> FaceImages:
    """Every picture below `root`, gray, scaled to (image_size, image_size). Labels are those found, in
    FER2013's order.

    Raises:
        DataError: a folder whose name is no emotion, a class without a picture, or a picture that cannot be read.
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
    faces = [_picture(path, image_size) for path, _, _ in files]
    return FaceImages(
        pixels=np.stack(faces),
        targets=np.array([labels.index(label) for _, label, _ in files], np.int64),
        labels=labels,
        splits=np.array([SPLITS.index(split) for _, _, split in files], np.uint8),
    )


def _labeled(folder: Path) -> list[tuple[Path, str]]:
    """The pictures in the class folders of `folder` with their labels, in the order of their names."""
    classes = _folders(folder)
    if not classes:
        raise DataError(f"{folder}: has neither .npz files nor a folder per emotion ({', '.join(FER2013)})")
    files = []
    for folder_of_class in classes:
        label = _label(folder_of_class)
        pictures = sorted(p for p in folder_of_class.iterdir() if p.suffix.lower() in _PICTURES)
        if not pictures:
            raise DataError(f"{folder_of_class}: the class '{label}' is empty, there is no picture in its folder")
        files += [(picture, label) for picture in pictures]
    return files


def _label(folder: Path) -> str:
    word = folder.name.lower()
    label = _OTHER_WORDS.get(word, word)
    if label not in KNOWN:
        near = get_close_matches(word, KNOWN, n=1)
        hint = f", did you mean '{near[0]}'?" if near else f"; known are: {', '.join(KNOWN)}"
        raise DataError(f"{folder}: '{folder.name}' is not an emotion{hint}")
    return label


def _picture(path: Path, image_size: int) -> np.ndarray:
    """(image_size, image_size) uint8, from a picture of any size, gray or color."""
    content = np.fromfile(path, np.uint8)
    gray = cv2.imdecode(content, cv2.IMREAD_GRAYSCALE) if len(content) else None
    if gray is None:
        raise DataError(f"{path}: not a readable picture")
    return resized(gray[np.newaxis], image_size)[0]


def _folders(root: Path) -> list[Path]:
    return sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))
