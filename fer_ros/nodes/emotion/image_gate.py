"""Which images of one camera are processed: not those that come late, nor more than are wanted."""

from __future__ import annotations

import math
from enum import Enum, auto

JUMP = 1.0
"""Seconds. What is behind by less was overtaken on its way. More, or for longer, is another time: a looped recording,
or a clock that was set."""


class Decision(Enum):
    """What is to become of an image."""

    ANSWER = auto()
    ANSWER_ANEW = auto()
    """Time has jumped back: what is remembered of the people belongs to another time."""
    LATE = auto()
    TOO_SOON = auto()


class ImageGate:
    """Judges the images of one camera, in the order in which they arrive."""

    def __init__(self):
        self.forget()

    def forget(self) -> None:
        """The next image may be of any time."""
        self._newest = -math.inf
        self._answered_at = -math.inf
        self._turn = -math.inf

    def judge(self, stamp: float, arrived: float, max_rate: float) -> Decision:
        """What is to become of an image; what is to be processed counts as processed from now on.

        Args:
            stamp: when it was taken, seconds on the camera's clock.
            arrived: seconds on a clock of this machine that never jumps.
            max_rate: images a second of that clock that are wanted on average, so that the work is bounded also when a
                recording is played quickly; 0: all.
        """
        behind = self._newest - stamp
        if 0 < behind < JUMP and arrived - self._answered_at < JUMP:
            return Decision.LATE
        if max_rate and arrived < self._turn + 1 / max_rate:
            return Decision.TOO_SOON
        if max_rate:
            # Turns follow each other evenly. An image that comes after its turn does not put off the next ones: else
            # half of the images of a 30 Hz camera would be lost to a rate of 29 Hz, and to jitter at 30 Hz.
            self._turn = max(self._turn + 1 / max_rate, arrived - 0.5 / max_rate)
        self._newest, self._answered_at = stamp, arrived
        return Decision.ANSWER_ANEW if behind > 0 else Decision.ANSWER
