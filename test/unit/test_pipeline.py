# SPDX-License-Identifier: Apache-2.0
"""The pipeline from frames to results, with real faces and a real model file."""

import copy

import cv2
import numpy as np
import pytest

from fer_ros.emotion.classifier import Classifier
from fer_ros.faces.detectors.viola_jones import ViolaJones
from fer_ros.faces.tracking_detector import TrackingSettings
from fer_ros.people.camera_model import CameraModel
from fer_ros.people.events import EventKind, EventSettings
from fer_ros.people.hysteresis import HysteresisSettings
from fer_ros.people.quality import Quality
from fer_ros.people.smoothing import Smoothing, SmoothingSettings
from fer_ros.pipeline import CameraSettings, CameraState, recognize
from fer_ros.types import UNKNOWN, Box, Detection, Frame

SLOW = SmoothingSettings(time_constant=100)


def camera_state(**settings):
    return CameraState(ViolaJones(), CameraSettings(**settings))


@pytest.fixture(scope="module")
def classifier():
    return Classifier("mini_xception")


def test_smiling_face_is_happy(astronaut, classifier):
    ((face,),) = recognize([(camera_state(), Frame(astronaut, 0.0))], classifier)
    assert face.emotion == "happy"
    assert face.labels == classifier.labels
    assert face.confidence == pytest.approx(face.smoothed_scores.max())
    assert face.scores.sum() == pytest.approx(1, abs=1e-5)
    assert face.position is None


def test_batch_gives_each_camera_its_faces(astronaut, classifier):
    frames = [
        Frame(astronaut, 0.0),
        Frame(np.zeros((200, 200), np.uint8), 0.0),
        Frame(cv2.resize(astronaut, None, fx=0.7, fy=0.7), 0.0),
    ]
    batched = recognize([(camera_state(), frame) for frame in frames], classifier)
    single = [recognize([(camera_state(), frame)], classifier)[0] for frame in frames]
    assert [len(faces) for faces in batched] == [1, 0, 1]
    for camera in (0, 2):
        assert batched[camera][0].box == single[camera][0].box
        assert np.allclose(batched[camera][0].scores, single[camera][0].scores, atol=1e-5)


def test_next_face_does_not_inherit_scores(astronaut, classifier):
    state = camera_state(smoothing=SLOW)
    recognize([(state, Frame(astronaut, 0.0))], classifier)
    mirrored = np.ascontiguousarray(astronaut[:, ::-1])
    ((face,),) = recognize([(state, Frame(mirrored, 20.0))], classifier)
    assert face.id == "f2"
    assert np.array_equal(face.smoothed_scores, face.scores)


def test_reset_drops_tracks_and_returns_lost_events(astronaut, classifier):
    state = camera_state(smoothing=SLOW, events=EventSettings(appear_after=0))
    for number in range(3):
        (faces,) = recognize([(state, Frame(astronaut, 0.03 * number))], classifier)
        state.events.update(faces, 0.03 * number, astronaut.shape[::-1])
    assert [(event.kind, event.face_id) for event in state.reset()] == [(EventKind.LOST, "f1")]
    ((face,),) = recognize([(state, Frame(astronaut, 0.1))], classifier)
    assert face.id == "f2"
    assert face.tracked_for == 0
    assert np.array_equal(face.smoothed_scores, face.scores)


def test_scores_of_two_models_are_not_averaged(astronaut, classifier):
    state = camera_state(smoothing=SLOW)
    recognize([(state, Frame(astronaut, 0.0))], classifier)
    other = copy.copy(classifier)
    ((face,),) = recognize([(state, Frame(astronaut, 0.03))], other)
    assert face.id == "f1"
    assert np.array_equal(face.smoothed_scores, face.scores)


def test_new_settings_keep_ids_and_calibration(astronaut, classifier):
    state = camera_state(smoothing=SLOW)
    state.camera_model = CameraModel(width=512, height=512, k=(500.0, 0, 256, 0, 500.0, 256, 0, 0, 1))
    recognize([(state, Frame(astronaut, 0.0))], classifier)
    changed = state.with_settings(CameraSettings(face_width=0.3), ViolaJones())
    ((face,),) = recognize([(changed, Frame(astronaut, 0.03))], classifier)
    assert face.id == "f1"
    assert face.position == state.camera_model.position(face.box, 0.3)


def test_low_scores_give_unknown_with_best_confidence(astronaut, classifier):
    state = camera_state(hysteresis=HysteresisSettings(min_confidence=0.999))
    ((face,),) = recognize([(state, Frame(astronaut, 0.0))], classifier)
    assert face.emotion == UNKNOWN
    assert face.confidence == pytest.approx(face.smoothed_scores.max())


def test_smile_is_pleasant_and_without_faults(astronaut, classifier):
    ((face,),) = recognize([(camera_state(), Frame(astronaut, 0.0))], classifier)
    assert face.quality == 0
    assert face.valence > 0.3
    assert -1 <= face.arousal <= 1


def test_blurred_image_counts_less(astronaut, classifier):
    state, blurred = camera_state(smoothing=SmoothingSettings(0.5)), cv2.GaussianBlur(astronaut, (0, 0), 4)
    ((sharp,),) = recognize([(state, Frame(astronaut, 0.0))], classifier)
    ((soft,),) = recognize([(state, Frame(blurred, 0.1))], classifier)
    assert soft.id == sharp.id
    assert Quality.BLURRED in Quality(soft.quality)
    unweighted = Smoothing(SmoothingSettings(0.5))
    unweighted.update("1", sharp.scores, 0.0)
    expected = unweighted.update("1", soft.scores, 0.1)
    assert abs(soft.smoothed_scores - sharp.scores).max() < 0.5 * abs(expected - sharp.scores).max()


class ScriptedDetector(ViolaJones):
    """Detects, image by image, faces of the given widths side by side."""

    def __init__(self, *frames):
        super().__init__()
        self._frames = iter(frames)

    def detect(self, gray, *arguments, **keywords):
        widths = next(self._frames)
        return [Detection(Box(300 * slot, 0, width, width), 1.0) for slot, width in enumerate(widths) if width]


def test_max_faces_selects_largest_without_alternating():
    detector = ScriptedDetector((90, 100, 110), (102, 100, 101), (130, 100, 101), (90, 0, 0))
    state = CameraState(detector, CameraSettings(max_faces=2, tracking=TrackingSettings(enabled=False)))
    gray = np.zeros((400, 1000), np.uint8)
    detected = [[face.box.x // 300 for face in state.detect(Frame(gray, step / 10))] for step in range(4)]
    assert detected == [[2, 1], [2, 1], [0, 2], [0]]


@pytest.mark.parametrize("wrong", [{"max_faces": -1}, {"face_width": 0.0}, {"face_width": float("nan")}])
def test_camera_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        CameraSettings(**wrong)
