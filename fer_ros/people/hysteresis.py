# SPDX-License-Identifier: Apache-2.0
"""Hysteresis: choices that do not flicker between alternatives of about the same merit.

Two mechanisms, used apart or together: a challenger must be ahead by a margin (`best`), and stay ahead for a while
(`Hysteresis`). `LabelHysteresis` applies them to the emotion of each face.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fer_ros.types import UNKNOWN

TIME_TOLERANCE = 1e-6
"""Seconds by which durations may fall short; float stamps since 1970 are exact to a quarter of that."""

_RELEASE_MARGIN = 0.05
"""A label is kept until its score falls this far below the confidence that was needed to name it."""
_RELEASE_FACTOR = 3
"""The score must stay that low for this many times `hold` before the emotion becomes unknown: during the transition
from one emotion to another all scores are low for a moment."""


def best(merits: Mapping[str, float], current: Collection[str], margin: float, count: int = 1) -> list[str]:
    """Return the `count` options of highest merit, where those in `current` get `margin` on top of theirs.

    >>> best({"a": 1.0, "b": 1.1}, current={"a"}, margin=0.2)
    ['a']
    >>> best({"a": 1.0, "b": 1.3}, current={"a"}, margin=0.2)
    ['b']
    """

    def advantage(option: str) -> tuple[float, bool]:
        is_current = option in current
        return merits[option] + (margin if is_current else 0.0), is_current

    return sorted(merits, key=advantage, reverse=True)[:count]


class Hysteresis:
    """A choice that another option replaces only after it has been the challenger for a while.

    Args:
        current: the first choice.
    """

    __slots__ = ("_challenger", "_since", "current")

    def __init__(self, current: str = ""):
        self.current = current
        self._challenger = ""
        self._since = 0.0

    def update(self, challenger: str, stamp: float, hold: float) -> str:
        """Return the choice at `stamp` (s).

        Args:
            challenger: the option that is ahead of the current one; empty or the current one when there is none.
            stamp: seconds.
            hold: seconds without interruption after which the challenger takes over.
        """
        if challenger == self.current:
            challenger = ""
        if challenger != self._challenger:
            self._challenger, self._since = challenger, stamp
        if challenger and stamp - self._since >= hold - TIME_TOLERANCE:
            self.set(challenger)
        return self.current

    def set(self, current: str) -> None:
        """Make `current` the choice at once."""
        self.current, self._challenger = current, ""


@dataclass(frozen=True)
class HysteresisSettings:
    """Settings of `LabelHysteresis`.

    Raises:
        ValueError: a value is out of its range.
    """

    hold: float = 0.3
    """Seconds that the score of another label must be ahead before it takes over."""
    margin: float = 0.1
    """By how much it must be ahead, 0..1."""
    min_confidence: float = 0.35
    """0..1, the score from which a label is named; below it the emotion is "unknown". 0 always names one."""

    def __post_init__(self) -> None:
        if not 0 <= self.hold < math.inf:
            raise ValueError(f"hold must be 0 or more seconds, not {self.hold}")
        if not 0 <= self.margin < 1:
            raise ValueError(f"margin must be from 0 to below 1, not {self.margin}: no score could be ahead by it")
        if not 0 <= self.min_confidence < 1:
            raise ValueError(f"min_confidence must be from 0 to below 1, not {self.min_confidence}")


class _Decision:
    """The emotion of one face."""

    __slots__ = ("choice", "confidence", "confident_at", "stamp")

    def __init__(self, label: str, stamp: float):
        self.choice = Hysteresis(label)
        self.stamp = stamp
        self.confident_at = stamp
        """When the best score was last high enough to keep a label."""
        self.confidence = 0.0
        """Of the decision, from the last image that did not contradict it."""


class LabelHysteresis:
    """Decides on one label for each face; it changes only when another is clearly ahead for a while.

    Args:
        settings: how far ahead, and for how long.
    """

    def __init__(self, settings: HysteresisSettings = HysteresisSettings()):
        self._settings = settings
        self._decisions: dict[str, _Decision] = {}

    def update(self, face_id: str, scores: np.ndarray, labels: Sequence[str], stamp: float) -> str:
        """Return the label for a face, or "unknown".

        The first label is decided on at once, and so it is when stamps jump back.

        Args:
            face_id: of the face.
            scores: (classes,), its smoothed scores.
            labels: of the classes, in the same order.
            stamp: of the image, seconds.
        """
        settings = self._settings
        top = int(scores.argmax())
        decision = self._decisions.get(face_id)
        if decision is None or stamp < decision.stamp:
            first = labels[top] if scores[top] >= settings.min_confidence else UNKNOWN
            decision = self._decisions[face_id] = _Decision(first, stamp)
        decision.stamp = stamp
        if scores[top] >= settings.min_confidence - _RELEASE_MARGIN:
            decision.confident_at = stamp
        elif stamp - decision.confident_at >= _RELEASE_FACTOR * settings.hold - TIME_TOLERANCE:
            decision.choice.set(UNKNOWN)
        challenger = labels[top] if self._is_ahead(top, decision.choice.current, scores, labels) else ""
        emotion = decision.choice.update(challenger, stamp, settings.hold)
        if not self._is_ahead(top, emotion, scores, labels) and (emotion == UNKNOWN or decision.confident_at == stamp):
            decision.confidence = float(scores[top] if emotion == UNKNOWN else scores[labels.index(emotion)])
        return emotion

    def confidence(self, face_id: str) -> float:
        """Return the confidence of the label that `update` returned last for a face, 0..1.

        It is the score of the label, or the best score for "unknown". While a label is held although the scores
        contradict it, it is the one from before: the score of that moment belongs to no decision.
        """
        return self._decisions[face_id].confidence

    def keep_only(self, face_ids: Collection[str]) -> None:
        """Drop the decisions of all faces that are not among `face_ids`."""
        self._decisions = {face_id: held for face_id, held in self._decisions.items() if face_id in face_ids}

    def _is_ahead(self, top: int, current: str, scores: np.ndarray, labels: Sequence[str]) -> bool:
        """Return whether the label at `top` has a score that lets it challenge the current one."""
        if current not in labels:  # unknown
            return bool(scores[top] >= self._settings.min_confidence)
        confident = scores[top] >= self._settings.min_confidence - _RELEASE_MARGIN
        return bool(confident and scores[top] - scores[labels.index(current)] >= self._settings.margin)
