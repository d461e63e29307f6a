"""From frames to emotions, with real faces and a real model file."""

import copy

import cv2
import numpy as np
import pytest

from fer_ros.emotion.classifier import Classifier
from fer_ros.faces.detectors.viola_jones import ViolaJones
from fer_ros.faces.tracker import OverlapTracker
from fer_ros.faces.tracking_detector import TrackingDetector
from fer_ros.people.hysteresis import LabelHysteresis
from fer_ros.people.quality import Quality
from fer_ros.people.smoothing import Smoothing
from fer_ros.pipeline import Stream, recognize
from fer_ros.types import UNKNOWN, Box, Frame, TrackedFace


def stream(time_constant=0.5):
    return Stream(TrackingDetector(ViolaJones(), OverlapTracker()), Smoothing(time_constant))


@pytest.fixture(scope="module")
def classifier():
    return Classifier("mini_xception")


def test_a_smiling_face_is_happy(astronaut, classifier):
    ((face,),) = recognize([stream()], [Frame(astronaut, 0.0)], classifier)
    assert face.emotion == "happy"
    assert face.confidence == pytest.approx(face.smoothed_scores.max())
    assert face.scores.sum() == pytest.approx(1, abs=1e-5)


def test_each_camera_gets_its_own_faces(astronaut, classifier):
    small = cv2.resize(astronaut, None, fx=0.7, fy=0.7)
    streams = [stream(), stream(), stream()]
    empty = Frame(np.zeros((200, 200), np.uint8), 0.0)
    together = recognize(streams, [Frame(astronaut, 0.0), empty, Frame(small, 0.0)], classifier)
    alone = [recognize([stream()], [frame], classifier)[0] for frame in (Frame(astronaut, 0.0), Frame(small, 0.0))]
    assert [len(faces) for faces in together] == [1, 0, 1]
    for batched, single in zip((together[0][0], together[2][0]), (alone[0][0], alone[1][0]), strict=True):
        assert batched.box == single.box
        assert np.allclose(batched.scores, single.scores, atol=1e-5)


def test_the_next_person_does_not_inherit_the_mood_of_the_last(astronaut, classifier):
    camera = stream(time_constant=100)
    recognize([camera], [Frame(astronaut, 0.0)], classifier)
    mirrored = np.ascontiguousarray(astronaut[:, ::-1])
    ((face,),) = recognize([camera], [Frame(mirrored, 10.0)], classifier)
    assert face.id == "f2"
    assert np.array_equal(face.smoothed_scores, face.scores)


def test_who_is_forgotten_is_somebody_new(astronaut, classifier):
    camera = stream(time_constant=100)
    for number in range(3):
        recognize([camera], [Frame(astronaut, 0.03 * number)], classifier)
    camera.forget()
    ((face,),) = recognize([camera], [Frame(astronaut, 0.1)], classifier)
    assert face.id == "f2"
    assert face.tracked_for == 0
    assert np.array_equal(face.smoothed_scores, face.scores)


def test_scores_of_two_models_are_never_averaged(astronaut, classifier):
    camera = stream(time_constant=100)
    recognize([camera], [Frame(astronaut, 0.0)], classifier)
    other = copy.copy(classifier)
    ((face,),) = recognize([camera], [Frame(astronaut, 0.03)], other)
    assert face.id == "f1"
    assert np.array_equal(face.smoothed_scores, face.scores)


def test_a_decision_is_told_from_what_it_rests_on(astronaut, classifier):
    unsure = Stream(
        TrackingDetector(ViolaJones(), OverlapTracker()), Smoothing(), LabelHysteresis(min_confidence=0.999)
    )
    ((face,),) = recognize([unsure], [Frame(astronaut, 0.0)], classifier)
    assert face.emotion == UNKNOWN
    assert face.confidence == pytest.approx(face.smoothed_scores.max())


def test_a_smile_is_pleasant_and_a_sharp_face_has_no_fault(astronaut, classifier):
    ((face,),) = recognize([stream()], [Frame(astronaut, 0.0)], classifier)
    assert face.quality == 0
    assert face.valence > 0.3
    assert -1 <= face.arousal <= 1


def test_an_image_out_of_focus_says_so_and_counts_less(astronaut, classifier):
    camera, blurred = stream(), cv2.GaussianBlur(astronaut, (0, 0), 4)
    ((sharp,),) = recognize([camera], [Frame(astronaut, 0.0)], classifier)
    ((soft,),) = recognize([camera], [Frame(blurred, 0.1)], classifier)
    assert soft.id == sharp.id
    assert Quality.BLURRED in Quality(soft.quality)
    plainly = Smoothing(0.5)
    plainly.update("1", sharp.scores, 0.0)
    undistinguished = plainly.update("1", soft.scores, 0.1)
    assert abs(soft.smoothed_scores - sharp.scores).max() < 0.5 * abs(undistinguished - sharp.scores).max()


class Seen:
    """A search that finds what it is told."""

    def __init__(self, *frames):
        self.frames = iter(frames)

    def find(self, frame):
        widths = next(self.frames)
        faces = [TrackedFace(face_id, Box(0, 0, width, width), 1.0, 0.0) for face_id, width in widths.items()]
        return sorted(faces, key=lambda face: face.box.area, reverse=True)


def test_of_too_many_faces_the_largest_count_and_do_not_take_turns(astronaut):
    camera = Stream(
        Seen({"a": 90, "b": 100, "c": 110}, {"a": 102, "b": 100, "c": 101}, {"a": 130, "b": 100, "c": 101}, {"a": 90}),
        Smoothing(),
        max_faces=2,
    )
    found = [[face.id for face in camera.find(Frame(astronaut, 0.0))] for _ in range(4)]
    assert found == [["c", "b"], ["c", "b"], ["a", "c"], ["a"]]
