"""Says in a line what is being recognized right now, and in a few what was recognized altogether.

In a terminal there are colors and bars, elsewhere plain text.
"""

from __future__ import annotations

import math
import os
import statistics
from array import array
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from fer_ros.recording.synchronizer import Answer
from fer_ros.types import FaceResult

_BARS = "▁▂▃▄▅▆▇█"
_PLAIN_BAR = 5
_MOST_FACES = 3
_BOLD_GREEN, _DIM, _PLAIN = "\033[1;32m", "\033[2m", "\033[0m"


def is_colorful(stream: TextIO) -> bool:
    """Whether `stream` is a terminal that shows colors and block characters, and nobody objects (NO_COLOR)."""
    if "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb":
        return False
    return stream.isatty() and (stream.encoding or "").lower().replace("-", "") == "utf8"


class LiveReport:
    """Collects answers, and tells of them.

    Args:
        colorful: with colors and block characters.
    """

    def __init__(self, colorful: bool):
        self._colorful = colorful
        self._latencies = array("d")
        self._told = 0
        self._last: Answer | None = None

    @property
    def answers(self) -> int:
        """How many there were."""
        return len(self._latencies)

    def add(self, answer: Answer, latency: float) -> None:
        """Takes an answer that came `latency` seconds after its image."""
        self._last = answer
        self._latencies.append(latency)

    def line(self, passed: float, interval: float) -> str:
        """What came in the last `interval` seconds, `passed` seconds after the start; begins a new interval."""
        new, self._told = self._latencies[self._told :], len(self._latencies)
        if not new:
            return f"{passed:6.1f} s  no emotions arrive"
        faces = self._last.faces
        head = (
            f"{passed:6.1f} s  {len(new) / interval:4.1f} images/s  {statistics.median(new) * 1000:4.0f} ms  "
            f"{len(faces)} face{'' if len(faces) == 1 else 's'}"
        )
        shown = [self._face(face, self._last.labels) for face in faces[:_MOST_FACES]]
        if len(faces) > _MOST_FACES:
            shown.append(f"and {len(faces) - _MOST_FACES} more")
        return "  ".join([head, *shown])

    def summary(self, images: int, emotions: Counter[str], files: Sequence[Path]) -> str:
        """All in all.

        Args:
            images: how many came.
            emotions: how many faces showed each.
            files: that were written.
        """
        lines = [f"{self.answers} of {images} images processed"]
        if self._latencies:
            ordered = sorted(self._latencies)
            lines[0] += (
                f", {statistics.median(ordered) * 1000:.0f} ms after they were taken (median; "
                f"95 % within {ordered[math.ceil(0.95 * len(ordered)) - 1] * 1000:.0f} ms)"
            )
        rows = sum(emotions.values())
        shares = ", ".join(f"{label} {count / rows:.1%}" for label, count in emotions.most_common())
        lines.append(f"{rows} faces recorded{f': {shares}' if shares else ''}")
        lines += [f"  {file}" for file in files]
        return "\n".join(lines)

    def _face(self, face: FaceResult, labels: Sequence[str]) -> str:
        decision = f"{face.id}: {face.emotion} {face.confidence:.0%}"
        scores = [
            self._score(label, float(score), label == face.emotion)
            for label, score in zip(labels, face.smoothed_scores, strict=False)
        ]
        if self._colorful:
            decision = f"{_BOLD_GREEN}{decision}{_PLAIN}"
        return f"{decision} [{' '.join(scores)}]"

    def _score(self, label: str, score: float, decided: bool) -> str:
        share = min(max(score, 0.0), 1.0)
        if not self._colorful:
            return f"{label}:{'#' * round(share * _PLAIN_BAR) or '.'}"
        bar = _BARS[round(share * (len(_BARS) - 1))]
        return f"{_BOLD_GREEN if decided else _DIM}{label}{_PLAIN}{bar}"
