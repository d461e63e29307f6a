# SPDX-License-Identifier: Apache-2.0
"""Smoothing of scores over time: at the same pace at every frame rate, separately for each face."""

import numpy as np
import pytest

from fer_ros.people.smoothing import Smoothing, SmoothingSettings

BEFORE, AFTER = np.array([1.0, 0.0]), np.array([0.0, 1.0])


def smoothing_of(time_constant):
    return Smoothing(SmoothingSettings(time_constant))


def one_second_after_a_change(rate, smoothing):
    """Return the share of AFTER one second after a change from two seconds of BEFORE, at `rate` images a second."""
    for step in range(3 * rate + 1):
        result = smoothing.update("1", BEFORE if step <= 2 * rate else AFTER, step / rate)
    return result[1]


@pytest.mark.parametrize("time_constant", [0.1, 0.5, 2.0])
def test_smoothing_is_independent_of_frame_rate(time_constant):
    shares = [one_second_after_a_change(rate, smoothing_of(time_constant)) for rate in (5, 15, 30, 60)]
    assert np.allclose(shares, shares[0])


def test_smoothing_reaches_63_percent_after_time_constant():
    assert one_second_after_a_change(30, smoothing_of(1.0)) == pytest.approx(0.63, abs=0.05)


def test_smoothing_is_independent_of_missing_images():
    complete, incomplete = smoothing_of(0.5), smoothing_of(0.5)
    for step in range(31):
        result = complete.update("1", BEFORE if step < 15 else AFTER, step / 30)
        if step not in (7, 8, 17, 20, 21):
            of_incomplete = incomplete.update("1", BEFORE if step < 15 else AFTER, step / 30)
    assert np.allclose(result, of_incomplete)


def test_bad_first_image_is_soon_outweighed():
    smoothing = smoothing_of(0.5)
    assert np.array_equal(smoothing.update("1", BEFORE, 0.0), BEFORE)
    for step in range(1, 5):
        result = smoothing.update("1", AFTER, step / 30)
    assert result[1] > 0.5


def test_low_weight_moves_average_less():
    full, degraded = smoothing_of(0.5), smoothing_of(0.5)
    for step in range(30):
        full.update("1", BEFORE, step / 30)
        degraded.update("1", BEFORE, step / 30)
    moved = full.update("1", AFTER, 1.0)[1], degraded.update("1", AFTER, 1.0, weight=0.2)[1]
    assert moved[1] == pytest.approx(moved[0] / 5, rel=0.1)


def test_equal_low_weights_do_not_change_average():
    assert one_second_after_a_change(10, smoothing_of(0.5)) == pytest.approx(
        one_second_after_a_change(10, LowWeightSmoothing(SmoothingSettings(0.5)))
    )


class LowWeightSmoothing(Smoothing):
    def update(self, face_id, scores, stamp, weight=0.2):
        return super().update(face_id, scores, stamp, weight)


def test_faces_are_smoothed_separately():
    smoothing = smoothing_of(10)
    smoothing.update("1", BEFORE, 0.0)
    assert np.array_equal(smoothing.update("2", AFTER, 0.1), AFTER)


def test_average_restarts_when_stamps_jump_back():
    smoothing = smoothing_of(10)
    smoothing.update("1", BEFORE, 100.0)
    assert np.array_equal(smoothing.update("1", AFTER, 5.0), AFTER)


def test_repeated_stamp_changes_nothing():
    smoothing = smoothing_of(0.5)
    smoothing.update("1", BEFORE, 1.0)
    smoothing.update("1", AFTER, 1.1)
    before = smoothing.update("1", AFTER, 1.2)
    assert np.allclose(smoothing.update("1", AFTER, 1.2), before)


def test_zero_time_constant_turns_smoothing_off():
    smoothing = smoothing_of(0)
    smoothing.update("1", BEFORE, 0.0)
    assert np.array_equal(smoothing.update("1", AFTER, 0.0), AFTER)


@pytest.mark.parametrize("time_constant", [-0.1, float("nan"), float("inf")])
def test_time_constant_out_of_range_is_refused(time_constant):
    with pytest.raises(ValueError, match="time_constant"):
        SmoothingSettings(time_constant)
