# SPDX-License-Identifier: Apache-2.0
"""NumPy `.npz` files of FER2013: pixels, label, usage and, optionally, the crowd votes of FERPlus.

FERPlus: Barsoum, Zhang, Canton Ferrer, Zhang, "Training Deep Networks for Facial Expression Recognition with
Crowd-Sourced Label Distribution", 2016.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fer_ros.datasets.face_images import SPLITS, DataError, FaceImages, concatenate, resize_all
from fer_ros.emotion.labels import FER2013

_FERPLUS = ("neutral", "happy", "surprise", "sad", "angry", "disgust", "fear", "contempt", "unknown", "no face")
_ROW_UNKNOWN = 1
"""Value of `source` for an image whose row in the original table is unknown: its votes may be another image's."""


class NpzReader:
    """Reads one or more .npz files, or a folder of them."""

    def matches(self, paths: Sequence[Path]) -> bool:
        return all(path.suffix == ".npz" for path in _files(paths)) and bool(_files(paths))

    def read(self, paths: Sequence[Path], image_size: int) -> FaceImages:
        return concatenate([read(path, image_size) for path in _files(paths)])


def _files(paths: Sequence[Path]) -> list[Path]:
    """Return the .npz files in the folder `paths[0]`, or `paths` themselves."""
    if len(paths) == 1 and paths[0].is_dir():
        return sorted(paths[0].glob("*.npz"))
    return list(paths)


def read(path: Path, image_size: int) -> FaceImages:
    """Return the images of one file, scaled to (image_size, image_size).

    The file has the arrays `pixels` (N, height, width) uint8, `label` (N,) in FER2013's order and `usage` (N,) as index
    into `SPLITS`, and optionally `ferplus_votes` (N, 10) and `source` (N,).

    Raises:
        DataError: not an npz file, an array is missing, or one has the wrong shape or values out of range.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: not a readable npz file ({error})") from error
    missing = [name for name in ("pixels", "label", "usage") if name not in arrays]
    if missing:
        raise DataError(f"{path}: has no array '{missing[0]}'; it has: {', '.join(arrays) or 'none'}")
    pixels = arrays["pixels"]
    if pixels.ndim != 3 or pixels.dtype != np.uint8 or 0 in pixels.shape:
        raise DataError(f"{path}: pixels must be (N, height, width) uint8, not {pixels.shape} {pixels.dtype}")
    for name in arrays.keys() & {"label", "usage", "ferplus_votes", "source"}:
        if len(arrays[name]) != len(pixels):
            raise DataError(f"{path}: {len(pixels)} images but {len(arrays[name])} entries in '{name}'")
    _check_range(path, "label", arrays["label"], len(FER2013))
    _check_range(path, "usage", arrays["usage"], len(SPLITS))
    return FaceImages(
        pixels=resize_all(pixels, image_size),
        targets=arrays["label"].astype(np.int64),
        labels=FER2013,
        splits=arrays["usage"].astype(np.uint8),
        crowd_votes=_vote_shares(arrays),
    )


def _check_range(path: Path, name: str, values: np.ndarray, end: int) -> None:
    wrong = np.flatnonzero(~np.isin(values, range(end)))
    if len(wrong):
        raise DataError(f"{path}: '{name}' of image {wrong[0]} is {values[wrong[0]]}, not 0 to {end - 1}")


def _vote_shares(arrays: dict[str, np.ndarray]) -> np.ndarray | None:
    """Return (N, 7) float32 shares of the votes for FER2013's labels; rows without usable votes are 0."""
    if "ferplus_votes" not in arrays:
        return None
    crowd_votes = arrays["ferplus_votes"][:, [_FERPLUS.index(label) for label in FER2013]].astype(np.float32)
    if "source" in arrays:
        crowd_votes[arrays["source"] == _ROW_UNKNOWN] = 0
    shares: np.ndarray = crowd_votes / np.maximum(crowd_votes.sum(axis=1, keepdims=True), 1)
    return shares
