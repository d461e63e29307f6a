# SPDX-License-Identifier: Apache-2.0
"""Tracking through misses, crossings, occlusion and irregular stamps."""

import numpy as np
import pytest

from fer_ros.faces.tracker import OverlapTracker
from fer_ros.types import Box, Detection, Landmarks


def detections(*boxes):
    return [Detection(Box(*map(round, box)), 1.0) for box in boxes]


def ids(faces):
    return [face.id for face in faces]


def crossing(tracker, stamps, hidden=()):
    """Return the ids while two faces cross within 4 s; at `hidden` stamps, only the closer one is detected."""
    seen = []
    for stamp in stamps:
        boxes = [(40 + 130 * stamp, 100, 80, 80), (520 - 120 * stamp, 110, 72, 72)]
        seen.append(ids(tracker.update(detections(*(boxes[:1] if stamp in hidden else boxes)), stamp)))
    return seen


@pytest.mark.parametrize("rate", [5, 10, 15, 30, 60])
def test_tracker_keeps_ids_of_crossing_faces(rate):
    seen = crossing(OverlapTracker(), [step / rate for step in range(4 * rate)])
    assert seen == [["f1", "f2"]] * len(seen)


@pytest.mark.parametrize("rate", [10, 30])
def test_tracker_keeps_ids_when_one_face_occludes_another(rate):
    stamps = [step / rate for step in range(4 * rate)]
    hidden = [stamp for stamp in stamps if 1.65 < stamp < 2.15]
    seen = crossing(OverlapTracker(), stamps, hidden)
    assert {tuple(names) for names in seen} == {("f1", "f2"), ("f1",)}


@pytest.mark.parametrize("speed", [0, 100, 250])
def test_tracker_keeps_id_through_occlusion(speed):
    tracker = OverlapTracker()
    for step in range(60):
        stamp = step / 30
        boxes = [] if 1.0 <= stamp < 1.5 else [(speed * stamp, 50, 60, 60)]
        names = ids(tracker.update(detections(*boxes), stamp))
        assert names == (["f1"] if boxes else [])
        assert tracker.known_ids == {"f1"}


def test_tracker_adds_later_detections_of_a_frame():
    tracker = OverlapTracker()
    first, second, third = (100, 50, 60, 60), (400, 50, 60, 60), (250, 200, 60, 60)
    assert ids(tracker.update(detections(first, second), 0.0)) == ["f1", "f2"]
    assert ids(tracker.update(detections(first), 0.1)) == ["f1"]
    tracker.add(detections(second, third), 0.1)
    faces = tracker.update(detections(third, second, first), 0.2)
    assert ids(faces) == ["f3", "f2", "f1"]
    assert [face.tracked_for for face in faces] == pytest.approx([0.1, 0.2, 0.2])


def test_tracker_keeps_ids_at_irregular_stamps():
    tracker = OverlapTracker()
    stamp = 0.0
    for gap in [0.03, 0.03, 0.2, 0.03, 0.4, 0.01, 0.1, 0.0, 0.3, 0.03] * 3:
        stamp += gap
        assert ids(tracker.update(detections((200 * stamp, 20, 50, 50), (600 - 50 * stamp, 200, 60, 60)), stamp)) == [
            "f1",
            "f2",
        ]


def test_tracker_gives_a_new_face_a_new_id():
    tracker = OverlapTracker()
    for step in range(10):
        faces = tracker.update(detections((10 * step, 20, 50, 50)), step / 10)
        assert ids(faces) == ["f1"]
    assert faces[0].tracked_for == pytest.approx(0.9)
    assert ids(tracker.update(detections((300, 20, 50, 50), (95, 20, 50, 50)), 1.0)) == ["f2", "f1"]


def test_tracker_gives_a_face_of_another_size_a_new_id():
    tracker = OverlapTracker()
    tracker.update(detections((0, 0, 50, 50)), 0.0)
    assert ids(tracker.update(detections((0, 0, 120, 120)), 0.03)) == ["f2"]


