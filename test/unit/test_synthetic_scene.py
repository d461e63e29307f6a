# SPDX-License-Identifier: Apache-2.0
"""The synthetic scene."""

import sys
from itertools import groupby, pairwise

import cv2
import numpy as np
import pytest

import fer_ros
from fer_ros.faces.detectors.viola_jones import ViolaJones
from fer_ros.faces.matching import count_matches
from fer_ros.media.synthetic_scene import PERIOD, SyntheticScene

pytest.importorskip("skimage", reason="the scene needs a photograph of scikit-image")


@pytest.fixture(scope="module")
def scene() -> SyntheticScene:
    return SyntheticScene()


@pytest.mark.parametrize("size", [(640, 480), (1280, 720)])
def test_detector_finds_only_the_faces_of_the_scene(size):
    scene, detector, expected = SyntheticScene(*size), ViolaJones(), 0
    for time in np.arange(0.3, PERIOD, 1.1):
        boxes = [one.box for one in detector.detect(cv2.cvtColor(scene.image(time), cv2.COLOR_BGR2GRAY))]
        faces = scene.faces(time)
        assert count_matches(faces, boxes) == len(faces), f"missed at {time:.1f} s"
        expected += len(faces)
        if 4.5 < time < 13 or time > 17:  # at other times a part of a face is in view
            assert len(boxes) == len(faces), f"false detection at {time:.1f} s"
    assert expected > 20


def test_faces_enter_and_leave_pass_and_move(scene):
    counts = [len(scene.faces(time)) for time in np.arange(0, PERIOD, 0.1)]
    in_order = [count for before, count in pairwise([0, *counts]) if count != before]
    assert in_order[:2] == [1, 2], "the second person enters"
    assert 0 < counts[140:160].count(1) + counts[140:160].count(0) < 20, "she passes in front of the first"
    assert in_order[-1] == 1
    first = [scene.faces(time)[0] for time in np.arange(0, 4, 0.1)]
    assert np.ptp([face.center[0] for face in first]) > 100
    assert np.ptp([face.width for face in first]) >= 4


def test_people_keep_ids_and_one_is_surprised():
    scene, recognizer = SyntheticScene(320, 240), fer_ros.EmotionRecognizer(backend="opencv")
    seen: dict[str, list[tuple[float, str]]] = {}
    for time in np.arange(0, PERIOD, 0.1):
        for face in recognizer.recognize(cv2.cvtColor(scene.image(time), cv2.COLOR_BGR2GRAY), time):
            seen.setdefault(face.id, []).append((time, face.emotion))
    first, second = (rows for rows in seen.values() if len(rows) > 20)
    assert [first[0][0], first[-1][0]] == pytest.approx([0, PERIOD - 0.1]), "through the tilt and the occlusion"
    assert [second[0][0], second[-1][0]] == pytest.approx([4.2, 15.1], abs=0.5)
    named = [key for key, _ in groupby(emotion for _, emotion in first)]
    assert named == ["happy", "surprise", "happy"]
    assert {emotion for _, emotion in second} == {"happy"}


def test_every_shipped_model_sees_the_surprise(scene):
    for model in ("mini_xception", "res_se"):
        recognizer = fer_ros.EmotionRecognizer(model, backend="opencv")
        for time, expected in ((1.0, ["happy"]), (5.5, ["surprise", "happy"]), (8.5, ["happy", "happy"])):
            faces = sorted(recognizer.recognize(scene.image(time)), key=lambda face: face.box.x)
            assert [face.emotion for face in faces] == expected


def test_scene_repeats_and_is_deterministic(scene):
    assert np.array_equal(scene.image(3.21), SyntheticScene().image(3.21))
    assert np.abs(scene.image(1.0).astype(int) - scene.image(1.0 + PERIOD)).max() <= 1


@pytest.mark.parametrize("size", [(320, 240), (640, 360), (200, 400)])
def test_first_face_is_in_view_at_any_size(size):
    scene = SyntheticScene(*size)
    for time in np.arange(0, PERIOD, 0.7):
        assert scene.image(time).shape == (size[1], size[0], 3)
        assert scene.faces(time) or 14 < time < 16


def test_scene_error_names_the_missing_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage", None)
    with pytest.raises(ModuleNotFoundError, match="pip install scikit-image"):
        SyntheticScene()
