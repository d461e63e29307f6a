# SPDX-License-Identifier: Apache-2.0
"""The Viola-Jones detector, in images and regions."""

from itertools import pairwise

import cv2
import numpy as np
import pytest

from fer_ros.faces import cascades
from fer_ros.faces.cascades import find_cascade
from fer_ros.faces.detectors.base import Query
from fer_ros.faces.detectors.viola_jones import ViolaJones, ViolaJonesOptions
from fer_ros.types import Box

ASTRONAUT_FACE = Box(177, 66, 95, 95)


def test_viola_jones_finds_the_face_of_a_photograph(astronaut):
    (found,) = ViolaJones().detect(astronaut)
    assert found.box.iou(ASTRONAUT_FACE) > 0.7
    assert found.score > 1


@pytest.mark.parametrize("sizes", [{"max_size": 60}, {"min_size": 140}])
def test_viola_jones_leaves_out_faces_of_other_sizes(astronaut, sizes):
    assert ViolaJones(ViolaJonesOptions(**sizes)).detect(astronaut) == []


def test_automatic_min_size_grows_with_the_resolution(astronaut):
    small_face_in_large_image = np.zeros((4096, 4096), np.uint8)
    small_face_in_large_image[:512, :512] = astronaut
    assert ViolaJones().detect(small_face_in_large_image) == []


@pytest.mark.parametrize("shape", [(1, 1), (5, 4000), (29, 29)])
def test_viola_jones_finds_nothing_in_a_tiny_image(shape):
    assert ViolaJones().detect(np.zeros(shape, np.uint8)) == []


def test_missing_cascade_error_names_the_remedy():
    with pytest.raises(FileNotFoundError, match=r"'haarcascade_frontal'.*opencv-data"):
        ViolaJones(ViolaJonesOptions(cascade="haarcascade_frontal"))
    with pytest.raises(FileNotFoundError, match=r"/nowhere/faces\.xml"):
        ViolaJones(ViolaJonesOptions(cascade="/nowhere/faces.xml"))


def test_invalid_cascade_error_names_the_file(tmp_path):
    wrong = tmp_path / "faces.xml"
    wrong.write_text("<html>not found</html>")
    with pytest.raises(ValueError, match=r"faces\.xml is not a cascade"):
        ViolaJones(ViolaJonesOptions(cascade=str(wrong)))


def test_cascade_for_bodies_is_rejected():
    with pytest.raises(ValueError, match=r"'haarcascade_fullbody' has a window of 14x28 pixels.*for faces"):
        ViolaJones(ViolaJonesOptions(cascade="haarcascade_fullbody"))


def test_find_cascade_takes_a_path():
    assert find_cascade(str(find_cascade("haarcascade_frontalface_alt2"))).name == "haarcascade_frontalface_alt2.xml"


def test_contradictory_sizes_are_rejected():
    with pytest.raises(ValueError, match=r"max_size \(40\) is below min_size \(80\)"):
        ViolaJones(ViolaJonesOptions(min_size=80, max_size=40))


@pytest.mark.parametrize("width", [40, 64, 95, 150])
def test_detection_in_a_region_equals_the_full_scan(astronaut, width):
    height = round(512 * width / 95)
    image = cv2.resize(astronaut, (height, height))
    detector = ViolaJones(ViolaJonesOptions(min_size=30))
    (whole,) = (one for one in detector.detect(image) if abs(one.box.width - width) < width / 4)
    margin = width // 3
    box = whole.box
    region = Box(box.x - margin, box.y - margin, box.width + 2 * margin, box.height + 2 * margin)
    (found,) = detector.detect(image, Query(region, round(width / 1.4), round(width * 1.4)))
    assert found.box.iou(whole.box) > 0.9
    assert found.score > 1


def test_region_without_a_face_gives_nothing(astronaut):
    assert ViolaJones().detect(astronaut, Query(Box(300, 300, 200, 200), 60, 140)) == []


@pytest.mark.parametrize("region", [Box(-500, -500, 100, 100), Box(500, 500, 200, 200), Box(100, 100, 0, 0)])
def test_empty_region_gives_nothing(astronaut, region):
    detector = ViolaJones()
    assert detector.detect(astronaut, Query(region, 40, 100)) == []
    assert detector.redetect(astronaut, region, 60) == []


def test_redetect_finds_a_face_near_its_prediction(astronaut):
    (found,) = ViolaJones().redetect(astronaut, Box(157, 46, 135, 135), 90)
    assert found.box.iou(ASTRONAUT_FACE) > 0.7


def test_tiles_cover_all_positions_and_sizes_in_two_passes():
    detector = ViolaJones(ViolaJonesOptions(min_size=30))
    two_passes = detector.tiles((480, 640), 0, 30, 480) + detector.tiles((480, 640), 1, 30, 480)
    sizes = sorted({tile.min_size for tile in two_passes})
    assert sizes[0] <= 33
    assert sizes[-1] > 400
    assert all(later / sooner < 1.15 for sooner, later in pairwise(sizes))
    for size in sizes:
        strips = [tile.region for tile in two_passes if tile.min_size == size]
        assert strips[0].y == 0
        assert strips[-1].bottom == 480
        # A face on the border of two strips is completely in one of them.
        assert all(upper.bottom - lower.y >= size for upper, lower in pairwise(strips))


def test_opencv_without_the_class_names_packages_with_it(monkeypatch):
    monkeypatch.delattr(cv2, "CascadeClassifier")
    with pytest.raises(ValueError, match=r"has no CascadeClassifier, .*; install opencv-contrib-python 5\.1 .*another"):
        ViolaJones()


def test_cascades_come_from_the_system_or_packages_are_named(monkeypatch, tmp_path):
    monkeypatch.setattr(cascades, "_SYSTEM_FOLDERS", (tmp_path / "haarcascades",))
    monkeypatch.delattr(cv2, "data", raising=False)
    with pytest.raises(FileNotFoundError, match=r"install opencv-data \(apt\) or opencv-contrib-python 5\.1 .*\(pip\)"):
        find_cascade("haarcascade_frontalface_default")
    (tmp_path / "haarcascades").mkdir()
    path = tmp_path / "haarcascades" / "haarcascade_frontalface_default.xml"
    path.touch()
    assert find_cascade("haarcascade_frontalface_default") == path
