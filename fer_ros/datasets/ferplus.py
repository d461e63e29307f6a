# SPDX-License-Identifier: Apache-2.0
"""Crowd votes of FERPlus for the images of FER2013.

FERPlus: Barsoum, Zhang, Canton Ferrer, Zhang, "Training Deep Networks for Facial Expression Recognition with
Crowd-Sourced Label Distribution", 2016.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fer_ros.datasets.csv_table import header_of, rows_of
from fer_ros.datasets.face_images import DataError
from fer_ros.emotion.labels import FER2013
from fer_ros.text import printable

COLUMNS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF")
"""Of `fer2013new.csv`, beside Usage and the name of the image; NF is "no face"."""
LABELS = ("neutral", "happy", "surprise", "sad", "angry", "disgust", "fear", "contempt", "unknown", "no face")
"""The same as labels."""
MAX_VOTES = 1000
"""FERPlus has ten for each image."""


def is_ferplus(path: Path) -> bool:
    """Return whether a file is FERPlus' table of votes, which has no pixels."""
    header = header_of(path)
    return "usage" in header and {name.lower() for name in COLUMNS} <= set(header)


def read_votes(path: Path) -> tuple[list[str], np.ndarray]:
    """Return Usage of each row in lower case, and (N, 10) int64 votes for `LABELS`.

    Raises:
        DataError: names the file, the row and its fault.
    """
    usages: list[str] = []
    votes: list[list[int]] = []
    for row in rows_of(path, ("Usage", *COLUMNS)):
        counts = [row.cells[name.lower()] for name in COLUMNS]
        for count in counts:
            if not (count.isdecimal() and count.isascii() and len(count) < 5 and int(count) <= MAX_VOTES):
                raise DataError(f"{row.place}: votes '{printable(count, 20)}' are not 0 to {MAX_VOTES}")
        usages.append(row.cells["usage"].lower())
        votes.append([int(count) for count in counts])
    return usages, np.array(votes, np.int64).reshape(-1, len(COLUMNS))


def vote_shares(votes: np.ndarray) -> np.ndarray:
    """Return (N, 7) float32 shares of the votes for FER2013's labels; rows without such votes are 0.

    Args:
        votes: (N, 10) for `LABELS`.
    """
    counted = votes[:, [LABELS.index(label) for label in FER2013]].astype(np.float32)
    shares: np.ndarray = counted / np.maximum(counted.sum(axis=1, keepdims=True), 1)
    return shares
