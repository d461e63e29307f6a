"""One word for each face that changes when the face does, and not because the numbers tremble."""

import numpy as np
import pytest

from fer_ros.people.hysteresis import LabelHysteresis
from fer_ros.types import UNKNOWN

LABELS = ("happy", "sad", "neutral")


def scores(happy=0.0, sad=0.0):
    return np.array([happy, sad, 1 - happy - sad])


def words(decisions, sequence, rate=10):
    return [decisions.update("1", given, LABELS, step / rate) for step, given in enumerate(sequence)]


def test_the_first_word_comes_with_the_first_image():
    assert words(LabelHysteresis(), [scores(happy=0.8)]) == ["happy"]


def test_a_word_changes_after_its_rival_has_led_for_the_hold_time():
    said = words(LabelHysteresis(hold=0.3), [scores(happy=0.8)] * 2 + [scores(sad=0.8)] * 6)
    assert said == ["happy"] * 5 + ["sad"] * 3


@pytest.mark.parametrize("rate", [10, 20, 60])
def test_the_hold_is_counted_in_seconds(rate):
    said = words(LabelHysteresis(hold=0.5), [scores(happy=0.8)] * rate + [scores(sad=0.8)] * rate, rate)
    assert said.index("sad") / rate == pytest.approx(1.5)


def test_a_short_outburst_changes_nothing():
    sequence = [scores(happy=0.8)] * 5 + [scores(sad=0.9)] * 2 + [scores(happy=0.8)] * 5
    assert set(words(LabelHysteresis(hold=0.3), sequence)) == {"happy"}


def test_two_outbursts_are_not_added_up():
    burst = [scores(sad=0.9)] * 2 + [scores(happy=0.8)]
    assert set(words(LabelHysteresis(hold=0.3), [scores(happy=0.8), *burst * 5])) == {"happy"}


def test_two_labels_that_are_nearly_equal_do_not_take_turns():
    trembling = [scores(happy=0.5, sad=0.45), scores(happy=0.45, sad=0.5)] * 20
    slowly = [scores(happy=0.5, sad=0.45)] * 10 + [scores(happy=0.45, sad=0.5)] * 10
    assert set(words(LabelHysteresis(hold=0), trembling)) == {"happy"}
    assert set(words(LabelHysteresis(), slowly * 3)) == {"happy"}


def test_a_face_that_is_not_clear_is_unknown():
    unclear = np.array([0.35, 0.33, 0.32])
    assert words(LabelHysteresis(min_confidence=0.4), [unclear]) == [UNKNOWN]
    assert words(LabelHysteresis(min_confidence=0), [unclear]) == ["happy"]


def test_a_face_that_becomes_unclear_becomes_unknown_and_back_again():
    clear, unclear = scores(happy=0.8), np.array([0.34, 0.33, 0.33])
    said = words(LabelHysteresis(hold=0.2, min_confidence=0.4), [clear] * 2 + [unclear] * 9 + [clear] * 4)
    assert said == ["happy"] * 7 + [UNKNOWN] * 6 + ["happy"] * 2


def test_a_face_on_its_way_from_one_emotion_to_another_is_not_unknown_in_between():
    between = np.array([0.34, 0.33, 0.33])
    sequence = [scores(happy=0.8)] * 5 + [between] * 3 + [scores(sad=0.8)] * 5
    assert set(words(LabelHysteresis(hold=0.2, min_confidence=0.4), sequence)) == {"happy", "sad"}


def test_confidence_about_the_limit_does_not_flicker():
    trembling = [np.array([0.41, 0.3, 0.29]), np.array([0.38, 0.32, 0.3])] * 20
    assert set(words(LabelHysteresis(hold=0, min_confidence=0.4), trembling)) == {"happy"}


def test_unknown_is_left_only_for_a_label_sure_enough():
    rising = [np.array([0.32, 0.34, 0.34])] + [np.array([0.38, 0.31, 0.31])] * 20
    assert set(words(LabelHysteresis(min_confidence=0.4), rising)) == {UNKNOWN}


def test_a_looped_recording_starts_anew():
    decisions = LabelHysteresis(hold=1.0)
    decisions.update("1", scores(happy=0.9), LABELS, 100.0)
    assert decisions.update("1", scores(sad=0.9), LABELS, 2.0) == "sad"


def test_people_are_decided_on_apart_and_forgotten():
    decisions = LabelHysteresis(hold=1.0)
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
def test_numbers_out_of_range_are_named(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        LabelHysteresis(**wrong)
