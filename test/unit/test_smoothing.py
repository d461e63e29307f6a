"""Scores over time: at the same pace whatever the frame rate, one person at a time."""

import numpy as np
import pytest

from fer_ros.people.smoothing import Smoothing

BEFORE, AFTER = np.array([1.0, 0.0]), np.array([0.0, 1.0])


def one_second_after_a_change(rate, smoothing):
    """The share of AFTER when two seconds of BEFORE are followed by one of AFTER, `rate` images a second."""
    for step in range(3 * rate + 1):
        result = smoothing.update("1", BEFORE if step <= 2 * rate else AFTER, step / rate)
    return result[1]


@pytest.mark.parametrize("time_constant", [0.1, 0.5, 2.0])
def test_it_is_the_same_at_every_frame_rate(time_constant):
    shares = [one_second_after_a_change(rate, Smoothing(time_constant)) for rate in (5, 15, 30, 60)]
    assert np.allclose(shares, shares[0])


def test_after_one_time_constant_a_change_has_reached_63_percent():
    assert one_second_after_a_change(30, Smoothing(1.0)) == pytest.approx(0.63, abs=0.05)


def test_a_missing_image_does_not_change_the_pace():
    whole, torn = Smoothing(0.5), Smoothing(0.5)
    for step in range(31):
        result = whole.update("1", BEFORE if step < 15 else AFTER, step / 30)
        if step not in (7, 8, 17, 20, 21):
            of_torn = torn.update("1", BEFORE if step < 15 else AFTER, step / 30)
    assert np.allclose(result, of_torn)


def test_one_bad_first_image_is_soon_outvoted():
    smoothing = Smoothing(0.5)
    assert np.array_equal(smoothing.update("1", BEFORE, 0.0), BEFORE)
    for step in range(1, 5):
        result = smoothing.update("1", AFTER, step / 30)
    assert result[1] > 0.5


def test_an_image_that_counts_less_moves_the_average_less():
    full, doubtful = Smoothing(0.5), Smoothing(0.5)
    for step in range(30):
        full.update("1", BEFORE, step / 30)
        doubtful.update("1", BEFORE, step / 30)
    moved = full.update("1", AFTER, 1.0)[1], doubtful.update("1", AFTER, 1.0, weight=0.2)[1]
    assert moved[1] == pytest.approx(moved[0] / 5, rel=0.1)


def test_where_every_image_counts_little_they_count_as_always():
    assert one_second_after_a_change(10, Smoothing(0.5)) == pytest.approx(
        one_second_after_a_change(10, AllDoubtful(0.5))
    )


class AllDoubtful(Smoothing):
    def update(self, face_id, scores, stamp, weight=0.2):
        return super().update(face_id, scores, stamp, weight)


def test_faces_are_smoothed_apart():
    smoothing = Smoothing(10)
    smoothing.update("1", BEFORE, 0.0)
    assert np.array_equal(smoothing.update("2", AFTER, 0.1), AFTER)


def test_a_looped_recording_starts_anew():
    smoothing = Smoothing(10)
    smoothing.update("1", BEFORE, 100.0)
    assert np.array_equal(smoothing.update("1", AFTER, 5.0), AFTER)


def test_the_same_image_twice_changes_nothing():
    smoothing = Smoothing(0.5)
    smoothing.update("1", BEFORE, 1.0)
    smoothing.update("1", AFTER, 1.1)
    before = smoothing.update("1", AFTER, 1.2)
    assert np.allclose(smoothing.update("1", AFTER, 1.2), before)


def test_a_time_constant_of_zero_turns_smoothing_off():
    smoothing = Smoothing(0)
    smoothing.update("1", BEFORE, 0.0)
    assert np.array_equal(smoothing.update("1", AFTER, 0.0), AFTER)


@pytest.mark.parametrize("time_constant", [-0.1, float("nan"), float("inf")])
def test_a_time_constant_that_makes_no_sense_is_named(time_constant):
    with pytest.raises(ValueError, match="time_constant"):
        Smoothing(time_constant)
