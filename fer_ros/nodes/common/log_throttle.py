# SPDX-License-Identifier: Apache-2.0
"""Limits how often errors of one kind are logged, for those that can occur with every image."""

from __future__ import annotations

import time
import traceback
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rclpy.impl.rcutils_logger import RcutilsLogger

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


def log_unhandled(logger: RcutilsLogger | Any, throttle: LogThrottle, error: BaseException, activity: str) -> None:
    """Log an unexpected exception with its traceback, at most once per interval of the throttle and place of the code.

    Args:
        logger: of the node.
        throttle: of the caller.
        error: caught.
        activity: what failed, as in "processing an image".
    """
    # By its type and place: its text may have numbers that differ with every message.
    place = (traceback.extract_tb(error.__traceback__) or [None])[-1]
    kind = f"{type(error).__name__} in {place.filename}:{place.lineno}" if place else type(error).__name__
    if throttle.allows(kind):
        lines = "".join(traceback.format_exception(error)).rstrip()
        logger.error(f"unhandled error while {activity}; the node keeps running{throttle.repeats(kind)}:\n{lines}")
