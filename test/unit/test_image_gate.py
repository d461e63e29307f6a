# SPDX-License-Identifier: Apache-2.0
"""Decisions of ImageGate: images out of order, jumps in time, and the maximum rate."""

import numpy as np
import pytest

from fer_ros.nodes.emotion.image_gate import Decision, ImageGate

PROCESS, RESET, LATE, ABOVE = (
    Decision.PROCESS,
    Decision.RESET_AND_PROCESS,
    Decision.LATE,
    Decision.ABOVE_MAX_RATE,
)


def decisions(stamps, period=0.1):
    """Return the decisions on images that arrive one by one at intervals of `period` seconds."""
    gate = ImageGate()
    return [gate.decide(stamp, number * period, 0) for number, stamp in enumerate(stamps)]


def test_gate_drops_overtaken_image():
    assert decisions([10.0, 10.2, 10.1, 10.3]) == [PROCESS, PROCESS, LATE, PROCESS]


def test_gate_accepts_equal_stamps():
    assert decisions([0.0, 0.0, 0.0]) == [PROCESS] * 3


def test_gate_resets_when_recording_restarts():
    assert decisions([10.0, 11.0, 12.0, 10.0, 10.1]) == [PROCESS, PROCESS, PROCESS, RESET, PROCESS]


def test_gate_resets_when_short_recording_restarts():
    short = [10.0, 10.4, 10.8]
    assert decisions(short * 2, period=0.4) == [PROCESS, PROCESS, PROCESS, LATE, LATE, PROCESS]
    assert decisions([10.8] + [10.0] * 12, period=0.1) == [PROCESS] + [LATE] * 9 + [RESET] + [PROCESS] * 2


@pytest.mark.parametrize(("camera_rate", "max_rate"), [(30, 10), (30, 29), (30, 30), (15, 30), (60, 7), (30, 0.5)])
def test_gate_keeps_max_rate_with_jitter(camera_rate, max_rate):
    seconds, random = 20, np.random.default_rng(0)
    gate = ImageGate()
    arrivals = np.arange(seconds * camera_rate) / camera_rate + random.uniform(
        0, 0.3 / camera_rate, seconds * camera_rate
    )
    processed = [arrival for arrival in arrivals if gate.decide(arrival, arrival, max_rate) == PROCESS]
    assert len(processed) == pytest.approx(seconds * min(camera_rate, max_rate), rel=0.05, abs=1)


def test_gate_applies_new_max_rate_at_once():
    gate = ImageGate()
    assert gate.decide(0.0, 0.0, 0.01) == PROCESS
    assert gate.decide(0.1, 0.1, 0.01) == ABOVE
    assert gate.decide(0.2, 0.2, 10) == PROCESS
    assert gate.decide(0.21, 0.21, 10) == ABOVE
    assert gate.decide(0.22, 0.22, 0) == PROCESS
