"""Where a face that moves evenly will be."""

from __future__ import annotations

import math

from fer_ros.types import Box

_MEMORY = 0.15
"""Seconds over which velocities are averaged: calms a detector's jitter and still follows a turn."""
_PERSISTENCE = 1.0
"""Seconds for which an unseen face is thought to walk on; people stop."""


class Motion:
    """Position and velocity of one face in pixels and seconds.

    An alpha-beta filter whose gain follows the time between images, so that it predicts alike at any frame rate. The
    size is not extrapolated: between two images it changes less than a detector's boxes jitter.
    """

    def __init__(self, box: Box, stamp: float):
        self._box = box
        self._stamp = stamp
        self._velocity = (0.0, 0.0)
        self._steps = 0

    def at(self, stamp: float) -> Box:
        """The box expected at `stamp` (s)."""
        ahead = _PERSISTENCE * (1 - math.exp(-max(0.0, stamp - self._stamp) / _PERSISTENCE))
        dx, dy = (round(speed * ahead) for speed in self._velocity)
        return Box(self._box.x + dx, self._box.y + dy, self._box.width, self._box.height)

    def see(self, box: Box, stamp: float) -> None:
        """The face was found in `box` at `stamp` (s)."""
        elapsed = stamp - self._stamp
        if elapsed > 0:
            self._steps += 1
            gain = max(1 - math.exp(-elapsed / _MEMORY), 1 / self._steps)
            self._velocity = tuple(
                speed + gain * ((now - before) / elapsed - speed)
                for speed, now, before in zip(self._velocity, box.center, self._box.center, strict=True)
            )
        self._box, self._stamp = box, max(stamp, self._stamp)
