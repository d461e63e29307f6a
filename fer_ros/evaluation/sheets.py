# SPDX-License-Identifier: Apache-2.0
"""Sheets of face images in rows: the most confident answers of a model, examples of perturbations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from fer_ros.evaluation import plots

PER_CLASS = 8
"""Images of each class."""
_CELL = 1.1
"""Width of an image with its margin, inches."""
_SHOWN = 0.9
"""Side of an image relative to its cell."""
_CAPTION = 0.25
"""Height below an image for its caption, in cells."""


class Row(NamedTuple):
    """One row of a sheet."""

    title: str
    images: Sequence[np.ndarray]
    """(size, size) uint8 each."""
    captions: Sequence[str]
    """Of each image."""


def most_confident(scores: np.ndarray, targets: np.ndarray, right: bool, count: int = PER_CLASS) -> list[np.ndarray]:
    """Return the indices of the most confident right answers or mistakes for each true class, most confident first.

    Args:
        scores: (N, classes) float; rows sum to 1.
        targets: (N,) int.
        right: right answers instead of mistakes.
        count: of each class, at most.
    """
    confidence, is_right = scores.max(axis=1), scores.argmax(axis=1) == targets
    order = np.argsort(-confidence, kind="stable")
    return [order[(targets[order] == k) & (is_right[order] == right)][:count] for k in range(scores.shape[1])]


def answers(
    pixels: np.ndarray, scores: np.ndarray, chosen: Sequence[np.ndarray], labels: Sequence[str]
) -> list[Row]:  # fmt: skip
    """Return a row for each true class with the predicted label and its score below each image.

    Args:
        pixels: (N, size, size) uint8.
        scores: (N, len(labels)) float; rows sum to 1.
        chosen: indices of the images of each class; classes without any are left out.
        labels: in the order of `chosen` and of the columns of `scores`.
    """

    def caption(index: int) -> str:
        best = int(scores[index].argmax())
        return f"{labels[best]} {100 * scores[index, best]:.0f} %"

    return [
        Row(label, pixels[indices], [caption(index) for index in indices])
        for label, indices in zip(labels, chosen, strict=True)
        if len(indices)
    ]


def write(path: Path, rows: Sequence[Row], title: str) -> None:
    """Write a sheet as PNG: a line for each row, its title at the left, a caption below each image."""
    columns = max((len(row.images) for row in rows), default=1)
    height = len(rows) * (1 + _CAPTION)
    figure = Figure(figsize=(_CELL * (columns + 1.6), _CELL * height + 0.6), layout="constrained")
    axes = figure.subplots()
    for line, row in enumerate(rows):
        top = line * (1 + _CAPTION)
        axes.text(-0.1, top + _SHOWN / 2, row.title, ha="right", va="center", fontsize=9)
        for column, (image, caption) in enumerate(zip(row.images, row.captions, strict=True)):
            extent = (column, column + _SHOWN, top + _SHOWN, top)
            axes.imshow(image, cmap="gray", vmin=0, vmax=255, extent=extent, interpolation="nearest")
            axes.text(column + _SHOWN / 2, top + _SHOWN + 0.04, caption, ha="center", va="top", fontsize=8)
    if not rows:
        axes.text(0.5, 0.5, "none", ha="center")
    axes.set_xlim(-1.5, columns)
    axes.set_ylim(max(height, 1), 0)
    axes.axis("off")
    figure.suptitle(title)
    plots.save(path, figure)
