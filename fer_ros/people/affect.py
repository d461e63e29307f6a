"""Valence and arousal: how pleasant and how excited a face looks, from its class scores.

Source of the numbers: Warriner, Kuperman, Brysbaert, "Norms of valence, arousal, and dominance for 13,915 English
lemmas", Behavior Research Methods 45, 2013. Each is the mean rating of the adjective beside it on a scale from 1 to 9.
They say what people think of when they read the word; nobody rated faces for them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

_RATINGS = {
    "angry": (2.53, 6.20),
    "disgust": (2.68, 4.89),  # disgusted
    "fear": (2.66, 5.45),  # fearful
    "happy": (8.47, 6.05),
    "sad": (2.10, 3.49),
    "surprise": (6.57, 5.95),  # surprised
    "neutral": (5.50, 3.45),
    "contempt": (3.22, 4.61),  # the noun: its adjective was not rated
    "calm": (6.89, 1.67),
}
_MIDDLE, _REACH = 5.0, 4.0
"""Of the raters' scale: its middle, and how far it goes to either side."""


def valence_and_arousal(scores: np.ndarray, labels: Sequence[str]) -> tuple[float, float]:
    """The expectation over `scores`, (classes,) with sum 1, in the order of `labels`.

    Returns:
        Valence, -1 (unpleasant)..1 (pleasant), and arousal, -1 (sleepy)..1 (excited); both NaN when a label has none.
    """
    valence, arousal = scores @ _table(tuple(labels))
    return float(valence), float(arousal)


@lru_cache
def _table(labels: tuple[str, ...]) -> np.ndarray:
    """(classes, 2) on a scale of -1..1."""
    ratings = [_RATINGS.get(label, (math.nan, math.nan)) for label in labels]
    return (np.array(ratings, np.float32) - _MIDDLE) / _REACH
