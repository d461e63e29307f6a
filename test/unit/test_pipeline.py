"""From frames to emotions, with real faces and a real model file."""

import cv2
import numpy as np
import pytest

from fer_ros.emotion.classifier import Classifier
from fer_ros.emotion.smoothing import Smoothing
from fer_ros.faces.detectors.viola_jones import ViolaJones
from fer_ros.faces.search import Search
from fer_ros.faces.tracker import OverlapTracker
from fer_ros.frame import Frame
from fer_ros.pipeline import Stream, recognise


def stream(time_constant=0.5):
    return Stream(Search(ViolaJones(), OverlapTracker()), Smoothing(time_constant))


@pytest.fixture(scope="module")
def classifier():
    return Classifier("mini_xception")


def test_a_smiling_face_is_happy(astronaut, classifier):
    ((face,),) = recognise([stream()], [Frame(astronaut, 0.0)], classifier)
    assert face.emotion == "happy"
    assert face.confidence == pytest.approx(face.smoothed_scores.max())
    assert face.scores.sum() == pytest.approx(1, abs=1e-5)


def test_each_camera_gets_its_own_faces(astronaut, classifier):
    small = cv2.resize(astronaut, None, fx=0.7, fy=0.7)
    streams = [stream(), stream(), stream()]
    empty = Frame(np.zeros((200, 200), np.uint8), 0.0)
    together = recognise(streams, [Frame(astronaut, 0.0), empty, Frame(small, 0.0)], classifier)
    alone = [
        recognise([stream()], [frame], classifier)[0] for frame in (Frame(astronaut, 0.0), Frame(small, 0.0))
    ]
    assert [len(faces) for faces in together] == [1, 0, 1]
    for batched, single in zip((together[0][0], together[2][0]), (alone[0][0], alone[1][0]), strict=True):
        assert batched.face.box == single.face.box
        assert np.allclose(batched.scores, single.scores, atol=1e-5)


def test_the_next_person_does_not_inherit_the_mood_of_the_last(astronaut, classifier):
    camera = stream(time_constant=100)
    recognise([camera], [Frame(astronaut, 0.0)], classifier)
    mirrored = np.ascontiguousarray(astronaut[:, ::-1])
    ((face,),) = recognise([camera], [Frame(mirrored, 10.0)], classifier)
    assert face.face.face_id == "2"
    assert np.array_equal(face.smoothed_scores, face.scores)


def test_smoothing_is_the_same_at_every_frame_rate():
    before, after = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    results = []
    for rate in (5, 30, 60):
        smoothing = Smoothing(time_constant=0.5)
        smoothing.update("1", before, 0.0)
        for step in range(1, rate + 1):
            result = smoothing.update("1", after, step / rate)
        results.append(result)
    assert results[0][1] == pytest.approx(1 - np.exp(-2))
    assert np.allclose(results, results[0])


def test_faces_are_smoothed_apart():
    smoothing = Smoothing(time_constant=10)
    smoothing.update("1", np.array([1.0, 0.0]), 0.0)
    assert np.array_equal(smoothing.update("2", np.array([0.0, 1.0]), 0.1), [0, 1])


def test_a_time_constant_of_zero_turns_smoothing_off():
    smoothing = Smoothing(time_constant=0)
    smoothing.update("1", np.array([1.0, 0.0]), 0.0)
    assert np.array_equal(smoothing.update("1", np.array([0.0, 1.0]), 0.0), [0, 1])
