# SPDX-License-Identifier: Apache-2.0
"""Constant-velocity prediction of a face's box."""

from __future__ import annotations

import math

from fer_ros.types import Box

_VELOCITY_TIME = 0.15
"""Time constant of the velocity average, s: smooths the detector's jitter and still follows a turn."""
_COASTING_TIME = 1.0
"""Time constant with which the motion of an unseen face decays, s; people stop."""


class Motion:
    """Position and velocity of one face.

    An alpha-beta filter whose gain depends on the time between two updates, so that it predicts alike at any frame
    rate. The size is not extrapolated: between two frames it changes less than a detector's boxes jitter.

    Args:
        box: first observation.
        stamp: its time, s.
    """

    def __init__(self, box: Box, stamp: float):
        self._box = box
        self._stamp = stamp
        self._velocity = (0.0, 0.0)
        """Pixels per second along x and y."""
        self._updates = 0

    def predict(self, stamp: float) -> Box:
        """Return the box expected at a time, s."""
        ahead = _COASTING_TIME * (1 - math.exp(-max(0.0, stamp - self._stamp) / _COASTING_TIME))
        dx, dy = (round(speed * ahead) for speed in self._velocity)
        return Box(self._box.x + dx, self._box.y + dy, self._box.width, self._box.height)

    def update(self, box: Box, stamp: float) -> None:
        """Add an observation.

        Args:
            box: where the face was detected.
            stamp: when, s.
        """
        elapsed = stamp - self._stamp
        if elapsed > 0:
            self._updates += 1
            gain = max(1 - math.exp(-elapsed / _VELOCITY_TIME), 1 / self._updates)
            (x, y), (last_x, last_y), (speed_x, speed_y) = box.center, self._box.center, self._velocity
            self._velocity = (
                speed_x + gain * ((x - last_x) / elapsed - speed_x),
                speed_y + gain * ((y - last_y) / elapsed - speed_y),
            )
        self._box, self._stamp = box, max(stamp, self._stamp)
