# SPDX-License-Identifier: Apache-2.0
"""The claims of docs/reports/emotions-over-time.md, on fewer faces."""

import numpy as np
import pytest

from benchmarks import smoothing
from fer_ros.types import UNKNOWN


@pytest.fixture(autouse=True)
def few_faces(monkeypatch):
    monkeypatch.setattr(smoothing, "FACES", 4)


@pytest.mark.parametrize("rate", [5, 15])
def test_few_changes_are_false_and_true_ones_are_fast(rate):
    plain = smoothing.measure(smoothing.METHODS["best score of each image"], rate)
    steady = smoothing.measure(smoothing.METHODS["both (the default)"], rate)
    assert steady.false_events <= plain.false_events / 20
    assert np.median(steady.delays) <= 0.75
    assert len(steady.delays) >= 0.95 * steady.truths


def test_simulated_faces_are_equal_at_every_rate():
    slow, fast = (list(smoothing.simulated_face(20.0, rate, seed=1)) for rate in (5, 30))
    assert {moment.truth for moment in slow} == {moment.truth for moment in fast}
    assert UNKNOWN not in {moment.truth for moment in fast}
    assert all(abs(moment.scores.sum() - 1) < 1e-5 for moment in fast)
