"""Class scores over time, one average for each face."""

from __future__ import annotations

import math

import numpy as np


class Smoothing:
    """An exponential average whose pace is set in seconds, so that it is the same at every frame rate.

    Args:
        time_constant: seconds after which a lasting change has reached 63 % of its size; 0 turns smoothing off.
    """

    def __init__(self, time_constant: float = 0.5):
        if time_constant < 0:
            raise ValueError(f"time_constant must not be negative, not {time_constant}")
        self._time_constant = time_constant
        self._averages: dict[str, tuple[float, np.ndarray]] = {}

    def update(self, face_id: str, scores: np.ndarray, stamp: float) -> np.ndarray:
        """The average of a face's (classes,) scores up to `stamp` (s); the first scores are taken as they are."""
        if face_id in self._averages:
            last_stamp, average = self._averages[face_id]
            scores = average + self._weight(stamp - last_stamp) * (scores - average)
        self._averages[face_id] = stamp, scores
        return scores

    def keep_only(self, face_ids: set[str]) -> None:
        """Forgets every face that is not among `face_ids`."""
        self._averages = {face_id: held for face_id, held in self._averages.items() if face_id in face_ids}

    def _weight(self, elapsed: float) -> float:
        if self._time_constant == 0:
            return 1.0
        return 1 - math.exp(-max(elapsed, 0.0) / self._time_constant)
