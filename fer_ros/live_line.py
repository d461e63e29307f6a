"""One line of text that says what is being recognised right now: coloured bars in a terminal, plain text elsewhere."""

from __future__ import annotations

import os
import statistics
from collections.abc import Sequence
from typing import TextIO

from fer_ros.frame import FaceEmotion
from fer_ros.pairing import Answer

_BARS = " ▁▂▃▄▅▆▇█"
_PLAIN_BAR = 5
_MOST_FACES = 3
_BOLD_GREEN, _DIM, _PLAIN = "\033[1;32m", "\033[2m", "\033[0m"


def is_colourful(stream: TextIO) -> bool:
    """Whether `stream` is a terminal that shows colours and block characters, and nobody objects (NO_COLOR)."""
    if "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb":
        return False
    return stream.isatty() and (stream.encoding or "").lower().replace("-", "") == "utf8"


class LiveLine:
    """Collects answers and sums them up in a line.

    Args:
        colourful: with colours and block characters.
    """

    def __init__(self, colourful: bool):
        self._colourful = colourful
        self._latencies: list[float] = []
        self._last: Answer | None = None

    def add(self, answer: Answer, latency: float) -> None:
        """Takes an answer that came `latency` seconds after its image."""
        self._last = answer
        self._latencies.append(latency)

    def line(self, since_start: float, interval: float) -> str:
        """What came in the last `interval` seconds, `since_start` seconds after the start; begins a new interval."""
        latencies, self._latencies = self._latencies, []
        if not latencies:
            return f"{since_start:6.1f} s  no emotions arrive"
        faces = self._last.faces
        head = (
            f"{since_start:6.1f} s  {len(latencies) / interval:4.1f} images/s  "
            f"{statistics.median(latencies) * 1000:4.0f} ms  {len(faces)} face{'' if len(faces) == 1 else 's'}"
        )
        shown = [self._face(face, self._last.labels) for face in faces[:_MOST_FACES]]
        if len(faces) > _MOST_FACES:
            shown.append(f"and {len(faces) - _MOST_FACES} more")
        return "  ".join([head, *shown])

    def _face(self, face: FaceEmotion, labels: Sequence[str]) -> str:
        decision = f"{face.face.face_id} {face.emotion} {face.confidence:.0%}"
        scores = [
            self._score(label, float(score), label == face.emotion)
            for label, score in zip(labels, face.smoothed_scores, strict=False)
        ]
        if self._colourful:
            decision = f"{_BOLD_GREEN}{decision}{_PLAIN}"
        return f"{decision} [{' '.join(scores)}]"

    def _score(self, label: str, score: float, decided: bool) -> str:
        share = min(max(score, 0.0), 1.0)
        if not self._colourful:
            return f"{label}:{'#' * round(share * _PLAIN_BAR) or '.'}"
        bar = _BARS[round(share * (len(_BARS) - 1))]
        return f"{_BOLD_GREEN if decided else _DIM}{label}{_PLAIN}{bar}"
