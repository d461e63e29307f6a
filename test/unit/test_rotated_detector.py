"""Tilted faces: found at their angle, followed while they tilt, and set upright before they are read."""

import cv2
import numpy as np
import pytest

from fer_ros.emotion.classifier import Classifier
from fer_ros.emotion.preprocessing import Preprocessing
from fer_ros.faces.alignment import Alignment, by_eyes
from fer_ros.faces.detectors.base import Detector
from fer_ros.faces.detectors.rotated import tilted
from fer_ros.faces.detectors.viola_jones import ViolaJones
from fer_ros.faces.tracker import OverlapTracker
from fer_ros.faces.tracking_detector import TrackingDetector, TrackingSettings
from fer_ros.pipeline import CameraSettings, CameraState, recognize
from fer_ros.types import Box, Detection, Frame, Landmarks, TrackedFace

FACE = Box(72, 68, 101, 101)
"""The astronaut's, as Viola-Jones has it in the upright portrait."""
EYES = Landmarks((105.0, 107.0), (141.0, 107.0))


@pytest.fixture(scope="module")
def portrait(astronaut):
    """Her head and little more, so that scans are quick."""
    return np.ascontiguousarray(astronaut[:240, 100:340])


@pytest.fixture(scope="module")
def classifier():
    return Classifier("mini_xception")


def turned(gray, degrees, about=FACE.center):
    """The picture, turned clockwise about the middle of the face."""
    turn = cv2.getRotationMatrix2D(about, -degrees, 1.0)
    return cv2.warpAffine(gray, turn, gray.shape[::-1], borderMode=cv2.BORDER_REPLICATE)


def search(max_tilt=30.0):
    return TrackingDetector(ViolaJones(), OverlapTracker(), max_tilt=max_tilt)


@pytest.mark.parametrize("box", [FACE, Box(80, 80, 48, 48), Box(80, 80, 31, 31), Box(-20, 60, 130, 130)])
def test_a_crop_turned_by_next_to_nothing_is_the_crop(portrait, box):
    plain, aligned = (Preprocessing(margin=0.1).crop(portrait, box, roll).astype(int) for roll in (0.0, 1e-6))
    assert abs(plain - aligned).mean() < 1


@pytest.mark.parametrize("degrees", [-35, 20])
def test_the_crop_of_a_turned_face_is_that_of_the_upright_one(portrait, degrees):
    preprocessing = Preprocessing()
    upright = preprocessing.crop(portrait, FACE).astype(int)
    aligned = preprocessing.crop(turned(portrait, degrees), FACE, degrees).astype(int)
    assert abs(upright - aligned).mean() < 6
    assert abs(upright - preprocessing.crop(turned(portrait, degrees), FACE)).mean() > 20


@pytest.mark.parametrize("degrees", [-40, -20, 0, 10, 30])
def test_a_tilted_face_is_found_with_its_angle_and_in_its_place(portrait, degrees):
    looking = search(max_tilt=40)
    for step in range(10):
        (face,) = (face for face in looking.find(Frame(turned(portrait, degrees), step / 5)) if face.id == "f1")
    assert face.roll == pytest.approx(degrees, abs=10)
    assert face.box.iou(FACE) > 0.6


def test_where_no_tilt_is_asked_for_none_is_looked_for(portrait):
    assert search(max_tilt=0).find(Frame(turned(portrait, 30), 0.0)) == []
    (face,) = search(max_tilt=0).find(Frame(portrait, 0.0))
    assert face.roll == 0.0


def test_a_face_is_followed_while_it_tilts(portrait):
    tilting = search()
    first, *later = [tilting.find(Frame(turned(portrait, step), step / 20)) for step in range(0, 31, 2)]
    assert first[0].id == "f1"
    assert all([face.id for face in faces] == ["f1"] for faces in later)
    assert later[-1][0].roll == pytest.approx(30, abs=10)


def test_a_tilted_face_that_appears_is_found_without_a_full_scan(portrait):
    tilting = cv2.copyMakeBorder(turned(portrait, -25), 0, 0, 0, 80, cv2.BORDER_REPLICATE)
    appearing = search()
    appearing.find(Frame(np.full_like(tilting, 120), 0.0))
    found = [appearing.find(Frame(tilting, step / 10)) for step in range(1, 21)]
    assert found[-1]
    assert found[-1][0].roll == pytest.approx(-25, abs=10)


