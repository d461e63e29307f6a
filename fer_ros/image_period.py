# SPDX-License-Identifier: Apache-2.0
"""Measure the time between the images of one camera, for durations that must span more than one image."""

from __future__ import annotations

import math
import statistics
from collections import deque

MISSED_PERIODS = 2.5
"""Periods for which what comes with the images must be missing at least, before it counts as gone: one was missed."""
JUMP = 1.0
"""Seconds by which stamps must fall for time to have jumped back, as when a recording restarts or a clock is set."""
_WINDOW = 5
"""Number of latest intervals; their median ignores a pause, and follows a new rate after three images."""
_LONGEST = 12.0
"""Seconds; 0.1 Hz with jitter. Images farther apart than this are unrelated: they do not prolong any duration."""


class ImagePeriod:
    """The median interval between the latest images of one camera.

    >>> period = ImagePeriod()
    >>> period.add(100.0)
    >>> period.until(102.0)
    2.0
    """

    def __init__(self) -> None:
        self._last = -math.inf
        self._intervals: deque[float] = deque(maxlen=_WINDOW)

    def add(self, stamp: float) -> None:
        """Add an image.

        Args:
            stamp: seconds; an interval that is not positive is not counted.
        """
        if stamp > self._last > -math.inf:
            self._intervals.append(stamp - self._last)
        self._last = stamp

    def pause(self) -> None:
        """Do not count the interval until the next image."""
        self._last = -math.inf

    @property
    def seconds(self) -> float:
        """The period in seconds; 0 while it is unknown, and for a camera slower than 0.1 Hz."""
        return _period(tuple(self._intervals))

    def until(self, stamp: float) -> float:
        """Return the period in seconds as if an image at `stamp` had been added; 0 as for `seconds`."""
        latest = (stamp - self._last,) if stamp > self._last > -math.inf else ()
        return _period((*self._intervals, *latest)[-_WINDOW:])


def _period(intervals: tuple[float, ...]) -> float:
    # The lower one of two: next to a short interval, a long one is a pause.
    period = statistics.median_low(intervals) if intervals else 0.0
    return period if period <= _LONGEST else 0.0
