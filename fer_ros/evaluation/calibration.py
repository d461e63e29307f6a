# SPDX-License-Identifier: Apache-2.0
"""Calibration: temperature scaling, and how far a model's confidence is from its accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


def log_loss(logits: np.ndarray, targets: np.ndarray) -> float:
    """Return the mean cross entropy in nats.

    Args:
        logits: (N, classes) float; log-probabilities work as well.
        targets: (N,) int.
    """
    shifted = logits - logits.max(axis=1, keepdims=True)
    return float(np.mean(np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(targets)), targets]))


def fit_temperature(logits: np.ndarray, targets: np.ndarray) -> float:
    """Return the temperature, between 1/20 and 20, that minimizes the log loss of logits / temperature.

    Source: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.

    Args:
        logits: (N, classes) float.
        targets: (N,) int.
    """
    low, high = np.log(1 / 20), np.log(20)
    golden = (5**0.5 - 1) / 2
    # Golden-section search: the loss has a single minimum along the temperature.
    for _ in range(40):
        left, right = high - golden * (high - low), low + golden * (high - low)
        if log_loss(logits / np.exp(left), targets) < log_loss(logits / np.exp(right), targets):
            high = right
        else:
            low = left
    return float(np.exp((low + high) / 2))


@dataclass(frozen=True)
class Bin:
    """Predictions whose confidence lies in one interval, a point of a reliability diagram."""

    images: int
    confidence: float
    """Mean, 0..1."""
    accuracy: float
    """0..1."""


def reliability_bins(scores: np.ndarray, targets: np.ndarray, bins: int = 15) -> tuple[Bin, ...]:
    """Return accuracy and mean confidence of the predictions in equal intervals of confidence, from low to high.

    Args:
        scores: (N, classes) float; rows sum to 1.
        targets: (N,) int.
        bins: number of intervals of 0..1; those without predictions are left out.
    """
    confidence = scores.max(axis=1)
    correct = scores.argmax(axis=1) == targets
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    members = [index == number for number in np.unique(index)]
    return tuple(Bin(int(each.sum()), float(confidence[each].mean()), float(correct[each].mean())) for each in members)


def expected_calibration_error(bins: Sequence[Bin]) -> float:
    """Return the expected calibration error (ECE), 0..1: mean of |accuracy - confidence| over all images.

    Source: Naeini et al., "Obtaining Well Calibrated Probabilities Using Bayesian Binning", AAAI 2015.
    """
    gaps = sum(each.images * abs(each.accuracy - each.confidence) for each in bins)
    return gaps / sum(each.images for each in bins)
