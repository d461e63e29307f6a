"""Valence and arousal from class scores."""

import math

import numpy as np
import pytest

from fer_ros.emotion.labels import FER2013, KNOWN
from fer_ros.people.affect import valence_and_arousal


def of(word):
    return valence_and_arousal(np.array([float(label == word) for label in KNOWN], np.float32), KNOWN)


def test_every_label_has_a_place_on_both_scales():
    for word in KNOWN:
        assert all(-1 <= value <= 1 for value in of(word)), word


def test_pleasant_is_positive_and_excited_is_positive():
    assert of("happy")[0] > 0.5 > of("calm")[0] > of("neutral")[0] > 0
    assert all(of(word)[0] < -0.3 for word in ("angry", "disgust", "fear", "sad", "contempt"))
    assert of("angry")[1] > of("fear")[1] > 0 > of("sad")[1] > of("calm")[1]


def test_the_source_is_quoted_rightly():
    # Warriner et al. 2013: "happy" was rated 8.47 and 6.05 on 1..9.
    assert of("happy") == pytest.approx(((8.47 - 5) / 4, (6.05 - 5) / 4), abs=1e-6)


def test_it_is_the_expectation_over_the_scores():
    half = np.array([0, 0, 0, 0.5, 0.5, 0, 0], np.float32)
    expected = np.mean([of("happy"), of("sad")], axis=0)
    assert valence_and_arousal(half, FER2013) == pytest.approx(tuple(expected))


def test_a_label_without_a_place_makes_both_unknown():
    values = valence_and_arousal(np.array([1.0, 0.0], np.float32), ("happy", "bored"))
    assert all(math.isnan(value) for value in values)
