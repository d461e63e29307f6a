# SPDX-License-Identifier: Apache-2.0
"""Training, detection and risk-coverage curves, confusion matrices and reliability diagrams, as PNG files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fer_ros.evaluation.confusion import normalized
from fer_ros.files import atomic_write

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fer_ros.evaluation.calibration import Bin
    from fer_ros.evaluation.detection import DetectionCurve
    from fer_ros.evaluation.risk_coverage import CoveragePoint

_TRAINING, _VALIDATION, _RATE = "#8a8a8a", "#1f5fbf", "#c2571a"


def curves(path: Path, records: Sequence[dict[str, Any]]) -> None:
    """Plot loss, accuracy and learning rate over the epochs.

    Args:
        path: PNG file to write.
        records: one mapping for each epoch with the columns of `metrics.csv`.
    """
    epochs = [record["epoch"] for record in records]

    def values(key: str) -> np.ndarray:
        return np.array([record[key] for record in records])

    figure = Figure(figsize=(12, 3.6), layout="constrained")
    loss, accuracy, rate = figure.subplots(1, 3)
    marker = "o" if len(epochs) < 3 else None
    for axes, key, title, factor in ((loss, "loss", "loss", 1), (accuracy, "accuracy", "accuracy, %", 100)):
        axes.plot(epochs, factor * values(f"training_{key}"), _TRAINING, marker=marker, label="training, augmented")
        axes.plot(epochs, factor * values(f"validation_{key}"), _VALIDATION, marker=marker, label="validation")
        axes.set_title(title)
    best = int(values("validation_accuracy").argmax())
    accuracy.plot(epochs[best], 100 * values("validation_accuracy")[best], "o", color=_VALIDATION)
    accuracy.legend(
        title=f"best: {100 * values('validation_accuracy')[best]:.2f} % in epoch {epochs[best]}",
        frameon=False,
        loc="lower right",
    )
    rate.plot(epochs, values("learning_rate"), _RATE, marker=marker)
    rate.set_title("learning rate")
    for axes in (loss, accuracy, rate):
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    save(path, figure)


def confusion_matrix(
    path: Path, counts: Sequence[Sequence[int]] | np.ndarray, labels: Sequence[str], title: str
) -> None:
    """Plot a confusion matrix: true labels in rows, predicted in columns, colored by the share of the row."""
    matrix = np.array(counts)
    shares = normalized(matrix)
    figure = Figure(figsize=(1.8 + 0.85 * len(labels), 1.4 + 0.75 * len(labels)), layout="constrained")
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), share in np.ndenumerate(shares):
        color = "white" if share > 0.5 else "black"
        axes.text(column, row - 0.12, f"{100 * share:.0f} %", ha="center", va="center", color=color)
        axes.text(column, row + 0.24, f"{matrix[row, column]}", ha="center", va="center", color=color, fontsize=7)
    axes.set_xticks(range(len(labels)), labels)
    axes.set_yticks(range(len(labels)), labels)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.set_title(title)
    axes.spines[:].set_visible(False)
    save(path, figure)


def reliability(path: Path, bins: Sequence[Bin], curve: Sequence[CoveragePoint], title: str) -> None:
    """Plot a reliability diagram, in which a calibrated model lies on the diagonal, a histogram of confidence, and
    accuracy against coverage.

    Args:
        path: PNG file to write.
        bins: of the reliability diagram.
        curve: coverage and accuracy by threshold.
        title: of the figure.
    """
    figure = Figure(figsize=(9.2, 5), layout="constrained")
    grid = figure.subplot_mosaic([["accuracy", "named"], ["share", "named"]], height_ratios=(3, 1))
    figure.suptitle(title)
    _accuracy_over_confidence(grid["accuracy"], grid["share"], bins)
    _accuracy_over_coverage(grid["named"], curve)
    for axes in grid.values():
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    save(path, figure)


def _accuracy_over_coverage(axes: Axes, curve: Sequence[CoveragePoint]) -> None:
    coverage, accuracy = [100 * each.coverage for each in curve], [100 * each.accuracy for each in curve]
    axes.plot(coverage, accuracy, color=_VALIDATION)
    for each in curve:
        if round(100 * each.threshold) % 10 == 0 and each.coverage > 0.02:
            axes.plot(100 * each.coverage, 100 * each.accuracy, "o", ms=4, color=_VALIDATION)
            axes.annotate(f"{each.threshold:.1f}", (100 * each.coverage, 100 * each.accuracy), (3, 3),
                          textcoords="offset points")  # fmt: skip
    axes.set_xlabel("images named, %: those whose confidence reaches the threshold at the point")
    axes.set_ylabel("accuracy of these, %")
    axes.set_xlim(0, 105)


def _accuracy_over_confidence(accuracy: Axes, share: Axes, bins: Sequence[Bin]) -> None:
    confidence = [100 * each.confidence for each in bins]
    accuracy.plot((0, 100), (0, 100), "--", color=_TRAINING, label="calibrated")
    accuracy.plot(confidence, [100 * each.accuracy for each in bins], "o-", ms=4, color=_VALIDATION, label="model")
    accuracy.set_ylabel("accuracy, %")
    accuracy.set_ylim(0, 102)
    accuracy.legend(frameon=False)
    share.bar(confidence, [each.images for each in bins], width=4, color=_VALIDATION)
    share.set_ylabel("images")
    share.set_xlabel("confidence, %")
    accuracy.sharex(share)
    accuracy.tick_params(labelbottom=False)
    share.set_xlim(0, 100)


def detection_curves(path: Path, curves: Mapping[str, DetectionCurve], title: str) -> None:
    """Plot the true positive rate of detectors over their false positives per image.

    Args:
        path: PNG file to write.
        curves: by the name of the detector.
        title: of the figure.
    """
    figure = Figure(figsize=(7, 4.8), layout="constrained")
    axes = figure.subplots()
    for number, (name, curve) in enumerate(curves.items()):
        false, rate = curve.at_threshold
        x = np.concatenate([[0.0], curve.false_positives_per_image])
        y = 100 * np.concatenate([[0.0], curve.true_positive_rate])
        axes.plot(x, y, color=f"C{number}", label=f"{name}")
        marker, label = "osD^vP*X"[number % 8], f"its own threshold: {100 * rate:.1f} % at {false:.2f}"
        axes.plot(false, 100 * rate, marker, color=f"C{number}", ms=8, label=label, clip_on=False)
    axes.set_xlabel("false positives per image")
    axes.set_ylabel("true positive rate, %")
    axes.set_ylim(0, 102)
    axes.margins(x=0.03)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower right")
    axes.set_title(title)
    save(path, figure)


def save(path: Path, figure: Figure) -> None:
    """Write a figure as PNG, atomically."""
    figure.set_dpi(110)
    with atomic_write(path) as temporary:
        # figure.savefig would lay out and draw the figure twice.
        FigureCanvasAgg(figure).print_png(temporary)  # type: ignore[no-untyped-call]
