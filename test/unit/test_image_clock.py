# SPDX-License-Identifier: Apache-2.0
"""Times of images whose stamps are missing, repeated or coarse."""

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2: make setup")

from fer_ros.nodes.common.image_clock import ImageClock

SECOND = 1_000_000_000


def times(stamps, period=0.1):
    """Return the times (s) of images that arrive at intervals of `period` seconds, and the clock."""
    clock = ImageClock()
    arrivals = (round((50 + number * period) * SECOND) for number in range(len(stamps)))
    result = [
        clock.time(round(stamp * SECOND), arrival) / SECOND for stamp, arrival in zip(stamps, arrivals, strict=True)
    ]
    return result, clock.stands_still


def test_clock_returns_stamps_that_advance():
    assert times([7.0, 7.1, 7.05, 7.2, 3.0, 900.0]) == ([7.0, 7.1, 7.05, 7.2, 3.0, 900.0], False)


def test_clock_counts_images_without_stamp_by_arrival():
    assert times([0, 0, 0, 0, 0]) == (pytest.approx([0, 0.1, 0.2, 0.3, 0.4]), True)


def test_clock_counts_repeated_stamps_by_arrival():
    assert times([5.0] * 4) == (pytest.approx([5.0, 5.1, 5.2, 5.3]), True)
    assert times([5.0, 5.1, 5.1, 5.2]) == (pytest.approx([5.0, 5.1, 5.2, 5.2]), False)


def test_clock_follows_stamps_of_low_resolution():
    result, _ = times([1, 1, 1, 1, 2, 2, 2, 2, 3], period=0.26)
    assert result == pytest.approx([1, 1.26, 1.52, 1.78, 2, 2.26, 2.52, 2.78, 3])
    result, _ = times([1, 1, 1, 1, 1, 2, 2.05, 2.1, 2.5], period=0.3)
    assert result == pytest.approx([1, 1.3, 1.6, 1.9, 2.2, 2.2, 2.2, 2.2, 2.5])


def test_clock_returns_to_stamps_that_advance_again():
    result, stands_still = times([5.0] * 30 + [5.1, 5.2])
    assert result[-2:] == [5.1, 5.2]
    assert not stands_still
