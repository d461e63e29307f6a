# SPDX-License-Identifier: Apache-2.0
"""Risk against coverage: how accurate a model is on the images that it names at a threshold on its confidence.

After Geifman and El-Yaniv, "Selective Classification for Deep Neural Networks", NIPS 2017.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

THRESHOLDS = tuple(number / 100 for number in range(100))
"""On the confidence: the values of the node's parameter `smoothing.min_confidence`, to two decimals."""
ACCURACIES = (0.8, 0.85, 0.9, 0.95)
"""Accuracies for which a report gives threshold and coverage."""


@dataclass(frozen=True)
class CoveragePoint:
    """What a threshold on the confidence gives, all 0..1."""

    threshold: float
    coverage: float
    """Share of the images whose confidence reaches the threshold."""
    accuracy: float
    """Of these images; 1 - risk."""


def coverage_curve(scores: np.ndarray, targets: np.ndarray) -> tuple[CoveragePoint, ...]:
    """Return the points of `THRESHOLDS`, from low to high, as far as an image reaches them.

    Args:
        scores: (N, classes) float; rows sum to 1.
        targets: (N,) int.

    >>> scores = np.array([[0.9, 0.1], [0.7, 0.3], [0.4, 0.6]])
    >>> coverage_curve(scores, np.array([0, 1, 1]))[80]
    CoveragePoint(threshold=0.8, coverage=0.3333333333333333, accuracy=1.0)
    """
    confidence, correct = scores.max(axis=1), scores.argmax(axis=1) == targets
    named = [(threshold, confidence >= threshold) for threshold in THRESHOLDS]
    return tuple(CoveragePoint(at, float(mask.mean()), float(correct[mask].mean())) for at, mask in named if mask.any())


def area_under_risk_coverage(scores: np.ndarray, targets: np.ndarray) -> float:
    """Return the area under the risk-coverage curve (AURC), 0..1: the mean risk over all coverages; lower is better.

    It depends on the order of the confidences only, not on their calibration. Images of equal confidence count in the
    order in which they are given.

    Args:
        scores: (N, classes) float.
        targets: (N,) int.
    """
    order = np.argsort(-scores.max(axis=1), kind="stable")
    mistakes = (scores.argmax(axis=1) != targets)[order]
    return float(np.mean(np.cumsum(mistakes) / np.arange(1, len(targets) + 1)))


def point_for(curve: Sequence[CoveragePoint], accuracy: float) -> CoveragePoint | None:
    """Return the point of the lowest threshold that reaches an accuracy, 0..1; None if none does."""
    return next((point for point in curve if point.accuracy >= accuracy), None)


def rows(curve: Sequence[CoveragePoint]) -> list[tuple[str, str, str]]:
    """Return accuracy, threshold and coverage for each of `ACCURACIES`, as text."""
    points = [(accuracy, point_for(curve, accuracy)) for accuracy in ACCURACIES]
    return [
        (
            f"{100 * accuracy:.0f} %",
            *((f"{point.threshold:.2f}", f"{100 * point.coverage:.1f} %") if point else ("-", "-")),
        )
        for accuracy, point in points
    ]
