"""Finding faces with a cascade: in a whole image, and in a part of it."""

from itertools import pairwise

import cv2
import numpy as np
import pytest

from fer_ros.faces.detectors.viola_jones import ViolaJones, find_cascade
from fer_ros.types import Box

ASTRONAUT_FACE = Box(177, 66, 95, 95)


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
    with pytest.raises(FileNotFoundError, match=r"/nowhere/faces\.xml"):
        ViolaJones("/nowhere/faces.xml")


def test_a_file_that_is_no_cascade_is_named(tmp_path):
    wrong = tmp_path / "faces.xml"
    wrong.write_text("<html>not found</html>")
    with pytest.raises(ValueError, match=r"faces\.xml is not a cascade"):
        ViolaJones(str(wrong))


def test_a_cascade_for_bodies_is_refused():
    with pytest.raises(ValueError, match=r"'haarcascade_fullbody' looks at 14x28 pixels.*for faces"):
        ViolaJones("haarcascade_fullbody")


def test_a_cascade_is_found_by_path_too():
    assert find_cascade(str(find_cascade("haarcascade_frontalface_alt2"))).name == "haarcascade_frontalface_alt2.xml"


def test_contradictory_sizes_are_refused():
    with pytest.raises(ValueError, match=r"max_size \(40\) is below min_size \(80\)"):
        ViolaJones(min_size=80, max_size=40)


@pytest.mark.parametrize("width", [40, 64, 95, 150])
def test_a_region_gives_the_answer_of_the_full_scan(astronaut, width):
    height = round(512 * width / 95)
    image = cv2.resize(astronaut, (height, height))
    detector = ViolaJones(min_size=30)
    (whole,) = (found for found in detector.detect(image) if abs(found.box.width - width) < width / 4)
    more = width // 3
    region = Box(whole.box.x - more, whole.box.y - more, whole.box.width + 2 * more, whole.box.height + 2 * more)
    (part,) = detector.detect(image, region, round(width / 1.4), round(width * 1.4))
    assert part.box.iou(whole.box) > 0.9
    assert part.score > 1


def test_a_region_without_a_face_has_none(astronaut):
    assert ViolaJones().detect(astronaut, Box(300, 300, 200, 200), 60, 140) == []


@pytest.mark.parametrize("region", [Box(-500, -500, 100, 100), Box(500, 500, 200, 200), Box(100, 100, 0, 0)])
def test_a_region_beside_the_image_or_empty_has_no_face(astronaut, region):
    detector = ViolaJones()
    assert detector.detect(astronaut, region, 40, 100) == []
    assert detector.redetect(astronaut, region, 60) == []


def test_a_known_face_is_followed_from_a_guess(astronaut):
    (found,) = ViolaJones().redetect(astronaut, Box(157, 46, 135, 135), 90)
    assert found.box.iou(ASTRONAUT_FACE) > 0.7


def test_glimpses_cover_every_place_and_size_in_two_turns():
    detector = ViolaJones(min_size=30)
    two_turns = detector.tiles((480, 640), 0, 30, 480) + detector.tiles((480, 640), 1, 30, 480)
    sizes = sorted({tile.smallest for tile in two_turns})
    assert sizes[0] <= 33
    assert sizes[-1] > 400
    assert all(later / sooner < 1.15 for sooner, later in pairwise(sizes))
    for size in sizes:
        strips = [tile.region for tile in two_turns if tile.smallest == size]
        assert strips[0].y == 0
        assert strips[-1].bottom == 480
        # A face that straddles two strips is whole in one of them.
        assert all(upper.bottom - lower.y >= size for upper, lower in pairwise(strips))
