# SPDX-License-Identifier: Apache-2.0
"""Compare several models on the same images, with confidence intervals and significance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from fer_ros.datasets.registry import FaceImages
from fer_ros.emotion.classifier import Classifier
from fer_ros.evaluation import metrics, profiling, robustness
from fer_ros.evaluation.metrics import Evaluation
from fer_ros.evaluation.profiling import Profile
from fer_ros.evaluation.robustness import PERTURBATIONS, Robustness

Table = tuple[Sequence[str], list[tuple[str, ...]]]
"""Heading and rows; the first cell of each is its name."""


@dataclass(frozen=True)
class EvaluatedModel:
    """A model with everything that was measured of it."""

    model_id: str
    network: str
    result: Evaluation
    correct: np.ndarray
    """(N,) bool: which images are classified correctly."""
    profile: Profile
    robustness: Robustness | None = None

    def to_dict(self) -> dict[str, Any]:
        return {
            "model": self.model_id,
            "network": self.network,
            **self.result.to_dict(),
            "profile": self.profile.to_dict(),
            "robustness": self.robustness.to_dict() if self.robustness else None,
        }


def evaluate(
    model: str | Path, classifier: Classifier, images: FaceImages, *, robust: bool = False, **views: bool
) -> EvaluatedModel:
    """Evaluate and profile a model.

    Args:
        model: name or path of the model file.
        classifier: loaded from it.
        images: gray crops of the classifier's input size.
        robust: also measure the accuracy under perturbations.
        **views: `flip` or `ten_crop`, as for `metrics.scores`.

    Raises:
        DataError: the images have a label that the model lacks.
    """
    targets = metrics.targets_for(classifier.labels, images)
    scores = metrics.scores(classifier, images, **views)
    return EvaluatedModel(
        classifier.model_id,
        classifier.metadata.network,
        metrics.measure(scores, targets, classifier.labels),
        scores.argmax(axis=1) == targets,
        profiling.profile(model, classifier.backend),
        robustness.measure(classifier, images) if robust else None,
    )


def side_by_side(models: Sequence[EvaluatedModel]) -> Table:
    """Return all measures with a column for each model; accuracy, F1 and recall in percent."""
    first = models[0]
    shown = [label for label, row in first.result.per_class.items() if row["support"]]
    lines = [
        ("network", [one.network for one in models]),
        ("accuracy", [f"{100 * one.result.accuracy:.2f}" for one in models]),
        ("95 % confidence interval", [_interval(one.correct) for one in models]),
        ("difference to the first", ["", *(_difference(first.correct, one.correct) for one in models[1:])]),
        ("McNemar's p", ["", *(f"{mcnemar(first.correct, one.correct):.2g}" for one in models[1:])]),
        ("balanced accuracy", [f"{100 * one.result.macro_recall:.2f}" for one in models]),
        ("macro F1", [f"{100 * one.result.macro_f1:.1f}" for one in models]),
        ("ECE", [metrics.ece_text(one.result) for one in models]),
        *((f"recall of {label}", [f"{100 * one.result.per_class[label]['recall']:.1f}" for one in models])
          for label in shown),
        ("parameters", [f"{one.profile.parameters:,}" for one in models]),
        ("10^6 multiply-accumulates", [f"{one.profile.multiply_accumulates / 1e6:.2f}" for one in models]),
        ("file, KiB", [f"{one.profile.file_bytes / 1024:,.0f}" for one in models]),
        ("peak memory, MiB", [f"{one.profile.peak_memory_bytes / 2**20:.0f}" for one in models]),
        ("latency per face, ms", [f"{one.profile.milliseconds:.2f}" for one in models]),
        ("CPU per face, ms", [f"{one.profile.cpu_milliseconds:.2f}" for one in models]),
    ]  # fmt: skip
    return ("", *(one.model_id for one in models)), [(name, *cells) for name, cells in lines]


def robustness_tables(models: Sequence[EvaluatedModel]) -> list[Table]:
    """Return accuracy under each perturbation, in percent, with a column for each model; empty if not measured."""
    measured = [(one.model_id, one.robustness) for one in models if one.robustness]
    if not measured:
        return []
    tables: list[Table] = []
    for perturbation, head in PERTURBATIONS.items():
        columns = [getattr(result, perturbation) for _, result in measured]
        rows = [
            (f"{same[0].value:g}", *(f"{100 * row.all_images:.1f}" for row in same))
            for same in zip(*columns, strict=True)
        ]
        tables.append(((head, *(name for name, _ in measured)), rows))
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
