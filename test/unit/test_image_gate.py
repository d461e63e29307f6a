"""Which images are answered: those that come in time, and not more than are wanted."""

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
    """On images that arrive one by one, each `period` after the last."""
    gate = ImageGate()
    return [gate.decide(stamp, number * period, 0) for number, stamp in enumerate(stamps)]


def test_an_image_that_was_overtaken_is_late():
    assert decisions([10.0, 10.2, 10.1, 10.3]) == [PROCESS, PROCESS, LATE, PROCESS]


def test_images_of_one_time_are_all_answered():
    assert decisions([0.0, 0.0, 0.0]) == [PROCESS] * 3


def test_a_recording_that_starts_again_is_another_time():
    assert decisions([10.0, 11.0, 12.0, 10.0, 10.1]) == [PROCESS, PROCESS, PROCESS, RESET, PROCESS]


def test_a_recording_too_short_to_be_known_by_its_jump_is_known_by_its_lateness():
    short = [10.0, 10.4, 10.8]
    assert decisions(short * 2, period=0.4) == [PROCESS, PROCESS, PROCESS, LATE, LATE, PROCESS]
    assert decisions([10.8] + [10.0] * 12, period=0.1) == [PROCESS] + [LATE] * 9 + [RESET] + [PROCESS] * 2


@pytest.mark.parametrize(("camera", "wanted"), [(30, 10), (30, 29), (30, 30), (15, 30), (60, 7), (30, 0.5)])
def test_as_many_are_answered_as_are_wanted_however_unevenly_they_come(camera, wanted):
    seconds, random = 20, np.random.default_rng(0)
    gate = ImageGate()
    arrivals = np.arange(seconds * camera) / camera + random.uniform(0, 0.3 / camera, seconds * camera)
    answered = [arrived for arrived in arrivals if gate.decide(arrived, arrived, wanted) == PROCESS]
    assert len(answered) == pytest.approx(seconds * min(camera, wanted), rel=0.05, abs=1)


def test_another_rate_holds_at_once():
    gate = ImageGate()
    assert gate.decide(0.0, 0.0, 0.01) == PROCESS
    assert gate.decide(0.1, 0.1, 0.01) == ABOVE
    assert gate.decide(0.2, 0.2, 10) == PROCESS
    assert gate.decide(0.21, 0.21, 10) == ABOVE
    assert gate.decide(0.22, 0.22, 0) == PROCESS
