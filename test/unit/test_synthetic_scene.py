"""The built-in scene shows a real face that the detector finds, and is the same every time."""

import sys
from itertools import pairwise

import cv2
import numpy as np
import pytest

from fer_ros.faces.detectors.viola_jones import ViolaJones
from fer_ros.media.synthetic_scene import PERIOD, SyntheticScene

pytest.importorskip("skimage", reason="the scene shows a photograph that scikit-image ships")


@pytest.fixture(scope="module")
def scene() -> SyntheticScene:
    return SyntheticScene()


def test_the_detector_finds_the_face_wherever_it_is_and_nothing_else(scene):
    detector = ViolaJones()
    times = np.arange(0, PERIOD, 0.8)
    faces = [scene.face(time) for time in times]
    found = [
        [detection.box for detection in detector.detect(cv2.cvtColor(scene.picture(time), cv2.COLOR_BGR2GRAY))]
        for time in times
    ]
    in_view = [(face, boxes) for face, boxes in zip(faces, found, strict=True) if face]
    assert len(in_view) >= 0.8 * len(times)
    assert all(len(boxes) == 1 and boxes[0].iou(face) > 0.6 for face, boxes in in_view)


def test_the_face_moves_changes_its_size_and_leaves_once(scene):
    faces = [scene.face(time) for time in np.arange(0, PERIOD, 0.1)]
    seen = [face for face in faces if face]
    assert np.ptp([face.center[0] for face in seen]) > 100
    assert np.ptp([face.width for face in seen]) > 20
    leaves = [now is None and before is not None for before, now in pairwise(faces)]
    assert sum(leaves) == 1


def test_it_repeats_and_two_scenes_are_alike(scene):
    assert np.array_equal(scene.picture(3.21), SyntheticScene().picture(3.21))
    assert np.abs(scene.picture(1.0).astype(int) - scene.picture(1.0 + PERIOD)).max() <= 1


@pytest.mark.parametrize("size", [(320, 240), (640, 360), (200, 400)])
def test_any_size_is_filled_without_a_border(size):
    scene = SyntheticScene(*size)
    assert scene.picture(0.0).shape == (size[1], size[0], 3)
    rim = np.array([[0, 0, 1], [size[0], 0, 1], [0, size[1], 1], [*size, 1]]).T
    for time in np.arange(0, PERIOD, 0.7):
        onto = cv2.invertAffineTransform(scene._view(time)) @ rim
        assert onto.min() > -1e-6
        assert onto.max() < 512 + 1e-6


def test_without_scikit_image_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage", None)
    with pytest.raises(ModuleNotFoundError, match="pip install scikit-image"):
        SyntheticScene()
