# SPDX-License-Identifier: Apache-2.0
"""Compare several models on the same images, with confidence intervals and significance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from fer_ros.datasets.registry import FaceImages
from fer_ros.emotion.classifier import Classifier
from fer_ros.evaluation import metrics, profiling, robustness
from fer_ros.evaluation.metrics import Evaluation
from fer_ros.evaluation.perturbations import PERTURBATIONS
from fer_ros.evaluation.profiling import Profile
from fer_ros.evaluation.resources import ResourceMeter, Resources
from fer_ros.evaluation.robustness import Robustness

Table = tuple[Sequence[str], list[tuple[str, ...]]]
"""Heading and rows; the first cell of each is its name."""


@dataclass(frozen=True)
class TrainingRun:
    """What the folder of a training run says about its model."""

    recipe: str
    """Name of the recipe."""
    folder: Path
    epochs: tuple[dict[str, float], ...]
    """Rows of `metrics.csv`; old runs lack some columns."""

    @property
    def best(self) -> dict[str, float]:
        """Row of the epoch that the model is from."""
        return max(self.epochs, key=lambda row: row["validation_accuracy"])

    def total(self, column: str) -> float:
        """Return the sum of a column over the epochs."""
        return sum(row.get(column, 0.0) for row in self.epochs)

    @property
    def resources(self) -> Resources:
        """Of all epochs together; without CPU times and memory for runs that did not record them."""
        return Resources(
            seconds=self.total("seconds"),
            user_seconds=self.total("user_seconds"),
            system_seconds=self.total("system_seconds"),
            peak_memory_bytes=int(max(row.get("peak_memory_bytes", 0.0) for row in self.epochs)),
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "folder": str(self.folder),
            "epochs": len(self.epochs),
            "best_epoch": self.best,
            "resources": self.resources.to_dict(),
        }


@dataclass(frozen=True)
class EvaluatedModel:
    """A model with everything that was measured of it."""

    name: str
    """Different for each model of a comparison."""
    model_id: str
    path: Path
    network: str
    result: Evaluation
    correct: np.ndarray
    """(N,) bool: which images are classified correctly."""
    profile: Profile
    testing: Resources
    """That scoring the images took."""
    robustness: Robustness | None = None
    training: TrainingRun | None = None
    """None for a model file without the folder of its run."""

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "model": self.model_id,
            "path": str(self.path),
            "recipe": self.training.recipe if self.training else None,
            "network": self.network,
            **self.result.to_dict(),
            "profile": self.profile.to_dict(),
            "resources": {"testing": self.testing.to_dict()},
            "training": self.training.to_dict() if self.training else None,
            "robustness": self.robustness.to_dict() if self.robustness else None,
        }


def evaluate(
    path: Path,
    classifier: Classifier,
    images: FaceImages,
    *,
    name: str = "",
    robust: bool = False,
    training: TrainingRun | None = None,
    **views: Any,
) -> EvaluatedModel:
    """Evaluate and profile a model.

    Args:
        path: of the model file.
        classifier: loaded from it.
        images: gray crops of the classifier's input size.
        name: of the model; empty for the id of its file.
        robust: also measure the accuracy under perturbations.
        training: the run that trained it, if known.
        **views: `flip` or `ten_crop`, as for `metrics.scores`.

    Raises:
        DataError: the images have a label that the model lacks.
    """
    name = name or classifier.model_id
    targets = metrics.targets_for(classifier.labels, images)
    meter = ResourceMeter()
    scores = metrics.scores(classifier, images.pixels, progress=f"{name}: scoring", **views)
    testing = meter.resources()
    return EvaluatedModel(
        name,
        classifier.model_id,
        path,
        classifier.metadata.network,
        metrics.measure(scores, targets, classifier.labels),
        scores.argmax(axis=1) == targets,
        profiling.profile(path, classifier),
        testing,
        robustness.measure(classifier, images) if robust else None,
        training,
    )


def side_by_side(models: Sequence[EvaluatedModel]) -> Table:
    """Return all measures with a column for each model; accuracy, F1, recall and specificity in percent."""
    lines = [*_scores(models), *_training(models), *_costs(models)]
    return ("", *(one.name for one in models)), [(name, *cells) for name, cells in lines if any(cells)]


def _scores(models: Sequence[EvaluatedModel]) -> list[tuple[str, list[str]]]:
    first = models[0]
    shown = [label for label, row in first.result.per_class.items() if row.support]
    return [
        ("network", [one.network for one in models]),
        ("accuracy", [f"{100 * one.result.accuracy:.2f}" for one in models]),
        ("95 % confidence interval", [_interval(one.correct) for one in models]),
        ("difference to the first", ["", *(_difference(first.correct, one.correct) for one in models[1:])]),
        ("McNemar's p", ["", *(f"{mcnemar(first.correct, one.correct):.2g}" for one in models[1:])]),
        ("loss", [f"{one.result.log_loss:.3f}" for one in models]),
        ("balanced accuracy", [f"{100 * one.result.macro_recall:.2f}" for one in models]),
        ("macro precision", [f"{100 * one.result.macro_precision:.1f}" for one in models]),
        ("macro specificity", [f"{100 * one.result.macro_specificity:.1f}" for one in models]),
        ("macro F1", [f"{100 * one.result.macro_f1:.1f}" for one in models]),
        ("ECE", [metrics.ece_text(one.result) for one in models]),
        ("AURC", [f"{one.result.aurc:.3f}" for one in models]),
        *((f"recall of {label}", [f"{100 * one.result.per_class[label].recall:.1f}" for one in models])
          for label in shown),
    ]  # fmt: skip


def _training(models: Sequence[EvaluatedModel]) -> list[tuple[str, list[str]]]:
    def cells(of: Callable[[TrainingRun], str]) -> list[str]:
        return [of(one.training) if one.training else "" for one in models]

    return [
        ("epoch of the weights", cells(lambda run: f"{run.best['epoch']:.0f} of {len(run.epochs)}")),
        ("training accuracy, augmented", cells(lambda run: f"{100 * run.best['training_accuracy']:.2f}")),
        ("validation accuracy", cells(lambda run: f"{100 * run.best['validation_accuracy']:.2f}")),
        ("validation loss", cells(lambda run: f"{run.best['validation_loss']:.3f}")),
        ("training time, min", cells(lambda run: f"{run.total('seconds') / 60:.1f}")),
        ("training CPU, % of a core: user + system", cells(lambda run: _load(run.resources))),
        ("training memory, MiB", cells(lambda run: _mebibytes(run.resources.peak_memory_bytes))),
    ]


def _load(used: Resources) -> str:
    """Return user and system time in percent of a core; an empty text where they were not measured."""
    shares = [100 * each / max(used.seconds, 1e-9) for each in (used.user_seconds, used.system_seconds)]
    return f"{shares[0]:.0f} + {shares[1]:.0f}" if any(shares) else ""


def _mebibytes(size: float) -> str:
    return f"{size / 2**20:.0f}" if size else ""


def _costs(models: Sequence[EvaluatedModel]) -> list[tuple[str, list[str]]]:
    return [
        ("parameters", [f"{one.profile.parameters:,}" for one in models]),
        ("convolutions / poolings / dense layers", [profiling.layers_text(one.profile.layers) for one in models]),
        ("10^6 multiply-accumulates", [f"{one.profile.multiply_accumulates / 1e6:.2f}" for one in models]),
        ("file, KiB", [f"{one.profile.file_bytes / 1024:,.0f}" for one in models]),
        ("peak memory, MiB", [_mebibytes(one.profile.peak_memory_bytes) for one in models]),
        ("latency per face, ms", [f"{one.profile.milliseconds:.2f}" for one in models]),
        ("CPU per face, ms", [f"{one.profile.cpu_milliseconds:.2f}" for one in models]),
        ("testing CPU, % of a core: user + system", [_load(one.testing) for one in models]),
    ]  # fmt: skip


def robustness_tables(models: Sequence[EvaluatedModel]) -> list[Table]:
    """Return accuracy under each perturbation, in percent, with a column for each model; empty if not measured."""
    measured = [(one.name, one.robustness) for one in models if one.robustness]
    if not measured:
        return []
    tables: list[Table] = []
    for perturbation, kind in PERTURBATIONS.items():
        columns = [result.rows[perturbation] for _, result in measured]
        rows = [
            (robustness.value_text(same[0].value), *(f"{100 * row.all_images:.1f}" for row in same))
            for same in zip(*columns, strict=True)
        ]
        tables.append(((kind.title, *(name for name, _ in measured)), rows))
    return tables


def text(table: Table) -> str:
    """Return a table as aligned text."""
    head, rows = table
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    return "\n".join(
        "  ".join([name.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True))])
        for name, *cells in (head, *rows)
    )


def mcnemar(first: np.ndarray, second: np.ndarray) -> float:
    """Return the p-value of McNemar's exact test (1947): can the difference of two models be chance?

    Args:
        first: (N,) bool, which images the first model classifies correctly.
        second: the same of the second model.
    """
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    if only_first + only_second == 0:
        return 1.0
    return float(stats.binomtest(only_first, only_first + only_second).pvalue)


def _interval(correct: np.ndarray) -> str:
    """Return the Wilson score interval (1927)."""
    interval = stats.binomtest(int(correct.sum()), len(correct)).proportion_ci(method="wilson")
    return f"{100 * interval.low:.1f} to {100 * interval.high:.1f}"


def _difference(first: np.ndarray, second: np.ndarray) -> str:
    """Return the difference and half the width of its 95 % interval, by the normal approximation for paired samples."""
    gains = second.astype(float) - first
    return f"{100 * gains.mean():+.2f} ± {196 * gains.std() / len(gains) ** 0.5:.2f}"
