# SPDX-License-Identifier: Apache-2.0
"""Image files of which label and split are known: what folders and lists of images have in common."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fer_ros.datasets.face_finder import FaceFinder
from fer_ros.datasets.face_images import SPLITS, DataError, FaceImages
from fer_ros.datasets.options import LabeledFilesOptions
from fer_ros.emotion.labels import KNOWN
from fer_ros.media.image_files import read_image
from fer_ros.media.image_header import ImageError
from fer_ros.media.resize import resize_to_square
from fer_ros.progress_bar import with_progress
from fer_ros.text import printable

SPLIT_OF_NAME = {
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
"""Splits by the names that data sets give them; "test" is the split private where there is another for validation."""
VALIDATION = ("val", "valid", "validation", "public", "publictest")
"""Names that say that a split is for validation."""
_SYNONYMS = {
    "anger": "angry",
    "disgusted": "disgust",
    "fearful": "fear",
    "scared": "fear",
    "happiness": "happy",
    "sadness": "sad",
    "surprised": "surprise",
}

_log = logging.getLogger(__name__)


class LabeledFile(NamedTuple):
    """One image file."""

    path: Path
    label: str
    split: str


def label_of(word: str) -> str:
    """Return the label that a word stands for: itself or a synonym, in upper or lower case.

    Raises:
        DataError: it is no emotion; the message has no path.
    """
    label = _SYNONYMS.get(word.lower(), word.lower())
    if label not in KNOWN:
        near = get_close_matches(word.lower()[:100], KNOWN, n=1)
        hint = f", did you mean '{near[0]}'?" if near else f"; available: {', '.join(KNOWN)}"
        raise DataError(f"'{printable(word, 50)}' is not an emotion{hint}")
    return label


def read(source: Path, files: Sequence[LabeledFile], image_size: int, options: LabeledFilesOptions) -> FaceImages:
    """Return the images of the files, gray, scaled to (image_size, image_size).

    The labels are those that occur, in FER2013's order.

    Args:
        source: folder or list, for messages.
        files: in any order, which is kept.
        image_size: side of the images, pixels.
        options: whether to leave out unusable files, and how to find faces.

    Raises:
        DataError: a file cannot be read or has no face, or there is none.
    """
    finder = FaceFinder(image_size, options.detector, options.align) if options.detector else None
    if options.align and not finder:
        raise DataError("--align needs a --detector, which finds the faces; without it the images are faces already")
    faces: list[np.ndarray] = []
    used: list[LabeledFile] = []
    for file in with_progress(files, f"{source.name}: reading images"):
        try:
            faces.append(_face(file.path, image_size, finder))
        except DataError as error:
            if not options.skip_faulty:
                raise
            _log.warning("left out: %s", error)
            continue
        used.append(file)
    if not faces:
        raise DataError(f"{source}: none of its {len(files)} images can be read")
    found = {file.label for file in used}
    labels = tuple(label for label in KNOWN if label in found)
    return FaceImages(
        pixels=np.stack(faces),
        targets=np.array([labels.index(file.label) for file in used], np.int64),
        labels=labels,
        splits=np.array([SPLITS.index(file.split) for file in used], np.uint8),
    )


def _face(path: Path, image_size: int, finder: FaceFinder | None) -> np.ndarray:
    """Return (image_size, image_size) uint8 from an image file of any size and proportions, gray or color."""
    try:
        gray = read_image(path, gray=True)
    except ImageError as error:
        raise DataError(str(error)) from error
    if finder is None:
        return resize_to_square(gray, image_size)
    try:
        return finder.faces([gray])[0]
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
