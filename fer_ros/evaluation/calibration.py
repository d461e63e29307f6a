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


FEW_IMAGES = 200
"""Up to so many images a temperature is never below 1, and measures of calibration are printed with a remark."""
_PRIOR_MEAN = float(np.log(1.25))
"""Log temperature: slightly softer than the network, as small validation sets are easier than new images."""
_PRIOR_STD = 0.25
"""Of the log temperature."""
_PRIOR_FADES = 300
"""Images after which the weight of the prior has fallen to 1 / e."""


def fit_temperature(logits: np.ndarray, targets: np.ndarray, images: int | None = None) -> float:
    """Return the temperature, between 1/20 and 20, that calibrates logits / temperature.

    It minimizes the log loss. With few images a log-normal prior is added, because on a handful of images that are all
    classified correctly the log loss is lowest at a temperature of 0. The weight of the prior, and the lower bound of
    200 / N on temperatures below 1, fade with the number of images; with thousands neither has an effect.

    Source: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.

    Args:
        logits: (N, classes) float.
        targets: (N,) int.
        images: number of different images, where several of the N are versions of one (default: N).
    """
    count = images or len(targets)
    strength = np.exp(-count / _PRIOR_FADES) / (2 * _PRIOR_STD**2 * count)

    def cost(log_temperature: float) -> float:
        loss = log_loss(logits / np.exp(log_temperature), targets)
        return float(loss + strength * (log_temperature - _PRIOR_MEAN) ** 2)

    low, high = np.log(max(1 / 20, min(1, FEW_IMAGES / count))), np.log(20)
    golden = (5**0.5 - 1) / 2
    # Golden-section search: the cost has a single minimum along the temperature.
    for _ in range(40):
        left, right = high - golden * (high - low), low + golden * (high - low)
        if cost(left) < cost(right):
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
