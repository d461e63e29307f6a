"""Makes a model's scores mean what they say, and measures how far they do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


def log_loss(logits: np.ndarray, targets: np.ndarray) -> float:
    """Mean cross entropy in nats.

    Args:
        logits: (N, classes) float; log-probabilities do as well.
        targets: (N,) int.
    """
    shifted = logits - logits.max(axis=1, keepdims=True)
    return float(np.mean(np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(targets)), targets]))


def fit_temperature(logits: np.ndarray, targets: np.ndarray) -> float:
    """What to divide (N, classes) logits by for the lowest log loss (Guo et al. 2017), between 1/20 and 20."""
    low, high = np.log(1 / 20), np.log(20)
    golden = (5**0.5 - 1) / 2
    # The loss has one minimum along the temperature: golden-section search closes in on it.
    for _ in range(40):
        left, right = high - golden * (high - low), low + golden * (high - low)
        if log_loss(logits / np.exp(left), targets) < log_loss(logits / np.exp(right), targets):
            high = right
        else:
            low = left
    return float(np.exp((low + high) / 2))


@dataclass(frozen=True)
class Bin:
    """The answers whose confidence lies in one part of 0..1."""

    images: int
    confidence: float
    """Mean, 0..1."""
    accuracy: float
    """Share of them that is right, 0..1."""


def reliability(scores: np.ndarray, targets: np.ndarray, bins: int = 15) -> tuple[Bin, ...]:
    """How often answers are right, by their confidence from low to high; parts without answers are left out.

    Args:
        scores: (N, classes), rows sum to 1.
        targets: (N,) int.
        bins: how many equal parts 0..1 is cut into.
    """
    confidence = scores.max(axis=1)
    right = scores.argmax(axis=1) == targets
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    inside = [place == part for part in np.unique(place)]
    return tuple(Bin(int(one.sum()), float(confidence[one].mean()), float(right[one].mean())) for one in inside)


def calibration_error(bins: Sequence[Bin]) -> float:
    """Expected calibration error (Naeini et al. 2015), 0..1: how far confidence lies from accuracy, by images."""
    gaps = sum(each.images * abs(each.accuracy - each.confidence) for each in bins)
    return gaps / sum(each.images for each in bins)
