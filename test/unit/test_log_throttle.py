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


def test_throttle_bounds_number_of_reasons(clock):
    throttle = LogThrottle()
    for number in range(1000):
        assert throttle.allows(f"image {number} is broken")
    assert len(throttle._last) <= log_throttle._MAX_REASONS
