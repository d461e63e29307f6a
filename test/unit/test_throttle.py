"""The same complaint is heard again, but not at once."""

import pytest

from fer_ros.nodes import throttle
from fer_ros.nodes.throttle import Throttle


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 0.0

    monkeypatch.setattr(throttle.time, "monotonic", lambda: Clock.now)
    return Clock


def test_a_reason_gets_through_once_in_its_interval(clock):
    gate = Throttle(interval=10)
    assert gate.lets_through("dark")
    clock.now = 9.9
    assert not gate.lets_through("dark")
    assert gate.lets_through("broken")
    clock.now = 10.0
    assert gate.lets_through("dark")


def test_reasons_that_are_never_the_same_do_not_fill_the_memory(clock):
    gate = Throttle()
    for number in range(1000):
        assert gate.lets_through(f"image {number} is broken")
    assert len(gate._last) <= throttle._MOST_REASONS
