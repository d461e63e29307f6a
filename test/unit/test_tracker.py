"""Knowing faces again: through misses, crossings, hiding, uneven time stamps."""

import pytest

from fer_ros.faces.tracker import OverlapTracker
from fer_ros.types import Box, Detection, Landmarks


def detections(*boxes):
    return [Detection(Box(*map(round, box)), 1.0) for box in boxes]


def ids(faces):
    return [face.id for face in faces]


def crossing(tracker, stamps, hidden=()):
    """Two people of 80 pixels walk through each other in 4 s; at `hidden` stamps only the nearer one is seen."""
    seen = []
    for stamp in stamps:
        boxes = [(40 + 130 * stamp, 100, 80, 80), (520 - 120 * stamp, 110, 72, 72)]
        seen.append(ids(tracker.update(detections(*(boxes[:1] if stamp in hidden else boxes)), stamp)))
    return seen


@pytest.mark.parametrize("rate", [5, 10, 15, 30, 60])
def test_two_people_crossing_keep_their_ids(rate):
    seen = crossing(OverlapTracker(), [step / rate for step in range(4 * rate)])
    assert seen == [["f1", "f2"]] * len(seen)


@pytest.mark.parametrize("rate", [10, 30])
def test_two_people_keep_their_ids_when_one_hides_the_other(rate):
    stamps = [step / rate for step in range(4 * rate)]
    hidden = [stamp for stamp in stamps if 1.65 < stamp < 2.15]
    seen = crossing(OverlapTracker(), stamps, hidden)
    assert {tuple(names) for names in seen} == {("f1", "f2"), ("f1",)}


@pytest.mark.parametrize("speed", [0, 100, 250])
def test_one_hidden_for_half_a_second_keeps_hers(speed):
    tracker = OverlapTracker()
    for step in range(60):
        stamp = step / 30
        boxes = [] if 1.0 <= stamp < 1.5 else [(speed * stamp, 50, 60, 60)]
        names = ids(tracker.update(detections(*boxes), stamp))
        assert names == (["f1"] if boxes else [])
        assert tracker.known_ids == {"f1"}


def test_uneven_time_between_images_does_not_matter():
    tracker = OverlapTracker()
    stamp = 0.0
    for gap in [0.03, 0.03, 0.2, 0.03, 0.4, 0.01, 0.1, 0.0, 0.3, 0.03] * 3:
        stamp += gap
        assert ids(tracker.update(detections((200 * stamp, 20, 50, 50), (600 - 50 * stamp, 200, 60, 60)), stamp)) == [
            "f1",
            "f2",
        ]


def test_a_new_face_gets_another_identity():
    tracker = OverlapTracker()
    for step in range(10):
        faces = tracker.update(detections((10 * step, 20, 50, 50)), step / 10)
        assert ids(faces) == ["f1"]
    assert faces[0].tracked_for == pytest.approx(0.9)
    assert ids(tracker.update(detections((300, 20, 50, 50), (95, 20, 50, 50)), 1.0)) == ["f2", "f1"]


def test_a_face_of_another_size_in_the_same_place_is_another_person():
    tracker = OverlapTracker()
    tracker.update(detections((0, 0, 50, 50)), 0.0)
    assert ids(tracker.update(detections((0, 0, 120, 120)), 0.03)) == ["f2"]


def test_a_face_that_is_missed_for_a_moment_is_known_again():
    tracker = OverlapTracker(keep_for=1.0)
    tracker.update(detections((0, 0, 50, 50)), 0.0)
    assert tracker.update([], 0.5) == []
    assert ids(tracker.update(detections((5, 0, 50, 50)), 0.9)) == ["f1"]


def test_a_face_that_stays_away_is_forgotten_and_its_name_is_not_used_again():
    tracker = OverlapTracker(keep_for=1.0)
    tracker.update(detections((0, 0, 50, 50)), 0.0)
    tracker.update([], 1.5)
    assert tracker.known_ids == set()
    assert ids(tracker.update(detections((0, 0, 50, 50)), 1.6)) == ["f2"]


def test_one_track_is_never_given_to_two_detections():
    tracker = OverlapTracker()
    tracker.update(detections((0, 0, 50, 50)), 0.0)
    faces = tracker.update(detections((10, 0, 50, 50), (2, 0, 50, 50)), 0.1)
    assert ids(faces) == ["f2", "f1"]


@pytest.mark.parametrize("back_to", [5.0, 99.5])
def test_a_looped_recording_starts_anew(back_to):
    tracker = OverlapTracker(keep_for=1.0)
    tracker.update(detections((0, 0, 50, 50)), 100.0)
    (face,) = tracker.update(detections((0, 0, 50, 50)), back_to)
    assert (face.id, face.tracked_for) == ("f2", 0.0)


def test_an_image_that_was_overtaken_by_the_next_changes_nothing():
    tracker = OverlapTracker()
    for stamp in (1.0, 1.07, 1.03, 1.1):
        assert ids(tracker.update(detections((100 * stamp, 0, 50, 50)), stamp)) == ["f1"]


def test_a_face_is_reported_after_as_many_hits_as_asked_for():
    tracker = OverlapTracker(min_hits=3)
    reported = [ids(tracker.update(detections((0, 0, 50, 50)), step / 30)) for step in range(4)]
    assert reported == [[], [], ["f1"], ["f1"]]


def test_a_single_hit_is_not_remembered_when_more_are_asked_for():
    tracker = OverlapTracker(min_hits=2)
    tracker.update(detections((0, 0, 50, 50)), 0.0)
    tracker.update([], 0.03)
    assert tracker.update(detections((0, 0, 50, 50)), 0.06) == []
    assert tracker.known_ids == set()


@pytest.mark.parametrize("wrong", [{"keep_for": -1.0}, {"keep_for": float("nan")}, {"min_hits": 0}])
def test_numbers_out_of_range_are_named(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        OverlapTracker(**wrong)


def test_a_face_has_the_landmarks_of_its_own_detection():
    eyes = Landmarks((60.5, 70.0), (90.0, 71.5))
    tracker = OverlapTracker()
    tracker.update([Detection(Box(50, 50, 60, 60), 1.0, eyes)], 0.0)
    found = [Detection(Box(300, 50, 60, 60), 1.0), Detection(Box(52, 50, 60, 60), 1.0, eyes)]
    assert [face.landmarks for face in tracker.update(found, 0.1)] == [None, eyes]
