# SPDX-License-Identifier: Apache-2.0
"""What the tests of fer-annotate share: reading its tables, and comparing them with the recognizer."""

import csv
import json


def tables(output):
    if not (output / "emotions.csv").exists():
        return [], []
    with (output / "emotions.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return rows, [json.loads(line) for line in (output / "emotions.jsonl").read_text(encoding="utf-8").splitlines()]


def assert_equal(row, face):
    assert (row["id"], row["emotion"], row["confidence"]) == (face.id, face.emotion, face.confidence)
    assert row["box"] == [face.box.x, face.box.y, face.box.width, face.box.height]
    assert list(row["scores"]) == list(face.labels)
    assert list(row["scores"].values()) == face.scores.tolist()
    assert list(row["smoothed_scores"].values()) == face.smoothed_scores.tolist()
