# SPDX-License-Identifier: Apache-2.0
"""Tilted faces: detection, tracking, alignment, classification."""

import cv2
import numpy as np
import pytest

from fer_ros.emotion.classifier import Classifier
from fer_ros.emotion.preprocessing import Preprocessing
from fer_ros.faces.alignment import Alignment, box_from_eyes
from fer_ros.faces.detectors.base import WHOLE_IMAGE, Detector
from fer_ros.faces.detectors.rotated import rotated
from fer_ros.faces.detectors.viola_jones import ViolaJones
from fer_ros.faces.tracking_detector import TrackingDetector, TrackingSettings
from fer_ros.pipeline import CameraSettings, CameraState, recognize
from fer_ros.types import Box, Detection, Frame, Landmarks, TrackedFace

FACE = Box(72, 68, 101, 101)
"""Viola-Jones' box of the face in the upright portrait."""
EYES = Landmarks((105.0, 107.0), (141.0, 107.0))


@pytest.fixture(scope="module")
def portrait(astronaut):
    """Return a face and little more, so that scans are fast."""
    return np.ascontiguousarray(astronaut[:240, 100:340])


@pytest.fixture(scope="module")
def classifier():
    return Classifier("mini_xception")


def rotate(image, degrees, center=FACE.center):
    """Return the image rotated clockwise about the center of the face."""
    mapping = cv2.getRotationMatrix2D(center, -degrees, 1.0)
    return cv2.warpAffine(image, mapping, image.shape[::-1], borderMode=cv2.BORDER_REPLICATE)


def tracking_detector(max_roll=30.0):
    return TrackingDetector(ViolaJones(), TrackingSettings(max_roll=max_roll))


@pytest.mark.parametrize("box", [FACE, Box(80, 80, 48, 48), Box(80, 80, 31, 31), Box(-20, 60, 130, 130)])
def test_crop_with_a_tiny_roll_equals_the_upright_crop(portrait, box):
    plain, aligned = (Preprocessing(margin=0.1).crop(portrait, box, roll).astype(int) for roll in (0.0, 1e-6))
    assert abs(plain - aligned).mean() < 1


@pytest.mark.parametrize("degrees", [-35, 20])
def test_crop_of_a_tilted_face_equals_the_upright_crop(portrait, degrees):
    preprocessing = Preprocessing()
    upright = preprocessing.crop(portrait, FACE).astype(int)
    aligned = preprocessing.crop(rotate(portrait, degrees), FACE, degrees).astype(int)
    assert abs(upright - aligned).mean() < 6
    assert abs(upright - preprocessing.crop(rotate(portrait, degrees), FACE)).mean() > 20


@pytest.mark.parametrize("degrees", [-40, -20, 0, 10, 30])
def test_tilted_face_is_detected_with_its_roll(portrait, degrees):
    detector = tracking_detector(max_roll=40)
    for step in range(10):
        (face,) = (face for face in detector.detect(Frame(rotate(portrait, degrees), step / 5)) if face.id == "f1")
    assert face.roll == pytest.approx(degrees, abs=10)
    assert face.box.iou(FACE) > 0.6


def test_max_roll_0_detects_upright_faces_only(portrait):
    assert tracking_detector(max_roll=0).detect(Frame(rotate(portrait, 30), 0.0)) == []
    (face,) = tracking_detector(max_roll=0).detect(Frame(portrait, 0.0))
    assert face.roll == 0.0


def test_face_is_tracked_while_it_tilts(portrait):
    detector = tracking_detector()
    first, *later = [detector.detect(Frame(rotate(portrait, step), step / 20)) for step in range(0, 31, 2)]
    assert first[0].id == "f1"
    assert all([face.id for face in faces] == ["f1"] for faces in later)
    assert later[-1][0].roll == pytest.approx(30, abs=10)


def test_new_tilted_face_is_detected_without_a_full_scan(portrait):
    tilted = cv2.copyMakeBorder(rotate(portrait, -25), 0, 0, 0, 80, cv2.BORDER_REPLICATE)
    detector = tracking_detector()
    detector.detect(Frame(np.full_like(tilted, 120), 0.0))
    found = [detector.detect(Frame(tilted, step / 10)) for step in range(1, 21)]
    assert found[-1]
    assert found[-1][0].roll == pytest.approx(-25, abs=10)


