"""Several models on the same images, side by side."""

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
from fer_ros.evaluation.profiling import Costs
from fer_ros.evaluation.robustness import CHANGES, Robustness

Table = tuple[Sequence[str], list[tuple[str, ...]]]
"""Heading and rows; the first cell of each says what the others are."""


@dataclass(frozen=True)
class Judged:
    """One model."""

    model_id: str
    network: str
    result: Evaluation
    right: np.ndarray
    """(N,) bool: which images it answers rightly."""
    costs: Costs
    robustness: Robustness | None = None

    def to_dict(self) -> dict[str, Any]:
        return {
            "model": self.model_id,
            "network": self.network,
            **self.result.to_dict(),
            "costs": self.costs.to_dict(),
            "robustness": self.robustness.to_dict() if self.robustness else None,
        }


def judge(
    model: str | Path, classifier: Classifier, images: FaceImages, *, robust: bool = False, **views: bool
) -> Judged:
    """Evaluates and measures a model; `views` as for `metrics.scores`.

    Raises:
        DataError: the data has images of a label that the model does not answer.
    """
    targets = metrics.targets_for(classifier.labels, images)
    scores = metrics.scores(classifier, images, **views)
    return Judged(
        classifier.model_id,
        classifier.metadata.network,
        metrics.measure(scores, targets, classifier.labels),
        scores.argmax(axis=1) == targets,
        profiling.measure(model, classifier.backend),
        robustness.measure(classifier, images) if robust else None,
    )


def side_by_side(models: Sequence[Judged]) -> Table:
    """Everything that was measured, a column for each model, shares in percent."""
    first = models[0]
    shown = [label for label, row in first.result.per_class.items() if row["support"]]
    lines = [
        ("network", [one.network for one in models]),
        ("accuracy", [f"{100 * one.result.accuracy:.2f}" for one in models]),
        ("95 % interval of it", [_interval(one.right) for one in models]),
        ("more than the first", ["", *(_difference(first.right, one.right) for one in models[1:])]),
        ("McNemar's p", ["", *(f"{mcnemar(first.right, one.right):.2g}" for one in models[1:])]),
        ("macro F1", [f"{100 * one.result.macro_f1:.1f}" for one in models]),
        ("ECE", [f"{one.result.ece:.3f}" for one in models]),
        *((f"recall of {label}", [f"{100 * one.result.per_class[label]['recall']:.1f}" for one in models])
          for label in shown),
        ("parameters", [f"{one.costs.parameters:,}" for one in models]),
        ("10^6 multiply-accumulates", [f"{one.costs.multiply_accumulates / 1e6:.2f}" for one in models]),
        ("file, KiB", [f"{one.costs.file_bytes / 1024:,.0f}" for one in models]),
        ("peak memory, MiB", [f"{one.costs.peak_memory_bytes / 2**20:.0f}" for one in models]),
        ("ms a face", [f"{one.costs.milliseconds:.2f}" for one in models]),
        ("ms of CPU a face", [f"{one.costs.cpu_milliseconds:.2f}" for one in models]),
    ]  # fmt: skip
    return ("", *(one.model_id for one in models)), [(name, *cells) for name, cells in lines]


def robustness_tables(models: Sequence[Judged]) -> list[Table]:
    """Accuracy on all images under each change, in percent, a column for each model; nothing if it was not measured."""
    measured = [(one.model_id, one.robustness) for one in models if one.robustness]
    if not measured:
        return []
    tables = []
    for change, head in CHANGES.items():
        columns = [getattr(result, change) for _, result in measured]
        rows = [
            (f"{same[0].value:g}", *(f"{100 * row.all_images:.1f}" for row in same))
            for same in zip(*columns, strict=True)
        ]
        tables.append(((head, *(name for name, _ in measured)), rows))
    return tables


def text(table: Table) -> str:
    """A table as aligned text."""
    head, rows = table
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    return "\n".join(
        "  ".join([name.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True))])
        for name, *cells in (head, *rows)
    )


def mcnemar(first: np.ndarray, second: np.ndarray) -> float:
    """McNemar's exact test (1947): how probable it is that two equally good models differ as much on these images.

    Args:
        first: (N,) bool, which images the one answers rightly.
        second: the same of the other.
    """
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    if only_first + only_second == 0:
        return 1.0
    return float(stats.binomtest(only_first, only_first + only_second).pvalue)


def _interval(right: np.ndarray) -> str:
    """Wilson's (1927)."""
    between = stats.binomtest(int(right.sum()), len(right)).proportion_ci(method="wilson")
    return f"{100 * between.low:.1f} to {100 * between.high:.1f}"


def _difference(first: np.ndarray, second: np.ndarray) -> str:
    """With half the width of its 95 % interval, by the normal approximation for pairs."""
    gains = second.astype(float) - first
    return f"{100 * gains.mean():+.2f} ± {196 * gains.std() / len(gains) ** 0.5:.2f}"
