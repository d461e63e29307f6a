# SPDX-License-Identifier: Apache-2.0
"""Plots of the accuracy under perturbations, and an example of each perturbation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from fer_ros.evaluation import plots, sheets
from fer_ros.evaluation.perturbations import PERTURBATIONS, Perturbation
from fer_ros.evaluation.robustness import DRAWS, PerturbedAccuracy, Robustness, value_text

_EXAMPLES = 7
"""Values of each perturbation that are shown."""


def plot(path: Path, result: Robustness, title: str) -> None:
    """Plot accuracy over each perturbation: of all images, of those recognized without it, and the spread of draws."""
    figure, grid = _figure(title)
    for axes, (name, rows) in zip(grid, result.rows.items(), strict=True):
        _line(axes, PERTURBATIONS[name], rows, "all_images", result.unperturbed, f"all {result.images} images")
        _line(axes, PERTURBATIONS[name], rows, "recognized", 1.0, f"{result.recognized_images} recognized unperturbed")
        if PERTURBATIONS[name].identity is not None:
            low, high = ([100 * getattr(row, key) for row in rows] for key in ("drawn_low", "drawn_high"))
            label = f"{result.drawn_images} of them, {DRAWS} draws: 5 to 95 %"
            axes.fill_between([row.value for row in rows], low, high, color="C1", alpha=0.15, linewidth=0, label=label)
    _finish(path, figure, grid)


def plot_several(path: Path, results: Mapping[str, Robustness], title: str) -> None:
    """Plot accuracy of several models over each perturbation, of all images.

    Args:
        path: PNG file to write.
        results: by the name of the model.
        title: of the figure.
    """
    figure, grid = _figure(title)
    for axes, name in zip(grid, PERTURBATIONS, strict=True):
        for model, result in results.items():
            _line(axes, PERTURBATIONS[name], result.rows[name], "all_images", result.unperturbed, model)
    _finish(path, figure, grid)


def examples(path: Path, image: np.ndarray, title: str) -> None:
    """Show what each perturbation does to a (size, size) uint8 image, one row for each."""
    sheets.write(path, [_example(kind, image) for kind in PERTURBATIONS.values()], title)


def _example(kind: Perturbation, image: np.ndarray) -> sheets.Row:
    chosen = np.unique(np.linspace(0, len(kind.values) - 1, _EXAMPLES).round().astype(int))
    values = [kind.values[index] for index in chosen]
    title = kind.title.replace(", ", ",\n").replace("; ", ";\n")
    versions = [kind.apply(image[np.newaxis], value)[0][0] for value in values]
    return sheets.Row(title, versions, [value_text(value) for value in values])


def _figure(title: str) -> tuple[Figure, Sequence[Any]]:
    figure = Figure(figsize=(16, 8), layout="constrained")
    figure.suptitle(title)
    return figure, list(figure.subplots(2, 4).flat)


def _line(
    axes: Any, kind: Perturbation, rows: Sequence[PerturbedAccuracy], key: str, unperturbed: float, label: str
) -> None:
    """Plot one measure over the values of a perturbation; names are placed side by side, without a line."""
    points = [(row.value, 100 * getattr(row, key)) for row in rows]
    if kind.identity is not None:
        points = sorted([(kind.identity, 100 * unperturbed), *points])  # type: ignore[type-var]
    values, accuracies = zip(*points, strict=True)
    axes.plot(values, accuracies, "o-" if kind.identity is not None else "o", ms=3 if kind.identity is not None else 6,
              label=label)  # fmt: skip
    axes.set_xlabel(kind.title)


def _finish(path: Path, figure: Figure, grid: Sequence[Any]) -> None:
    for axes in grid:
        axes.set_ylabel("accuracy, %")
        axes.set_ylim(0, 102)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    handles = {label: handle for axes in grid for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=3, frameon=False)
    plots.save(path, figure)
