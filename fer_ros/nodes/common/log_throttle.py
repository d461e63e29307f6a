# SPDX-License-Identifier: Apache-2.0
"""Limits how often errors of one kind are logged, for those that can occur with every image."""

from __future__ import annotations

import time

_MAX_KINDS = 32


class LogThrottle:
    """Allows each kind of message once per interval, and counts those in between.

    A kind is a fixed text without numbers or names: sixty truncated images differ in their lengths, but are one kind.

    Args:
        interval: seconds.
    """

    def __init__(self, interval: float = 10.0):
        self._interval = interval
        self._last: dict[str, float] = {}
        self._suppressed: dict[str, int] = {}
        self._reported: dict[str, int] = {}

    def allows(self, kind: str) -> bool:
        """Return whether to log a message of this kind now; one that was not logged during the last interval is."""
        now = time.monotonic()
        if now - self._last.get(kind, -self._interval) < self._interval:
            self._suppressed[kind] = self._suppressed.get(kind, 0) + 1
            return False
        if len(self._last) >= _MAX_KINDS and kind not in self._last:
            self._last.clear()
            self._suppressed.clear()
            self._reported.clear()
        self._last[kind] = now
        self._reported[kind] = self._suppressed.pop(kind, 0)
        return True

    def repeats(self, kind: str) -> str:
        """Return a note for the end of the message just allowed: how many of its kind were not logged before it."""
        count = self._reported.get(kind, 0)
        return f" ({count} more of this kind since the last such message)" if count else ""
