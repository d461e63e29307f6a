"""Keeps a log readable when every image brings the same complaint."""

from __future__ import annotations

import time

_MOST_REASONS = 32


class LogThrottle:
    """Lets each reason through once in `interval` seconds; a reason not heard lately always gets through."""

    def __init__(self, interval: float = 10.0):
        self._interval = interval
        self._last: dict[str, float] = {}

    def allows(self, reason: str) -> bool:
        """Whether to log `reason` now."""
        now = time.monotonic()
        if now - self._last.get(reason, -self._interval) < self._interval:
            return False
        if len(self._last) >= _MOST_REASONS:
            self._last.clear()
        self._last[reason] = now
        return True
