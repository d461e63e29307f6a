# SPDX-License-Identifier: Apache-2.0
"""Decides which images of one camera are processed: none that arrive out of order, and no more than `max_rate`."""

from __future__ import annotations

import math
from enum import Enum, auto

from fer_ros.image_period import JUMP


class Decision(Enum):
    """What happens to an image."""

    PROCESS = auto()
    RESET_AND_PROCESS = auto()
    """Time has jumped back: the tracks belong to another time."""
    LATE = auto()
    """Not processed: a newer image was."""
    ABOVE_MAX_RATE = auto()
    """Not processed."""


class ImageGate:
    """Decides about the images of one camera in the order of their arrival."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Accept any stamp for the next image."""
        self._newest = -math.inf
        self._processed_at = -math.inf
        self._slot = -math.inf

    def decide(self, stamp: float, arrival: float, max_rate: float) -> Decision:
        """Return what happens to an image; if it is to be processed, it counts as processed.

        Args:
            stamp: of the image, seconds on the camera's clock.
            arrival: seconds on this machine's steady clock.
            max_rate: maximum number of images per second of that clock, on average, which bounds the work also for a
                recording that is played fast; 0 means no limit.
        """
        # An image that is older than the newest one by less than a jump was overtaken on its way, unless images stay
        # older for longer.
        behind = self._newest - stamp
        if 0 < behind < JUMP and arrival - self._processed_at < JUMP:
            return Decision.LATE
        if max_rate and arrival < self._slot + 1 / max_rate:
            return Decision.ABOVE_MAX_RATE
        if max_rate:
            # Slots are evenly spaced, and an image that arrives after its slot does not delay the next ones. Otherwise
            # a limit of 29 Hz, or of 30 Hz with jitter, would drop every other image of a 30 Hz camera.
            self._slot = max(self._slot + 1 / max_rate, arrival - 0.5 / max_rate)
        self._newest, self._processed_at = stamp, arrival
        return Decision.RESET_AND_PROCESS if behind > 0 else Decision.PROCESS
