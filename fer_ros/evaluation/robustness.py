# SPDX-License-Identifier: Apache-2.0
"""Accuracy and calibration under perturbations: rotation, brightness, blur, noise, covers, other crops.

After Lyu, "Facial Expression Recognition based on Mini_Xception", who rotates and brightens 21 images of PublicTest,
three of each class, that the network recognizes. With 21 images one draw differs much from the next, so this measures
all images, all that are recognized, and the spread over many draws of three for each class. The covers are those that
Rao et al., "A Light Weight Convolution Neural Network For Real time Facial Expression Detection", show.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from fer_ros.datasets.registry import DataError, FaceImages
from fer_ros.emotion.classifier import Classifier
from fer_ros.evaluation import metrics
from fer_ros.evaluation.calibration import expected_calibration_error, reliability_bins
from fer_ros.evaluation.perturbations import PERTURBATIONS, Value
from fer_ros.progress_bar import with_progress

DRAWS = 500
"""Random draws of `PER_CLASS` recognized images for each class."""
PER_CLASS = 3
_SPREAD = (5, 95)
"""Percentiles of the accuracy over the draws."""
_ROTATION: dict[Value, str] = {1: "95.2", 4: "90.5", 8: "80.9", 10: "76.2", 15: "57.1", 30: "42.9", 45: "28.6"}
_BRIGHTNESS: dict[Value, str] = {
    **{0.3: "66.7", 0.5: "76.2", 0.7: "85.7", 0.9: "95.2", 1.1: "100.0", 1.2: "85.7"},
    **{1.3: "80.9", 1.4: "61.9", 1.5: "57.1", 1.8: "14.3", 2.2: "< 9.5", 2.5: "< 9.5", 3.0: "< 9.5"},
}
PUBLISHED = {"rotation": _ROTATION, "rotation_black": _ROTATION, "brightness": _BRIGHTNESS}
"""Accuracy that Lyu reports for 21 images, percent."""


@dataclass(frozen=True)
class PerturbedAccuracy:
    """Accuracy and calibration, 0..1, under one perturbation."""

    value: Value
    """Degrees, brightness factor, pixels, gray levels, sides of the image, or name of the covered part."""
    all_images: float
    recognized: float
    """Of all images that are recognized unperturbed."""
    drawn: float
    """Mean over draws of some recognized images of each class."""
    drawn_low: float
    """5th percentile over the draws."""
    drawn_high: float
    """95th percentile over the draws."""
    ece: float
    """Expected calibration error of all images."""


@dataclass(frozen=True)
class Robustness:
    """Accuracy under every perturbation."""

    images: int
    unperturbed: float
    """Accuracy on all images without perturbation, 0..1."""
    unperturbed_ece: float
    """Expected calibration error of the same."""
    recognized_images: int
    drawn_images: int
    """Number of images of a draw."""
    rows: dict[str, tuple[PerturbedAccuracy, ...]]
    """By the name of the perturbation, in the order of its values."""

    def to_dict(self) -> dict[str, Any]:
        values = asdict(self)
        rows = values.pop("rows")
        return {**values, **rows}


def measure(classifier: Classifier, images: FaceImages, per_class: int = PER_CLASS) -> Robustness:
    """Measure accuracy and calibration under perturbations, with a progress bar on a terminal.

    Args:
        classifier: the model.
        images: gray crops of the classifier's input size.
        per_class: number of recognized images of each class in a draw.

    Raises:
        DataError: the images have a label that the model lacks, or the model recognizes none of them.
    """
    targets = metrics.targets_for(classifier.labels, images)

    def answers(versions: Sequence[np.ndarray]) -> tuple[np.ndarray, float]:
        """Return the share of right answers for each image, (N,) 0..1, and the calibration error."""
        scores = [metrics.scores(classifier, pixels) for pixels in versions]
        accuracy = np.mean([each.argmax(axis=1) == targets for each in scores], axis=0)
        bins = reliability_bins(np.concatenate(scores), np.tile(targets, len(scores)))
        return accuracy, expected_calibration_error(bins)

    unperturbed, unperturbed_ece = answers([images.pixels])
    recognized = unperturbed == 1
    if not recognized.any():
        raise DataError(
            "the model recognizes none of the images, so robustness cannot be measured; use a better model or more "
            "images"
        )
    draws = _draws(targets, recognized, per_class)
    rows: dict[str, list[PerturbedAccuracy]] = {name: [] for name in PERTURBATIONS}
    steps = [(name, value) for name, each in PERTURBATIONS.items() for value in each.values]
    for name, value in with_progress(steps, "robustness"):
        accuracy, ece = answers(PERTURBATIONS[name].apply(images.pixels, value))
        rows[name].append(_accuracies(value, accuracy, recognized, draws, ece))
    return Robustness(
        images=len(images),
        unperturbed=float(recognized.mean()),
        unperturbed_ece=unperturbed_ece,
        recognized_images=int(recognized.sum()),
        drawn_images=draws.shape[1],
        rows={name: tuple(each) for name, each in rows.items()},
    )


def _draws(targets: np.ndarray, recognized: np.ndarray, per_class: int) -> np.ndarray:
    """Return (DRAWS, M) int indices: in each row up to `per_class` different recognized images of each class."""
    random = np.random.default_rng(0)
    of_classes = [np.flatnonzero(recognized & (targets == target)) for target in np.unique(targets)]
    return np.stack(
        [
            np.concatenate([random.permutation(of_class)[:per_class] for of_class in of_classes])
            for _ in range(DRAWS)
        ]
    )  # fmt: skip


def _accuracies(
    value: Value, accuracy: np.ndarray, recognized: np.ndarray, draws: np.ndarray, ece: float
) -> PerturbedAccuracy:
    """Return the means of `accuracy`, (N,) 0..1 for each image, over all images, those recognized, and the draws."""
    of_draws = accuracy[draws].mean(axis=1)
    low, high = np.percentile(of_draws, _SPREAD)
    return PerturbedAccuracy(
        value=value,
        all_images=float(accuracy.mean()),
        recognized=float(accuracy[recognized].mean()),
        drawn=float(of_draws.mean()),
        drawn_low=float(low),
        drawn_high=float(high),
        ece=ece,
    )


def tables(result: Robustness) -> list[tuple[tuple[str, ...], list[tuple[str, ...]]]]:
    """Return heading and rows of each perturbation: percentages, calibration error, and Lyu's where published."""

    def cells(row: PerturbedAccuracy, published: Mapping[Value, str]) -> tuple[str, ...]:
        spread = f"{100 * row.drawn:.1f} ({100 * row.drawn_low:.1f} to {100 * row.drawn_high:.1f})"
        shares = (f"{100 * share:.1f}" for share in (row.all_images, row.recognized))
        return value_text(row.value), f"{row.ece:.3f}", *shares, spread, published.get(row.value, "")

    heads = (
        "ECE",
        "all images",
        f"all {result.recognized_images} recognized",
        f"{result.drawn_images} of them, {DRAWS} draws",
    )
    return [
        (
            (PERTURBATIONS[name].title, *heads, "Lyu, of 21" if name in PUBLISHED else ""),
            [cells(row, PUBLISHED.get(name, {})) for row in rows],
        )
        for name, rows in result.rows.items()
    ]


def value_text(value: Value) -> str:
    """Return a value as a cell of a table."""
    return value if isinstance(value, str) else f"{value:g}"


def table(result: Robustness) -> str:
    """Return the tables as aligned text."""
    shares = f"{100 * result.unperturbed:.1f} % of {result.images} images, ECE {result.unperturbed_ece:.3f}"
    lines = [f"unperturbed: {shares}"]
    for head, rows in tables(result):
        lines += ["", *_aligned([head, *rows])]
    return "\n".join(lines)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join([first.ljust(max(40, widths[0])), *(cell.rjust(n) for cell, n in zip(rest, widths[1:], strict=True))])
        .rstrip()
        for first, *rest in rows
    ]  # fmt: skip
