# SPDX-License-Identifier: Apache-2.0
"""Text for the console: one line about the latest results, and a summary at the end."""

from __future__ import annotations

import math
import os
import statistics
from array import array
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from fer_ros.image_period import MISSED_PERIODS, ImagePeriod
from fer_ros.recording.synchronizer import ImageResult
from fer_ros.types import FaceResult

_BARS = "▁▂▃▄▅▆▇█"
_PLAIN_BAR = 5
"""Length of a bar of '#' for a score of 1."""
_MAX_FACES = 3
"""Faces in one line."""
_BOLD_GREEN, _DIM, _PLAIN = "\033[1;32m", "\033[2m", "\033[0m"


def _known(latencies: Sequence[float]) -> list[float]:
    return [latency for latency in latencies if not math.isnan(latency)]


def supports_color(stream: TextIO) -> bool:
    """Return whether `stream` is a terminal with colors and block characters, and NO_COLOR is not set."""
    if "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb":
        return False
    return stream.isatty() and (stream.encoding or "").lower().replace("-", "") == "utf8"


class ConsoleReport:
    """Collects results and formats them for the console.

    Args:
        color: use colors and block characters.
    """

    def __init__(self, color: bool):
        self._color = color
        self._latencies = array("d")
        self._period = ImagePeriod()
        self._reported = 0
        self._last_line: float | None = None
        """Seconds from the start to the last line."""
        self._last: ImageResult | None = None

    @property
    def results(self) -> int:
        """Number of results so far."""
        return len(self._latencies)

    def add(self, result: ImageResult, latency: float) -> None:
        """Add a result that arrived `latency` seconds after its image was taken; NaN if that is unknown."""
        self._last = result
        self._latencies.append(latency)
        self._period.add(result.stamp * 1e-9)

    def line(self, elapsed: float, interval: float) -> str:
        """Return one line about the results since the previous call; empty if the next result is not due yet.

        Args:
            elapsed: seconds since the start.
            interval: seconds since the previous call.
        """
        new, self._reported = self._latencies[self._reported :], len(self._latencies)
        since_last = interval if self._last_line is None else elapsed - self._last_line
        if not new and since_last < MISSED_PERIODS * self._period.seconds:
            return ""
        self._last_line = elapsed
        if not new or self._last is None:
            return f"{elapsed:6.1f} s  no emotions arrive"
        faces = self._last.faces
        known = _known(new)
        latency = f"{statistics.median(known) * 1000:4.0f} ms  " if known else ""
        head = (
            f"{elapsed:6.1f} s  {len(new) / since_last:4.1f} images/s  {latency}"
            f"{len(faces)} face{'' if len(faces) == 1 else 's'}"
        )
        shown = [self._face(face, self._last.labels) for face in faces[:_MAX_FACES]]
        if len(faces) > _MAX_FACES:
            shown.append(f"and {len(faces) - _MAX_FACES} more")
        return "  ".join([head, *shown])

    def summary(self, images: int, emotions: Counter[str], files: Sequence[Path]) -> str:
        """Return a few lines about the whole recording.

        Args:
            images: number of images that arrived.
            emotions: number of recorded faces by emotion.
            files: that were written.
        """
        lines = [f"{self.results} of {images} images processed"]
        ordered = sorted(_known(self._latencies))
        if ordered:
            lines[0] += (
                f", latency {statistics.median(ordered) * 1000:.0f} ms (median), "
                f"{ordered[math.ceil(0.95 * len(ordered)) - 1] * 1000:.0f} ms (95th percentile)"
            )
        rows = sum(emotions.values())
        shares = ", ".join(f"{label} {count / rows:.1%}" for label, count in emotions.most_common())
        lines.append(f"{rows} faces recorded{f': {shares}' if shares else ''}")
        lines += [f"  {file}" for file in files]
        return "\n".join(lines)

    def _face(self, face: FaceResult, labels: Sequence[str]) -> str:
        emotion = f"{face.id}: {face.emotion} {face.confidence:.0%}"
        scores = [
            self._score(label, float(score), label == face.emotion)
            for label, score in zip(labels, face.smoothed_scores, strict=False)
        ]
        if self._color:
            emotion = f"{_BOLD_GREEN}{emotion}{_PLAIN}"
        return f"{emotion} [{' '.join(scores)}]"

    def _score(self, label: str, score: float, highlighted: bool) -> str:
        clipped = min(max(score, 0.0), 1.0)
        if not self._color:
            return f"{label}:{'#' * round(clipped * _PLAIN_BAR) or '.'}"
        bar = _BARS[round(clipped * (len(_BARS) - 1))]
        return f"{_BOLD_GREEN if highlighted else _DIM}{label}{_PLAIN}{bar}"
