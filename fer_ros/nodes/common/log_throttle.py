# SPDX-License-Identifier: Apache-2.0
"""Limits how often the same message is logged, for errors that can occur with every image."""

from __future__ import annotations

import time

_MAX_REASONS = 32


class LogThrottle:
    """Allows each reason once per interval.

    Args:
        interval: seconds.
    """

    def __init__(self, interval: float = 10.0):
        self._interval = interval
        self._last: dict[str, float] = {}

    def allows(self, reason: str) -> bool:
        """Return whether to log `reason` now; a reason that was not logged during the last interval is allowed."""
        now = time.monotonic()
        if now - self._last.get(reason, -self._interval) < self._interval:
            return False
        if len(self._last) >= _MAX_REASONS:
            self._last.clear()
        self._last[reason] = now
        return True