def test_tracker_keeps_id_through_missed_detections():
    tracker = OverlapTracker(keep_for=1.0)
    tracker.update(detections((0, 0, 50, 50)), 0.0)
    assert tracker.update([], 0.5) == []
    assert ids(tracker.update(detections((5, 0, 50, 50)), 0.9)) == ["f1"]


def test_tracker_does_not_reuse_the_id_of_a_lost_face():
    tracker = OverlapTracker(keep_for=1.0)
    tracker.update(detections((0, 0, 50, 50)), 0.0)
    for stamp in (0.5, 1.0, 1.5):
        tracker.update([], stamp)
    assert tracker.known_ids == set()
    assert ids(tracker.update(detections((0, 0, 50, 50)), 1.6)) == ["f2"]


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9, 1.0, 2.0, 100.0])
def test_tracker_keeps_id_at_any_image_rate(rate):
    tracker = OverlapTracker()
    random = np.random.default_rng(0)
    for number in range(30):
        stamp = (number + random.uniform(0, 0.2)) / rate
        box = (100 + random.uniform(-3, 3), 50, 60, 60)
        missed = number == 5
        assert ids(tracker.update([] if missed else detections(box), stamp)) == ([] if missed else ["f1"])


def test_tracker_drops_ids_after_a_pause_of_a_fast_camera():
    tracker = OverlapTracker()
    for number in range(10):
        tracker.update(detections((0, 0, 50, 50)), number / 10)
    assert ids(tracker.update(detections((0, 0, 50, 50)), 5.0)) == ["f2"]


def test_tracker_takes_images_a_minute_apart_as_unrelated():
    tracker = OverlapTracker()
    assert [ids(tracker.update(detections((0, 0, 50, 50)), 60.0 * number)) for number in range(3)] == [
        ["f1"],
        ["f2"],
        ["f3"],
    ]


def test_tracker_assigns_each_track_once():
    tracker = OverlapTracker()
    tracker.update(detections((0, 0, 50, 50)), 0.0)
    faces = tracker.update(detections((10, 0, 50, 50), (2, 0, 50, 50)), 0.1)
    assert ids(faces) == ["f2", "f1"]


@pytest.mark.parametrize("back_to", [5.0, 99.5])
def test_tracker_starts_anew_when_stamps_jump_back(back_to):
    tracker = OverlapTracker(keep_for=1.0)
    tracker.update(detections((0, 0, 50, 50)), 100.0)
    (face,) = tracker.update(detections((0, 0, 50, 50)), back_to)
    assert (face.id, face.tracked_for) == ("f2", 0.0)


def test_tracker_tolerates_reordered_frames():
    tracker = OverlapTracker()
    for stamp in (1.0, 1.07, 1.03, 1.1):
        assert ids(tracker.update(detections((100 * stamp, 0, 50, 50)), stamp)) == ["f1"]


def test_tracker_reports_a_face_after_min_hits():
    tracker = OverlapTracker(min_hits=3)
    reported = [ids(tracker.update(detections((0, 0, 50, 50)), step / 30)) for step in range(4)]
    assert reported == [[], [], ["f1"], ["f1"]]


def test_tracker_drops_an_unreported_face_after_a_miss():
    tracker = OverlapTracker(min_hits=2)
    tracker.update(detections((0, 0, 50, 50)), 0.0)
    tracker.update([], 0.03)
    assert tracker.update(detections((0, 0, 50, 50)), 0.06) == []
    assert tracker.known_ids == set()


@pytest.mark.parametrize("wrong", [{"keep_for": -1.0}, {"keep_for": float("nan")}, {"min_hits": 0}])
def test_tracker_error_names_the_argument(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        OverlapTracker(**wrong)


def test_tracker_keeps_the_landmarks_of_a_detection():
    eyes = Landmarks((60.5, 70.0), (90.0, 71.5))
    tracker = OverlapTracker()
    tracker.update([Detection(Box(50, 50, 60, 60), 1.0, eyes)], 0.0)
    found = [Detection(Box(300, 50, 60, 60), 1.0), Detection(Box(52, 50, 60, 60), 1.0, eyes)]
    assert [face.landmarks for face in tracker.update(found, 0.1)] == [None, eyes]