def test_tiles_of_a_rotated_detector_cover_the_image():
    shape = (240, 320)
    covered = np.zeros(shape, np.uint8)
    for tile in rotated(ViolaJones(), 20.0).tiles(shape, 0, 35, 70):
        corners = cv2.boxPoints((tile.region.center, (tile.region.width, tile.region.height), 20.0))
        cv2.fillConvexPoly(covered, np.round(corners).astype(np.int32), 1)
    assert covered.mean() > 0.99


def test_rotated_detector_gives_landmarks_in_image_coordinates():
    class CenterDetector(Detector):
        """Finds one face in the center of any image."""

        def size_limits(self, shape):
            return 20, min(shape)

        def detect(self, image, query=WHOLE_IMAGE):
            x, y = image.shape[1] / 2, image.shape[0] / 2
            box = Box(round(x) - 20, round(y) - 20, 40, 40)
            return [Detection(box, 1.0, Landmarks((x - 10.5, y - 0.5), (x + 9.5, y - 0.5)))]

    (found,) = rotated(CenterDetector(), 30.0).detect(np.zeros((200, 200), np.uint8))
    assert found.roll == 30
    assert found.landmarks.roll == pytest.approx(30)
    assert np.mean([found.landmarks.left_eye, found.landmarks.right_eye], axis=0) == pytest.approx([99.5, 99.5])


@pytest.mark.parametrize("max_roll", [-1.0, 91.0, float("nan")])
def test_max_roll_out_of_range_is_rejected(max_roll):
    with pytest.raises(ValueError, match="max_roll"):
        TrackingSettings(max_roll=max_roll)


def test_box_from_eyes_gives_box_and_roll():
    box, roll = box_from_eyes(EYES)
    assert roll == 0
    assert box.iou(FACE) > 0.8
    vertical = Landmarks((222.5, 88.5), (222.5, 128.5))
    assert box_from_eyes(vertical)[1] == pytest.approx(90)


def test_alignment_on_measures_the_roll_from_the_eyes(portrait):
    box, roll = Alignment("on").crop_region(rotate(portrait, 8), TrackedFace("f1", FACE, 1.0, 0.0))
    assert roll == pytest.approx(8, abs=5)
    assert box.iou(FACE) > 0.6


def test_alignment_tilted_derotates_tilted_faces_only(portrait):
    align = Alignment("tilted")
    assert align.crop_region(portrait, TrackedFace("f1", FACE, 1.0, 0.0, roll=5.0)) == (FACE, 0.0)
    assert align.crop_region(portrait, TrackedFace("f1", FACE, 1.0, 0.0, roll=-20.0)) == (FACE, -20.0)
    assert align.crop_region(portrait, TrackedFace("f1", FACE, 1.0, 0.0, EYES, 20.0)) == (FACE, 0.0)


def test_alignment_off_keeps_the_box(portrait):
    assert Alignment("off").crop_region(portrait, TrackedFace("f1", FACE, 1.0, 0.0, EYES, 20.0)) == (FACE, 0.0)


def test_alignment_keeps_the_box_without_plausible_eyes(portrait):
    blank = np.full_like(portrait, 120)
    assert Alignment("on").crop_region(blank, TrackedFace("f1", FACE, 1.0, 0.0, roll=15.0)) == (FACE, 15.0)
    elsewhere = Landmarks((20.0, 20.0), (20.0, 20.0))
    assert Alignment("on").crop_region(portrait, TrackedFace("f1", FACE, 1.0, 0.0, elsewhere)) == (FACE, 0.0)


def test_unknown_alignment_is_rejected():
    with pytest.raises(ValueError, match="off, tilted, on, not 'always'"):
        Alignment("always")


@pytest.mark.parametrize("degrees", [-20, 20])
def test_emotion_of_a_tilted_face_equals_the_upright_one(portrait, classifier, degrees):
    state = CameraState(ViolaJones(), CameraSettings(tracking=TrackingSettings(max_roll=30.0)))
    ((face, *_),) = recognize([(state, Frame(rotate(portrait, degrees), 0.0))], classifier)
    assert face.box.iou(FACE) > 0.6
    assert face.emotion == "happy"
    ((upright,),) = recognize([(CameraState(ViolaJones()), Frame(portrait, 0.0))], classifier)
    assert face.confidence == pytest.approx(upright.confidence, abs=0.2)
