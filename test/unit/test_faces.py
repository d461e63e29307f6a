"""Finding faces and knowing them again."""

import cv2
import numpy as np
import pytest

from fer_ros.faces.detectors.viola_jones import ViolaJones, find_cascade
from fer_ros.faces.search import Search
from fer_ros.faces.tracker import OverlapTracker
from fer_ros.frame import Box, Detection, Frame

ASTRONAUT_FACE = Box(177, 66, 95, 95)


def detections(*boxes):
    return [Detection(Box(*box), 1.0) for box in boxes]


def ids(faces):
    return [face.face_id for face in faces]


def test_the_face_of_a_real_photograph_is_found(astronaut):
    (found,) = ViolaJones().detect(astronaut)
    assert found.box.iou(ASTRONAUT_FACE) > 0.7
    assert found.score > 1


@pytest.mark.parametrize("sizes", [{"max_size": 60}, {"min_size": 140}])
def test_faces_outside_the_given_sizes_are_left_out(astronaut, sizes):
    assert ViolaJones(**sizes).detect(astronaut) == []


def test_the_automatic_smallest_face_follows_the_resolution(astronaut):
    small_face_in_large_image = np.zeros((4096, 4096), np.uint8)
    small_face_in_large_image[:512, :512] = astronaut
    assert ViolaJones().detect(small_face_in_large_image) == []


@pytest.mark.parametrize("shape", [(1, 1), (5, 4000), (29, 29)])
def test_an_image_smaller_than_any_face_has_none(shape):
    assert ViolaJones().detect(np.zeros(shape, np.uint8)) == []


def test_a_missing_cascade_is_named_with_the_remedy():
    with pytest.raises(FileNotFoundError, match=r"'haarcascade_frontal'.*opencv-data"):
        ViolaJones("haarcascade_frontal")
    with pytest.raises(FileNotFoundError, match="/nowhere/faces.xml"):
        ViolaJones("/nowhere/faces.xml")


def test_a_file_that_is_no_cascade_is_named(tmp_path):
    wrong = tmp_path / "faces.xml"
    wrong.write_text("<html>not found</html>")
    with pytest.raises(ValueError, match=r"faces\.xml is not a cascade"):
        ViolaJones(str(wrong))


def test_a_cascade_is_found_by_path_too():
    assert find_cascade(str(find_cascade("haarcascade_frontalface_alt2"))).name == "haarcascade_frontalface_alt2.xml"


def test_contradictory_sizes_are_refused():
    with pytest.raises(ValueError, match=r"max_size \(40\) is below min_size \(80\)"):
        ViolaJones(min_size=80, max_size=40)


def test_a_moving_face_keeps_its_identity_and_a_new_one_gets_another():
    tracker = OverlapTracker()
    for step in range(10):
        faces = tracker.update(detections((10 * step, 20, 50, 50)), step / 10)
        assert ids(faces) == ["1"]
    assert faces[0].tracked_for == pytest.approx(0.9)
    assert ids(tracker.update(detections((300, 20, 50, 50), (95, 20, 50, 50)), 1.0)) == ["2", "1"]


def test_a_face_that_is_missed_for_a_moment_is_known_again():
    tracker = OverlapTracker(keep_for=1.0)
    tracker.update(detections((0, 0, 50, 50)), 0.0)
    assert tracker.update([], 0.5) == []
    assert ids(tracker.update(detections((5, 0, 50, 50)), 0.9)) == ["1"]


def test_a_face_that_stays_away_is_forgotten_and_its_name_is_not_used_again():
    tracker = OverlapTracker(keep_for=1.0)
    tracker.update(detections((0, 0, 50, 50)), 0.0)
    tracker.update([], 1.5)
    assert tracker.known_ids == set()
    assert ids(tracker.update(detections((0, 0, 50, 50)), 1.6)) == ["2"]


def test_one_track_is_never_given_to_two_detections():
    tracker = OverlapTracker()
    tracker.update(detections((0, 0, 50, 50)), 0.0)
    faces = tracker.update(detections((10, 0, 50, 50), (2, 0, 50, 50)), 0.1)
    assert ids(faces) == ["2", "1"]


def test_a_looped_recording_starts_anew():
    tracker = OverlapTracker(keep_for=1.0)
    tracker.update(detections((0, 0, 50, 50)), 100.0)
    (face,) = tracker.update(detections((0, 0, 50, 50)), 5.0)
    assert (face.face_id, face.tracked_for) == ("2", 0.0)


def test_a_search_gives_the_largest_face_first(astronaut):
    small = cv2.resize(astronaut, (256, 256))
    both = np.zeros((512, 768), np.uint8)
    both[:256, :256], both[:, 256:] = small, astronaut
    areas = [face.box.area for face in Search(ViolaJones(), OverlapTracker()).find(Frame(both, 0.0))]
    assert len(areas) == 2
    assert areas[0] > areas[1]
