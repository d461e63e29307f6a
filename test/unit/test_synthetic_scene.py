# SPDX-License-Identifier: Apache-2.0
"""The synthetic scene."""

import sys
from itertools import pairwise

import cv2
import numpy as np
import pytest

from fer_ros.faces.detectors.viola_jones import ViolaJones
from fer_ros.media.synthetic_scene import PERIOD, SyntheticScene

pytest.importorskip("skimage", reason="the scene needs a photograph of scikit-image")


@pytest.fixture(scope="module")
def scene() -> SyntheticScene:
    return SyntheticScene()


def test_detector_finds_only_the_face_of_the_scene(scene):
    detector = ViolaJones()
    times = np.arange(0, PERIOD, 0.8)
    faces = [scene.face(time) for time in times]
    found = [
        [detection.box for detection in detector.detect(cv2.cvtColor(scene.image(time), cv2.COLOR_BGR2GRAY))]
        for time in times
    ]
    in_view = [(face, boxes) for face, boxes in zip(faces, found, strict=True) if face]
    assert len(in_view) >= 0.8 * len(times)
    assert all(len(boxes) == 1 and boxes[0].iou(face) > 0.6 for face, boxes in in_view)


def test_face_moves_scales_and_leaves_once(scene):
    faces = [scene.face(time) for time in np.arange(0, PERIOD, 0.1)]
    seen = [face for face in faces if face]
    assert np.ptp([face.center[0] for face in seen]) > 100
    assert np.ptp([face.width for face in seen]) > 20
    leaves = [now is None and before is not None for before, now in pairwise(faces)]
    assert sum(leaves) == 1


def test_scene_repeats_and_is_deterministic(scene):
    assert np.array_equal(scene.image(3.21), SyntheticScene().image(3.21))
    assert np.abs(scene.image(1.0).astype(int) - scene.image(1.0 + PERIOD)).max() <= 1


@pytest.mark.parametrize("size", [(320, 240), (640, 360), (200, 400)])
def test_scene_fills_any_size_without_a_border(size):
    scene = SyntheticScene(*size)
    assert scene.image(0.0).shape == (size[1], size[0], 3)
    image_corners = np.array([[0, 0, 1], [size[0], 0, 1], [0, size[1], 1], [*size, 1]]).T
    for time in np.arange(0, PERIOD, 0.7):
        corners = cv2.invertAffineTransform(scene._view(time)) @ image_corners
        assert corners.min() > -1e-6
        assert corners.max() < 512 + 1e-6


def test_scene_error_names_the_missing_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage", None)
    with pytest.raises(ModuleNotFoundError, match="pip install scikit-image"):
        SyntheticScene()
