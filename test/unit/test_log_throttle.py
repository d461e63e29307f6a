"""The same complaint is heard again, but not at once."""

import pytest

from fer_ros.nodes.common import log_throttle
from fer_ros.nodes.common.log_throttle import LogThrottle


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 0.0

    monkeypatch.setattr(log_throttle.time, "monotonic", lambda: Clock.now)
    return Clock


def test_a_reason_gets_through_once_in_its_interval(clock):
    gate = LogThrottle(interval=10)
    assert gate.allows("dark")
    clock.now = 9.9
    assert not gate.allows("dark")
    assert gate.allows("broken")
    clock.now = 10.0
    assert gate.allows("dark")


def test_reasons_that_are_never_the_same_do_not_fill_the_memory(clock):
    gate = LogThrottle()
    for number in range(1000):
        assert gate.allows(f"image {number} is broken")
    assert len(gate._last) <= log_throttle._MAX_REASONS
