"""From scores to one word for each face that does not flicker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fer_ros.types import UNKNOWN

_DOUBT = 0.05
"""A decision stands until its score is this far below the confidence that was needed to make it."""
_PATIENCE = 3
"""Doubt must last this many times as long as a rival must lead. A face on its way from one emotion to another is
unclear for a moment, and nobody wants to hear of that."""

_TICK = 1e-6
"""Seconds; stamps since 1970 are exact to a quarter of that."""


@dataclass
class _Decision:
    word: str
    stamp: float
    rival: str = ""
    rival_since: float = 0.0
    clear_at: float = 0.0
    """When some label was last sure enough."""


class LabelHysteresis:
    """What each face is said to show; a word changes only for a rival that is clearly better for a while.

    Args:
        hold: seconds that a rival must lead before it takes over.
        margin: 0..1, by how much its score must exceed that of the present word.
        min_confidence: 0..1, the score from which a label is named; below it the answer is "unknown". 0 always
            names one.

    Raises:
        ValueError: a number is out of its range.
    """

    def __init__(self, hold: float = 0.3, margin: float = 0.1, min_confidence: float = 0.35):
        if not hold >= 0:
            raise ValueError(f"hold must be 0 or more seconds, not {hold}")
        if not 0 <= margin < 1:
            raise ValueError(f"margin must be from 0 to below 1, not {margin}: no label could ever lead by it")
        if not 0 <= min_confidence < 1:
            raise ValueError(f"min_confidence must be from 0 to below 1, not {min_confidence}")
        self._hold = hold
        self._margin = margin
        self._min_confidence = min_confidence
        self._decisions: dict[str, _Decision] = {}

    def update(self, face_id: str, scores: np.ndarray, labels: Sequence[str], stamp: float) -> str:
        """The word for a face whose smoothed scores at `stamp` (s) are `scores`, in the order of `labels`.

        The first word is given at once; so it is when time jumps back.
        """
        best = int(scores.argmax())
        decision = self._decisions.get(face_id)
        if decision is None or stamp < decision.stamp:
            first = labels[best] if scores[best] >= self._min_confidence else UNKNOWN
            decision = self._decisions[face_id] = _Decision(first, stamp, clear_at=stamp)
        decision.stamp = stamp
        rival = labels[best] if self._leads(best, decision.word, scores, labels) else ""
        if rival != decision.rival:
            decision.rival, decision.rival_since = rival, stamp
        if scores[best] >= self._min_confidence - _DOUBT:
            decision.clear_at = stamp
        elif stamp - decision.clear_at >= _PATIENCE * self._hold - _TICK:
            decision.word = UNKNOWN
        if rival and stamp - decision.rival_since >= self._hold - _TICK:
            decision.word, decision.rival = rival, ""
        return decision.word

    def keep_only(self, face_ids: set[str]) -> None:
        """Forgets every face that is not among `face_ids`."""
        self._decisions = {face_id: held for face_id, held in self._decisions.items() if face_id in face_ids}

    def _leads(self, best: int, word: str, scores: np.ndarray, labels: Sequence[str]) -> bool:
        """Whether the label at `best` speaks against the present word clearly enough."""
        if word not in labels:
            return scores[best] >= self._min_confidence
        sure = scores[best] >= self._min_confidence - _DOUBT
        return sure and best != labels.index(word) and scores[best] - scores[labels.index(word)] >= self._margin
