"""Makes a model's scores mean what they say, and measures how far they do."""

from __future__ import annotations

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


def calibration_error(scores: np.ndarray, targets: np.ndarray, bins: int = 15) -> float:
    """Expected calibration error (Naeini et al. 2015), 0..1: how far confidence lies from accuracy, in equal bins.

    Args:
        scores: (N, classes), rows sum to 1.
        targets: (N,) int.
        bins: how many equal parts 0..1 is cut into.
    """
    confidence = scores.max(axis=1)
    gap = (scores.argmax(axis=1) == targets) - confidence
    # Summed within a bin, gaps are its size times the difference between its accuracy and its confidence.
    in_bin = np.bincount(np.minimum((confidence * bins).astype(int), bins - 1), weights=gap, minlength=bins)
    return float(np.abs(in_bin).sum() / len(targets))
