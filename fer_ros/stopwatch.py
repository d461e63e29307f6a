"""Tells how long each stage of some work has taken, without getting into its way."""

from __future__ import annotations

import time


class Stopwatch:
    """Runs from when it is made; each `lap` ends a stage."""

    def __init__(self):
        self._started = self._last = time.perf_counter()
        self.laps: dict[str, float] = {}
        """Seconds by stage, in the order in which they ended."""

    @property
    def total(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self._started

    def lap(self, stage: str) -> None:
        """Ends `stage`, which began with the last lap."""
        now = time.perf_counter()
        self.laps[stage] = now - self._last
        self._last = now