def test_the_parts_of_a_turned_scan_see_all_of_the_image():
    shape = (240, 320)
    detector = tilted(ViolaJones(), 20.0)
    tiles = detector.tiles(shape, 0, 35, 70)
    seen = np.zeros(shape, np.uint8)
    for tile in tiles:
        corners = cv2.boxPoints((tile.region.center, (tile.region.width, tile.region.height), 20.0))
        cv2.fillConvexPoly(seen, np.round(corners).astype(np.int32), 1)
    assert seen.mean() > 0.99


def test_landmarks_of_a_face_found_in_a_turned_picture_lie_in_the_image():
    class Eyes(Detector):
        """Finds one face in the middle of what it is shown."""

        def sizes(self, shape):
            return 20, min(shape)

        def detect(self, gray, region=None, smallest=0, largest=0, evidence=1.0):
            x, y = gray.shape[1] / 2, gray.shape[0] / 2
            box = Box(round(x) - 20, round(y) - 20, 40, 40)
            return [Detection(box, 1.0, Landmarks((x - 10.5, y - 0.5), (x + 9.5, y - 0.5)))]

    (found,) = tilted(Eyes(), 30.0).detect(np.zeros((200, 200), np.uint8))
    assert found.roll == 30
    assert found.landmarks.roll == pytest.approx(30)
    assert np.mean([found.landmarks.left_eye, found.landmarks.right_eye], axis=0) == pytest.approx([99.5, 99.5])


@pytest.mark.parametrize("max_tilt", [-1.0, 91.0, float("nan")])
def test_a_tilt_that_is_none_is_refused(max_tilt):
    with pytest.raises(ValueError, match="max_tilt"):
        search(max_tilt)


def test_eyes_give_the_box_and_the_angle():
    box, roll = by_eyes(EYES)
    assert roll == 0
    assert box.iou(FACE) > 0.8
    turned_eyes = Landmarks((222.5, 88.5), (222.5, 128.5))
    assert by_eyes(turned_eyes)[1] == pytest.approx(90)


def test_the_eyes_in_the_box_say_how_a_face_is_tilted(portrait):
    box, roll = Alignment("on").place(turned(portrait, 8), TrackedFace("f1", FACE, 1.0, 0.0))
    assert roll == pytest.approx(8, abs=5)
    assert box.iou(FACE) > 0.6


def test_only_what_is_tilted_is_turned_when_that_is_asked_for(portrait):
    align = Alignment("tilted")
    assert align.place(portrait, TrackedFace("f1", FACE, 1.0, 0.0, roll=5.0)) == (FACE, 0.0)
    assert align.place(portrait, TrackedFace("f1", FACE, 1.0, 0.0, roll=-20.0)) == (FACE, -20.0)
    assert align.place(portrait, TrackedFace("f1", FACE, 1.0, 0.0, EYES, 20.0)) == (FACE, 0.0)


def test_turned_off_the_box_stays_as_it_is(portrait):
    assert Alignment("off").place(portrait, TrackedFace("f1", FACE, 1.0, 0.0, EYES, 20.0)) == (FACE, 0.0)


def test_without_eyes_that_fit_the_box_is_taken(portrait):
    wall = np.full_like(portrait, 120)
    assert Alignment("on").place(wall, TrackedFace("f1", FACE, 1.0, 0.0, roll=15.0)) == (FACE, 15.0)
    elsewhere = Landmarks((20.0, 20.0), (20.0, 20.0))
    assert Alignment("on").place(portrait, TrackedFace("f1", FACE, 1.0, 0.0, elsewhere)) == (FACE, 0.0)


def test_an_alignment_that_is_none_is_refused():
    with pytest.raises(ValueError, match="off, tilted, on, not 'always'"):
        Alignment("always")


@pytest.mark.parametrize("degrees", [-20, 20])
def test_a_smile_stays_a_smile_when_the_head_is_tilted(portrait, classifier, degrees):
    state = CameraState(ViolaJones(), CameraSettings(tracking=TrackingSettings(max_roll=30.0)))
    ((face, *_),) = recognize([(state, Frame(turned(portrait, degrees), 0.0))], classifier)
    assert face.box.iou(FACE) > 0.6
    assert face.emotion == "happy"
    ((upright,),) = recognize([(CameraState(ViolaJones()), Frame(portrait, 0.0))], classifier)
    assert face.confidence == pytest.approx(upright.confidence, abs=0.2)
