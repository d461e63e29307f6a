# SPDX-License-Identifier: Apache-2.0
"""The label of a face changes with its emotion, and does not flicker with its scores."""

import numpy as np
import pytest

from fer_ros.people.hysteresis import Hysteresis, HysteresisSettings, LabelHysteresis, best
from fer_ros.types import UNKNOWN

LABELS = ("happy", "sad", "neutral")


def scores(happy=0.0, sad=0.0):
    return np.array([happy, sad, 1 - happy - sad])


def label_hysteresis(**settings):
    return LabelHysteresis(HysteresisSettings(**settings))


def decide(decisions, sequence, rate=10):
    """Return the label after each of the score vectors in `sequence`."""
    return [decisions.update("1", given, LABELS, step / rate) for step, given in enumerate(sequence)]


def test_label_is_decided_with_first_image():
    assert decide(label_hysteresis(), [scores(happy=0.8)]) == ["happy"]


def test_label_changes_after_challenger_led_for_hold():
    decided = decide(label_hysteresis(hold=0.3), [scores(happy=0.8)] * 2 + [scores(sad=0.8)] * 6)
    assert decided == ["happy"] * 5 + ["sad"] * 3


def test_confidence_stays_while_a_contradicted_label_is_held():
    decisions, confidences = label_hysteresis(hold=0.3), []
    for step, given in enumerate([scores(happy=0.8), scores(happy=0.7), *[scores(happy=0.06, sad=0.9)] * 4]):
        emotion = decisions.update("1", given, LABELS, step / 10)
        confidences.append((emotion, decisions.confidence("1")))
    assert confidences == [("happy", 0.8), *[("happy", 0.7)] * 4, ("sad", 0.9)]


def test_confidence_of_unknown_is_that_of_its_best_label():
    decisions, unclear = label_hysteresis(min_confidence=0.5), np.array([0.4, 0.3, 0.3])
    assert decisions.update("1", unclear, LABELS, 0.0) == UNKNOWN
    assert decisions.confidence("1") == 0.4
    assert decisions.update("1", scores(happy=0.9), LABELS, 0.1) == UNKNOWN
    assert decisions.confidence("1") == 0.4


@pytest.mark.parametrize("rate", [10, 20, 60])
def test_hold_is_in_seconds_at_any_rate(rate):
    decided = decide(label_hysteresis(hold=0.5), [scores(happy=0.8)] * rate + [scores(sad=0.8)] * rate, rate)
    assert decided.index("sad") / rate == pytest.approx(1.5)


def test_label_survives_short_disturbance():
    sequence = [scores(happy=0.8)] * 5 + [scores(sad=0.9)] * 2 + [scores(happy=0.8)] * 5
    assert set(decide(label_hysteresis(hold=0.3), sequence)) == {"happy"}


def test_hold_restarts_after_interruption():
    disturbance = [scores(sad=0.9)] * 2 + [scores(happy=0.8)]
    assert set(decide(label_hysteresis(hold=0.3), [scores(happy=0.8), *disturbance * 5])) == {"happy"}


def test_nearly_equal_labels_do_not_alternate():
    noisy = [scores(happy=0.5, sad=0.45), scores(happy=0.45, sad=0.5)] * 20
    slowly = [scores(happy=0.5, sad=0.45)] * 10 + [scores(happy=0.45, sad=0.5)] * 10
    assert set(decide(label_hysteresis(hold=0), noisy)) == {"happy"}
    assert set(decide(label_hysteresis(), slowly * 3)) == {"happy"}


def test_label_below_min_confidence_is_unknown():
    unclear = np.array([0.35, 0.33, 0.32])
    assert decide(label_hysteresis(min_confidence=0.4), [unclear]) == [UNKNOWN]
    assert decide(label_hysteresis(min_confidence=0), [unclear]) == ["happy"]


def test_label_becomes_unknown_and_returns():
    clear, unclear = scores(happy=0.8), np.array([0.34, 0.33, 0.33])
    decided = decide(label_hysteresis(hold=0.2, min_confidence=0.4), [clear] * 2 + [unclear] * 9 + [clear] * 4)
    assert decided == ["happy"] * 7 + [UNKNOWN] * 6 + ["happy"] * 2


def test_label_is_not_unknown_during_transition():
    between = np.array([0.34, 0.33, 0.33])
    sequence = [scores(happy=0.8)] * 5 + [between] * 3 + [scores(sad=0.8)] * 5
    assert set(decide(label_hysteresis(hold=0.2, min_confidence=0.4), sequence)) == {"happy", "sad"}


def test_confidence_around_threshold_does_not_flicker():
    noisy = [np.array([0.41, 0.3, 0.29]), np.array([0.38, 0.32, 0.3])] * 20
    assert set(decide(label_hysteresis(hold=0, min_confidence=0.4), noisy)) == {"happy"}


def test_unknown_is_left_only_at_min_confidence():
    rising = [np.array([0.32, 0.34, 0.34])] + [np.array([0.38, 0.31, 0.31])] * 20
    assert set(decide(label_hysteresis(min_confidence=0.4), rising)) == {UNKNOWN}


def test_label_restarts_when_stamps_jump_back():
    decisions = label_hysteresis(hold=1.0)
    decisions.update("1", scores(happy=0.9), LABELS, 100.0)
    assert decisions.update("1", scores(sad=0.9), LABELS, 2.0) == "sad"


def test_faces_have_separate_labels_until_dropped():
    decisions = label_hysteresis(hold=1.0)
    decisions.update("1", scores(happy=0.9), LABELS, 0.0)
    assert decisions.update("2", scores(sad=0.9), LABELS, 0.1) == "sad"
    decisions.keep_only({"2"})
    assert decisions.update("1", scores(sad=0.9), LABELS, 0.2) == "sad"


@pytest.mark.parametrize(
    "wrong",
    [
        {"hold": -1.0},
        {"hold": float("nan")},
        {"margin": 1.0},
        {"margin": -0.1},
        {"min_confidence": 1.0},
        {"min_confidence": float("nan")},
    ],
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        HysteresisSettings(**wrong)


def test_best_prefers_current_within_margin():
    merits = {"a": 1.0, "b": 1.1, "c": 1.2}
    assert best(merits, {"a"}, margin=0.15) == ["c"]
    assert best(merits, {"a"}, margin=0.25) == ["a"]
    assert best(merits, {"a", "b"}, margin=0.15, count=2) == ["b", "c"]
    assert best({"a": 1.0, "b": 1.0}, {"b"}, margin=0.0) == ["b"]
    assert best({}, {"a"}, margin=0.1) == []


def test_hysteresis_ignores_current_as_challenger():
    choice = Hysteresis("a")
    assert [choice.update(challenger, step / 10, hold=0.2) for step, challenger in enumerate("bbabbb")] == [*"aaaaab"]
