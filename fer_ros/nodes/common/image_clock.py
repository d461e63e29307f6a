# SPDX-License-Identifier: Apache-2.0
"""Times of images whose stamps may be missing or stand still, and the watch on simulated time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rclpy.clock import Clock, ClockType

if TYPE_CHECKING:
    from rclpy.node import Node

_CLOCK_TIMEOUT = 5.0
"""Seconds without a message on /clock after which a node with use_sim_time logs it."""
_MIN_REPEATS = 3
"""Images in a row whose stamp is that of the image before; fewer may be duplicates."""
_SECOND = 1_000_000_000


class ImageClock:
    """Gives each image of one camera a time: its stamp, or counted by arrival while the stamps do not advance.

    Drivers without a clock send 0, and simulators without /clock repeat one stamp. By such stamps no time would ever
    pass between two images: scores would freeze, and no face would appear or be lost.
    """

    def __init__(self) -> None:
        self._stamp: int | None = None
        self._time = self._arrival = self._repeats = 0

    @property
    def stands_still(self) -> bool:
        """Whether the stamps of the latest images do not advance, so that times are counted by arrival."""
        return self._repeats >= _MIN_REPEATS

    def time(self, stamp: int, arrival: int) -> int:
        """Return the time of the next image in nanoseconds, on the clock of the stamps.

        Args:
            stamp: of the image, nanoseconds; 0 means that there is none.
            arrival: when it arrived, nanoseconds of a steady clock.
        """
        if stamp == self._stamp or stamp == 0:
            self._repeats += 1
            self._time += arrival - self._arrival if self._stamp is not None else 0
        else:
            self._repeats = 0
            self._time = max(stamp, self._time) if self._is_overtaken(stamp) else stamp
        self._stamp, self._arrival = stamp, arrival
        return self._time

    def _is_overtaken(self, stamp: int) -> bool:
        """Return whether time counted by arrival is slightly ahead of a stamp, as with clocks of low resolution."""
        return self._stamp is not None and self._stamp < stamp and self._stamp < self._time < stamp + _SECOND


def explain_standstill(topic: str, stamp: int) -> str:
    """Return what is wrong with stamps that do not advance, and what to do.

    Args:
        topic: of the images.
        stamp: of the latest one, nanoseconds.
    """
    fault = f"have the same stamp, {stamp / _SECOND:.3f} s" if stamp else "have no stamp"
    return (
        f"consecutive images on {topic} {fault}: times are counted by their arrival, and results keep this stamp, so "
        "that tf2 and message filters cannot use them. Check the driver, or for simulated time that /clock is published"
    )


def warn_without_clock(node: Node) -> None:
    """Log once if a node uses simulated time and receives none, which leaves its clock at 0."""
    if not node.get_parameter("use_sim_time").value:
        return

    def check() -> None:
        node.destroy_timer(timer)
        if node.get_clock().now().nanoseconds == 0:
            node.get_logger().warning(
                "use_sim_time is true, but no time arrives on /clock: start the simulator, play the recording with "
                "`ros2 bag play --clock 100`, or set use_sim_time to false"
            )

    timer: Any = node.create_timer(_CLOCK_TIMEOUT, check, clock=Clock(clock_type=ClockType.STEADY_TIME))
