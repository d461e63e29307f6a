# SPDX-License-Identifier: Apache-2.0
"""Valence and arousal from class scores."""

import math

import numpy as np
import pytest

from fer_ros.emotion.labels import FER2013, KNOWN
from fer_ros.people.affect import valence_and_arousal


def affect(label_shown):
    return valence_and_arousal(np.array([float(label == label_shown) for label in KNOWN], np.float32), KNOWN)


def test_every_known_label_has_ratings():
    for label in KNOWN:
        assert all(-1 <= value <= 1 for value in affect(label)), label


def test_valence_and_arousal_have_expected_signs():
    assert affect("happy")[0] > 0.5 > affect("calm")[0] > affect("neutral")[0] > 0
    assert all(affect(label)[0] < -0.3 for label in ("angry", "disgust", "fear", "sad", "contempt"))
    assert affect("angry")[1] > affect("fear")[1] > 0 > affect("sad")[1] > affect("calm")[1]


def test_ratings_match_source():
    # Warriner et al. 2013: "happy" was rated 8.47 and 6.05 on 1..9.
    assert affect("happy") == pytest.approx(((8.47 - 5) / 4, (6.05 - 5) / 4), abs=1e-6)


def test_affect_is_expectation_over_scores():
    half = np.array([0, 0, 0, 0.5, 0.5, 0, 0], np.float32)
    expected = np.mean([affect("happy"), affect("sad")], axis=0)
    assert valence_and_arousal(half, FER2013) == pytest.approx(tuple(expected))


def test_label_without_rating_gives_nan():
    values = valence_and_arousal(np.array([1.0, 0.0], np.float32), ("happy", "bored"))
    assert all(math.isnan(value) for value in values)
