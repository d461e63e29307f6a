# SPDX-License-Identifier: Apache-2.0
"""A plot of each person's emotions over the time of a video; needs matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fer_ros.files import atomic_write
from fer_ros.media import drawing
from fer_ros.types import FaceResult

_MAX_FACES = 12
"""Faces in one plot: those that are in the most frames."""
_MAX_POINTS = 4000
"""Frames of one face that are drawn; of more, every n-th."""
_GAP = 1.0
"""Seconds without a face that interrupt its curves."""


class Timeline:
    """Collects the results of a video, and plots them."""

    def __init__(self) -> None:
        self._faces: dict[str, list[tuple[float, str, np.ndarray]]] = {}
        self._labels: Sequence[str] = ()

    def add(self, stamp: int, faces: Sequence[FaceResult]) -> None:
        """Add the faces of one frame at `stamp` nanoseconds."""
        for face in faces:
            self._labels = face.labels
            row = (stamp / 1e9, face.emotion, face.smoothed_scores.astype(np.float32))
            self._faces.setdefault(face.id, []).append(row)

    @property
    def is_empty(self) -> bool:
        """Whether there was no face."""
        return not self._faces

    def plot(self, path: Path, title: str) -> None:
        """Write the plot: for each face its scores, and below them the emotion that was decided on.

        Args:
            path: PNG file.
            title: above the plot.

        Raises:
            ImportError: matplotlib is not installed.
            OSError: the file cannot be written.
        """
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.patches import Patch

        chosen = sorted(self._faces, key=lambda face_id: -len(self._faces[face_id]))[:_MAX_FACES]
        chosen.sort(key=lambda face_id: self._faces[face_id][0][0])
        figure = Figure(figsize=(11, 1.2 + 1.7 * len(chosen)), layout="constrained")
        left_out = f", {len(chosen)} of {len(self._faces)} faces" if len(chosen) < len(self._faces) else ""
        figure.suptitle(f"{title}{left_out}".replace("$", r"\$"))
        start = min(rows[0][0] for rows in self._faces.values())
        emotions: dict[str, None] = dict.fromkeys(self._labels)
        for axes, face_id in zip(figure.subplots(len(chosen), sharex=True, squeeze=False)[:, 0], chosen, strict=True):
            rows = self._faces[face_id]
            rows = rows[:: -(-len(rows) // _MAX_POINTS)]
            times = np.array([row[0] for row in rows]) - start
            scores = np.array([row[2] for row in rows])
            breaks = np.flatnonzero(np.diff(times) > _GAP) + 1
            for index, label in enumerate(self._labels):
                axes.plot(
                    np.insert(times, breaks, np.nan),
                    np.insert(scores[:, index], breaks, np.nan),
                    color=_color(label),
                    linewidth=1.4,
                )
            for begin, end, emotion in _runs(rows, times):
                emotions[emotion] = None
                axes.axvspan(begin, end, 0, 0.12, color=_color(emotion), linewidth=0)
            axes.set_ylim(-0.16, 1.02)
            axes.set_yticks([0, 0.5, 1])
            axes.set_ylabel(face_id, rotation=0, ha="right", va="center")
            axes.grid(alpha=0.25)
            axes.spines[["top", "right"]].set_visible(False)
        axes.set_xlabel("seconds; curves: smoothed scores, band: emotion decided on")
        handles = [Patch(color=_color(emotion), label=emotion) for emotion in emotions]
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False)
        FigureCanvasAgg(figure)
        with atomic_write(path) as temporary:
            figure.savefig(temporary, format="png", dpi=110)


def _color(emotion: str) -> tuple[float, float, float]:
    blue, green, red = drawing.color_of(emotion)
    return red / 255, green / 255, blue / 255


def _runs(rows: Sequence[tuple[float, str, np.ndarray]], times: np.ndarray) -> list[tuple[float, float, str]]:
    """Return begin, end and emotion of each stretch of time with one emotion."""
    runs: list[tuple[float, float, str]] = []
    for time, (_, emotion, _) in zip(times, rows, strict=True):
        if runs and time - runs[-1][1] <= _GAP:
            begin, _, current = runs[-1]
            runs[-1] = (begin, time, current)
            if current == emotion:
                continue
        runs.append((time, time, emotion))
    return runs
