"""Class scores over time, one average for each face."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

_FIRST_IMAGE = 0.1
"""Seconds of watching that the first image of a face counts for. It has no time before it that it could stand for;
counting it fully would let one bad first image color the next half second."""


@dataclass(frozen=True)
class _Average:
    stamp: float
    weight: float
    total: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        return self.total / self.weight


class Smoothing:
    """A weighted average in which the past fades exponentially.

    Its pace is set in seconds and every image counts for the time since the one before, so that it is the same at
    every frame rate and does not mind missing frames.

    Args:
        time_constant: seconds after which a lasting change has reached 63 % of its size; 0 turns smoothing off.
    """

    def __init__(self, time_constant: float = 0.15):
        if not 0 <= time_constant < math.inf:
            raise ValueError(f"time_constant must be 0 or more seconds, not {time_constant}")
        self._time_constant = time_constant
        self._averages: dict[str, _Average] = {}

    def update(self, face_id: str, scores: np.ndarray, stamp: float, weight: float = 1.0) -> np.ndarray:
        """The average of a face's scores up to now; it starts anew when time jumps back.

        Args:
            face_id: whose scores.
            scores: (classes,), sum 1.
            stamp: when the image was taken, seconds.
            weight: above 0; how much this image counts beside others. Where every image counts as little, the
                average is the same as where each counts fully.

        Returns:
            (classes,), sum 1.
        """
        if self._time_constant == 0:
            return scores
        held = self._averages.get(face_id)
        if held is None or stamp < held.stamp:
            gain = weight * (1 - math.exp(-_FIRST_IMAGE / self._time_constant))
            self._averages[face_id] = _Average(stamp, gain, gain * scores)
            return scores
        kept = math.exp(-(stamp - held.stamp) / self._time_constant)
        gain = weight * (1 - kept)
        average = _Average(stamp, kept * held.weight + gain, kept * held.total + gain * scores)
        self._averages[face_id] = average
        return average.mean

    def keep_only(self, face_ids: set[str]) -> None:
        """Forgets every face that is not among `face_ids`."""
        self._averages = {face_id: held for face_id, held in self._averages.items() if face_id in face_ids}
