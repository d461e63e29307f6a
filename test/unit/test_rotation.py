# SPDX-License-Identifier: Apache-2.0
"""Cameras that are mounted sideways or upside down."""

import numpy as np
import pytest

from fer_ros import EmotionRecognizer
from fer_ros.media.rotation import ROTATIONS, Derotation, rotate
from fer_ros.people.camera_model import CameraModel
from fer_ros.types import Box, Landmarks

WIDTH, HEIGHT = 13, 7


@pytest.mark.parametrize("degrees", ROTATIONS)
def test_derotation_returns_to_the_original_image(degrees):
    original = np.zeros((HEIGHT, WIDTH), np.uint8)
    place = Box(2, 1, 5, 3)
    original[place.y : place.bottom, place.x : place.right] = 1
    original[place.y, place.x] = 2
    rotated = rotate(original, degrees)
    rows, columns = np.nonzero(rotated)
    found = Box(int(columns.min()), int(rows.min()), int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1)
    back = Derotation(degrees, WIDTH, HEIGHT)
    assert back.box(found) == place
    ((row, column),) = np.argwhere(rotated == 2)
    assert back.point((float(column), float(row))) == (place.x, place.y)


@pytest.mark.parametrize(("degrees", "roll"), [(0, 10), (90, -80), (180, -170), (270, 100)])
def test_derotation_of_roll_agrees_with_landmarks(degrees, roll):
    back = Derotation(degrees, WIDTH, HEIGHT)
    dx, dy = np.cos(np.radians(10)), np.sin(np.radians(10))
    eyes = back.landmarks(Landmarks((3.0, 3.0), (3.0 + dx, 3.0 + dy)))
    assert back.roll(10.0) == pytest.approx(roll)
    assert eyes.roll == pytest.approx(roll)
    assert eyes.nose is None


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_recognizer_finds_face_of_rotated_camera(astronaut, degrees):
    upright = np.ascontiguousarray(astronaut[:400])
    camera_image = rotate(upright, 360 - degrees)  # what the mounted camera takes
    height, width = camera_image.shape
    k = (500.0, 0.0, width / 2, 0.0, 500.0, height / 2, 0.0, 0.0, 1.0)
    camera_model = CameraModel(width=width, height=height, k=k)
    (expected,) = EmotionRecognizer().recognize(upright)
    recognizer = EmotionRecognizer(rotation=degrees, camera_model=camera_model)
    for stamp in (None, 1.0, 1.1):
        (face,) = recognizer.recognize(camera_image, stamp)
    back = Derotation(degrees, width, height)
    assert face.box.iou(back.box(expected.box)) > 0.8
    assert face.emotion == expected.emotion
    assert face.roll == pytest.approx(back.roll(0.0))
    x, y, _ = face.position
    assert np.sign(x) == np.sign(face.box.center[0] - width / 2)
    assert np.sign(y) == np.sign(face.box.center[1] - height / 2)


@pytest.mark.parametrize("degrees", [45, -90, 360])
def test_other_rotations_are_rejected(degrees):
    with pytest.raises(ValueError, match="rotation must be one of 0, 90, 180, 270"):
        EmotionRecognizer(rotation=degrees)
