# SPDX-License-Identifier: Apache-2.0
"""Exponential smoothing of class scores over time, for each face."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

_FIRST_INTERVAL = 0.1
"""Seconds that the first image of a face stands for, as there is no image before it. If it counted in full, one bad
first image would dominate the next half second."""


@dataclass(frozen=True)
class SmoothingSettings:
    """Settings of `Smoothing`.

    Raises:
        ValueError: a value is out of its range.
    """

    time_constant: float = 0.15
    """Seconds after which the average has followed 63 % of a lasting change; 0 turns smoothing off."""

    def __post_init__(self) -> None:
        if not 0 <= self.time_constant < math.inf:
            raise ValueError(f"time_constant must be 0 or more seconds, not {self.time_constant}")


@dataclass(frozen=True)
class _Average:
    stamp: float
    weight: float
    total: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        return self.total / self.weight


class Smoothing:
    """A weighted average of the scores of each face, in which the past decays exponentially.

    Each image counts for the time since the one before it, so that the average is the same at every frame rate and
    with missing frames.

    Args:
        settings: how fast the past decays.
    """

    def __init__(self, settings: SmoothingSettings = SmoothingSettings()):
        self._time_constant = settings.time_constant
        self._averages: dict[str, _Average] = {}

    def update(self, face_id: str, scores: np.ndarray, stamp: float, weight: float = 1.0) -> np.ndarray:
        """Return the average of a face's scores up to now; it restarts when stamps jump back.

        Args:
            face_id: of the face.
            scores: (classes,), sum 1.
            stamp: of the image, seconds.
            weight: above 0; how much this image counts relative to others. Only ratios matter: where all images have
                the same weight, the average does not depend on it.

        Returns:
            (classes,), sum 1.
        """
        if self._time_constant == 0:
            return scores
        previous = self._averages.get(face_id)
        if previous is None or stamp < previous.stamp:
            gain = weight * (1 - math.exp(-_FIRST_INTERVAL / self._time_constant))
            self._averages[face_id] = _Average(stamp, gain, gain * scores)
            return scores
        decay = math.exp(-(stamp - previous.stamp) / self._time_constant)
        gain = weight * (1 - decay)
        average = _Average(stamp, decay * previous.weight + gain, decay * previous.total + gain * scores)
        self._averages[face_id] = average
        return average.mean

    def keep_only(self, face_ids: Collection[str]) -> None:
        """Drop the averages of all faces that are not among `face_ids`."""
        self._averages = {face_id: held for face_id, held in self._averages.items() if face_id in face_ids}
