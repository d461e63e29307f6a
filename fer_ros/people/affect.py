# SPDX-License-Identifier: Apache-2.0
"""Valence and arousal: how pleasant and how excited a face looks, derived from its class scores.

Source of the ratings: Warriner, Kuperman, Brysbaert, "Norms of valence, arousal, and dominance for 13,915 English
lemmas", Behavior Research Methods 45, 2013: mean ratings, on a scale from 1 to 9, of the adjective beside each label.
They are ratings of words by readers, not of faces.
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
"""Valence and arousal by label, 1..9."""
_SCALE_CENTER, _SCALE_HALF_WIDTH = 5.0, 4.0


def valence_and_arousal(scores: np.ndarray, labels: Sequence[str]) -> tuple[float, float]:
    """Return the expected valence and arousal over the classes.

    Args:
        scores: (classes,), sum 1.
        labels: of the classes, in the same order.

    Returns:
        Valence, -1 (unpleasant)..1 (pleasant), and arousal, -1 (sleepy)..1 (excited); both NaN when one of the labels
        has no rating.

    >>> valence, arousal = valence_and_arousal(np.array([1.0, 0.0]), ("happy", "sad"))
    >>> round(valence, 2), round(arousal, 2)
    (0.87, 0.26)
    """
    valence, arousal = scores @ _table(tuple(labels))
    return float(valence), float(arousal)


@lru_cache
def _table(labels: tuple[str, ...]) -> np.ndarray:
    """Return (classes, 2) float32: valence and arousal of each label, -1..1."""
    ratings = [_RATINGS.get(label, (math.nan, math.nan)) for label in labels]
    return (np.array(ratings, np.float32) - _SCALE_CENTER) / _SCALE_HALF_WIDTH
