# SPDX-License-Identifier: Apache-2.0
"""The tables of an annotation, emotions.csv and emotions.jsonl: one row for each face of each frame."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fer_ros.files import atomic_write
from fer_ros.text import seconds
from fer_ros.types import FaceResult

COLUMNS = ("file", "frame", "time", "id", "x", "y", "width", "height", "emotion", "confidence")
"""Columns of the CSV before those of the smoothed scores: time in seconds, box in pixels of the image."""


class Tables:
    """Writes both tables, so that each row is complete in the file when `add` returns.

    Bytes of file names that are no UTF-8 are written as escapes. Scores have the digits that float32 needs to be read
    back exactly.

    Args:
        csv_path: of emotions.csv.
        jsonl_path: of emotions.jsonl.
        labels: of the model, in the order of the scores.
        keep: files whose rows of an earlier run are kept; all other rows are dropped.

    Raises:
        OSError: by every method, if a file cannot be written.
    """

    def __init__(self, csv_path: Path, jsonl_path: Path, labels: Sequence[str], keep: Collection[str] = ()):
        self._labels = labels
        _keep_csv(csv_path, [*COLUMNS, *labels], keep)
        _keep_jsonl(jsonl_path, keep)
        options: dict[str, Any] = {"mode": "a", "encoding": "utf-8", "errors": "backslashreplace", "buffering": 1}
        self._csv = csv_path.open(newline="", **options)
        self._jsonl = jsonl_path.open(newline="\n", **options)
        self._rows = csv.writer(self._csv, lineterminator="\n")

    def add(self, file: str, frame: int, stamp: int | None, faces: Sequence[FaceResult]) -> None:
        """Write the rows of the faces in one frame, at `stamp` nanoseconds or None."""
        time = "" if stamp is None else seconds(stamp)
        for face in faces:
            box = (face.box.x, face.box.y, face.box.width, face.box.height)
            scores = [_number(score) for score in face.smoothed_scores]
            self._rows.writerow([file, frame, time, face.id, *box, face.emotion, f"{face.confidence:.9g}", *scores])
            self._jsonl.write(_json_row(file, frame, time, box, face) + "\n")

    def close(self) -> None:
        """Close both files."""
        try:
            self._csv.close()
        finally:
            self._jsonl.close()


def _number(score: np.floating) -> str:
    return f"{float(score):.9g}"


def _json_row(file: str, frame: int, time: str, box: tuple[int, ...], face: FaceResult) -> str:
    def finite(value: float) -> float | None:
        return value if math.isfinite(value) else None

    row = {
        "file": file,
        "frame": frame,
        "time": float(time) if time else None,
        "id": face.id,
        "box": box,
        "emotion": face.emotion,
        "confidence": face.confidence,
        "scores": dict(zip(face.labels, map(float, face.scores), strict=True)),
        "smoothed_scores": dict(zip(face.labels, map(float, face.smoothed_scores), strict=True)),
        "valence": finite(face.valence),
        "arousal": finite(face.arousal),
        "quality": face.quality,
        "roll": face.roll,
        "detection_score": finite(float(face.detection_score)),
    }
    return json.dumps(row, ensure_ascii=False)


def _keep_csv(path: Path, header: list[str], keep: Collection[str]) -> None:
    rows: list[list[str]] = []
    if keep and path.exists():
        with path.open(newline="", encoding="utf-8") as file:
            rows = [row for row in csv.reader(file) if len(row) == len(header) and row[0] in keep]
    with atomic_write(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


def _keep_jsonl(path: Path, keep: Collection[str]) -> None:
    lines: list[str] = []
    if keep and path.exists():
        with path.open(encoding="utf-8", newline="\n") as file:
            lines = [line for line in file if _file_of(line) in keep]
    with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(lines)


def _file_of(line: str) -> str:
    try:
        # Compared as it is written into the CSV.
        return str(json.loads(line)["file"]).encode("utf-8", "backslashreplace").decode()
    except (ValueError, KeyError, TypeError):
        return ""  # a line that was cut
