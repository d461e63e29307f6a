# SPDX-License-Identifier: Apache-2.0
"""A confusion matrix as text and as csv, in counts and normalized by the number of images of the true class."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fer_ros.files import atomic_write


def normalized(counts: Sequence[Sequence[int]] | np.ndarray) -> np.ndarray:
    """Return (classes, classes) float shares of the rows, 0..1; rows without images are 0."""
    matrix = np.asarray(counts)
    shares: np.ndarray = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    return shares


def text(counts: Sequence[Sequence[int]] | np.ndarray, labels: Sequence[str]) -> str:
    """Return both matrices as aligned text, the normalized one in percent."""
    matrix = np.asarray(counts)
    percent = [[f"{100 * share:.1f}" for share in row] for row in normalized(matrix)]
    parts = (("images", [list(map(str, row)) for row in matrix.tolist()]), ("percent of the row", percent))
    return "\n\n".join(_aligned(title, cells, labels) for title, cells in parts)


def _aligned(title: str, cells: Sequence[Sequence[str]], labels: Sequence[str]) -> str:
    head = f"true \\ predicted, {title}"
    first = max(len(head), *map(len, labels))
    width = max(5, *map(len, labels), *(len(cell) for row in cells for cell in row))
    lines = [(head, labels), *zip(labels, cells, strict=True)]
    return "\n".join(f"{name:{first}}" + "".join(f"  {cell:>{width}}" for cell in row) for name, row in lines)


def write_csv(path: Path, rows: Sequence[Sequence[int]] | np.ndarray, labels: Sequence[str]) -> None:
    """Write a matrix as csv, atomically: a row for each true label, a column for each predicted one."""
    with atomic_write(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["true \\ predicted", *labels])
        for label, row in zip(labels, np.asarray(rows).tolist(), strict=True):
            writer.writerow([label, *(f"{cell:.4f}" if isinstance(cell, float) else cell for cell in row)])
