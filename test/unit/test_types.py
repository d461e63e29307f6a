# SPDX-License-Identifier: Apache-2.0
"""Boxes and how results print."""

import numpy as np
import pytest

from fer_ros.types import Box, FaceResult


@pytest.mark.parametrize(
    ("box", "inside"),
    [
        (Box(2, 3, 4, 5), Box(2, 3, 4, 5)),
        (Box(-5, -5, 10, 10), Box(0, 0, 5, 5)),
        (Box(95, 45, 10, 10), Box(95, 45, 5, 5)),
        (Box(-10, -10, 200, 200), Box(0, 0, 100, 50)),
    ],
)
def test_box_is_clipped_to_image(box, inside):
    assert box.clipped(100, 50) == inside


@pytest.mark.parametrize("box", [Box(-20, 0, 10, 10), Box(120, 10, 5, 5), Box(10, 60, 5, 5)])
def test_box_outside_image_is_clipped_to_nothing(box):
    assert box.clipped(100, 50).area == 0


def test_iou():
    box = Box(0, 0, 10, 10)
    assert box.iou(box) == 1
    assert box.iou(Box(5, 0, 10, 10)) == pytest.approx(50 / 150)
    assert box.iou(Box(10, 0, 10, 10)) == 0
    assert box.iou(Box(20, 20, 5, 5)) == 0


def test_result_prints_what_matters():
    scores = np.array([0.94, 0.06], np.float32)
    about = {"labels": ("happy", "sad"), "scores": scores, "smoothed_scores": scores, "emotion": "happy"}
    result = FaceResult(box=Box(1, 2, 3, 4), id="f1", confidence=0.94, **about)
    assert str(result) == repr(result) == "FaceResult(f1: happy 94 %, box=(1, 2, 3, 4))"
    untracked = FaceResult(box=Box(1, 2, 3, 4), confidence=0.94, **about)
    assert str(untracked) == "FaceResult(happy 94 %, box=(1, 2, 3, 4))"
