# SPDX-License-Identifier: Apache-2.0
"""LogThrottle limits how often a reason is logged."""

import pytest

from fer_ros.nodes.common import log_throttle
from fer_ros.nodes.common.log_throttle import LogThrottle


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 0.0

    monkeypatch.setattr(log_throttle.time, "monotonic", lambda: Clock.now)
    return Clock


def test_throttle_allows_reason_once_per_interval(clock):
    throttle = LogThrottle(interval=10)
    assert throttle.allows("dark")
    clock.now = 9.9
    assert not throttle.allows("dark")
    assert throttle.allows("broken")
    clock.now = 10.0
    assert throttle.allows("dark")


def test_throttle_counts_what_it_does_not_allow(clock):
    throttle = LogThrottle(interval=10)
    assert [throttle.allows("truncated") for _ in range(60)] == [True] + 59 * [False]
    assert throttle.repeats("truncated") == ""
    clock.now = 10.0
    assert throttle.allows("truncated")
    assert throttle.repeats("truncated") == " (59 more of this kind since the last such message)"
    clock.now = 20.0
    assert throttle.allows("truncated")
    assert throttle.repeats("truncated") == ""


def test_throttle_bounds_number_of_kinds(clock):
    throttle = LogThrottle()
    for number in range(1000):
        assert throttle.allows(f"kind {number}")
    assert len(throttle._last) <= log_throttle._MAX_KINDS
