# SPDX-License-Identifier: Apache-2.0
"""Measure how long the stages of a computation take."""

from __future__ import annotations

import time


class Stopwatch:
    """Starts when it is created; each `lap` ends a stage."""

    def __init__(self) -> None:
        self._started = self._last = time.perf_counter()
        self.laps: dict[str, float] = {}
        """Wall time of each stage in seconds, in the order in which they ended."""

    @property
    def total(self) -> float:
        """Wall time since the start, seconds."""
        return time.perf_counter() - self._started

    def lap(self, stage: str) -> None:
        """End `stage`, which began with the previous lap."""
        now = time.perf_counter()
        self.laps[stage] = now - self._last
        self._last = now
