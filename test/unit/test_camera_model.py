"""From a box to meters: what a known camera sees of a known face is put back where the face is."""

import cv2
import numpy as np
import pytest

from fer_ros.people.camera_model import CameraModel, placed
from fer_ros.types import Box, FaceResult

K = (1000.0, 0.0, 650.0, 0.0, 1010.0, 370.0, 0.0, 0.0, 1.0)
P = (900.0, 0.0, 640.0, 0.0, 0.0, 900.0, 360.0, 0.0, 0.0, 0.0, 1.0, 0.0)
PLUMB_BOB = (-0.35, 0.12, 0.001, -0.002, -0.01)
RATIONAL = (0.3, -0.1, 0.001, -0.001, 0.01, 0.6, -0.05, 0.02)
PLACES = [(0.0, 0.0, 1.0), (-0.4, 0.1, 1.0), (0.35, -0.25, 0.8), (0.6, 0.3, 2.0)]
WIDTH = 0.15


def camera(**changed):
    return CameraModel(**{"width": 1280, "height": 720, "k": K, **changed})


def seen(place, project, binning=1, corner=(0, 0)):
    """The box, in pixels, of a face of WIDTH at `place` (m); `project` maps (N, 3) points to pixels' middles."""
    half = np.array([WIDTH / 2, 0, 0])
    edges = (project(np.array([place - half, place, place + half])) + 0.5 - corner) / binning
    x, right = round(edges[0, 0]), round(edges[2, 0])
    return Box(x, round(edges[1, 1] - (right - x) / 2), right - x, right - x)


def through_lens(distortion):
    def project(points):
        matrix = np.reshape(K, (3, 3))
        return cv2.projectPoints(points, np.zeros(3), np.zeros(3), matrix, np.array(distortion))[0].reshape(-1, 2)

    return project


def through_fisheye(distortion):
    def project(points):
        matrix, origin = np.reshape(K, (3, 3)), np.zeros((3, 1))
        points = points.reshape(-1, 1, 3)
        return cv2.fisheye.projectPoints(points, origin, origin, matrix, np.array(distortion))[0].reshape(-1, 2)

    return project


def through(p):
    def project(points):
        image = np.column_stack([points, np.ones(len(points))]) @ np.reshape(p, (3, 4)).T
        return image[:, :2] / image[:, 2:]

    return project


def is_at(found, place):
    # A box has whole pixels: one of some hundred.
    return np.allclose(found, place, atol=0.012 * np.linalg.norm(place))


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("model", "distortion"),
    [("", ()), ("plumb_bob", (0.0,) * 5), ("plumb_bob", PLUMB_BOB), ("rational_polynomial", RATIONAL)],
)
def test_a_face_is_found_where_it_is(place, model, distortion):
    box = seen(np.array(place), through_lens(distortion or (0.0,) * 5))
    assert is_at(camera(distortion_model=model, d=distortion).position(box, WIDTH), place)


@pytest.mark.parametrize("place", [*PLACES, (1.5, 0.2, 1.0)])
def test_a_face_before_a_fisheye_is_found_where_it_is(place):
    distortion = (0.05, -0.01, 0.002, -0.001)
    box = seen(np.array(place), through_fisheye(distortion))
    found = camera(distortion_model="equidistant", d=distortion).position(box, WIDTH)
    assert np.allclose(found, place, atol=0.03 * np.linalg.norm(place))


@pytest.mark.parametrize("place", PLACES)
def test_a_face_in_a_rectified_image_is_found_where_it_is(place):
    box = seen(np.array(place), through(P))
    # The lens is of no matter any more.
    rectified = camera(p=P, rectified=True, distortion_model="plumb_bob", d=PLUMB_BOB)
    assert is_at(rectified.position(box, WIDTH), place)


def test_a_face_seen_by_the_second_camera_of_a_pair_is_placed_before_the_first():
    second = (*P[:3], -900 * 0.12, *P[4:])
    place = (0.1, 0.0, 1.0)
    assert is_at(camera(p=second, rectified=True).position(seen(np.array(place), through(second)), WIDTH), place)


def test_x_is_to_the_right_y_is_down_and_z_is_forward():
    right_and_below = camera().position(Box(1000, 600, 100, 100))
    left_and_above = camera().position(Box(200, 60, 100, 100))
    assert min(right_and_below) > 0
    assert (np.sign(left_and_above) == (-1, -1, 1)).all()


def test_binning_and_a_part_of_the_image_change_nothing():
    place = (0.1, 0.05, 0.6)
    part = Box(200, 100, 800, 600)
    whole, cut = camera(), camera(binning_x=2, binning_y=2, roi=part)
    assert is_at(whole.position(seen(np.array(place), through_lens((0.0,) * 5)), WIDTH), place)
    in_part = seen(np.array(place), through_lens((0.0,) * 5), binning=2, corner=(part.x, part.y))
    assert is_at(cut.position(in_part, WIDTH), place)


def test_a_face_that_is_twice_as_wide_is_half_as_far():
    near, far = camera().position(Box(600, 320, 100, 100)), camera().position(Box(625, 345, 50, 50))
    assert far[2] == pytest.approx(2 * near[2])
    assert camera().position(Box(600, 320, 100, 100), 0.3)[2] == pytest.approx(0.3 / 0.15 * near[2])


def test_a_camera_that_is_not_calibrated_has_no_positions():
    assert camera(k=(0.0,) * 9).position(Box(600, 320, 100, 100)) is None
    assert camera(rectified=True).position(Box(600, 320, 100, 100)) is None


@pytest.mark.parametrize(
    ("changed", "size"),
    [
        ({}, (1280, 720)),
        ({"binning_x": 2, "binning_y": 2}, (640, 360)),
        ({"roi": Box(100, 100, 300, 200)}, (300, 200)),
        ({"roi": Box(100, 100, 301, 201), "binning_x": 2, "binning_y": 2}, (151, 100)),
    ],
)
def test_images_of_the_size_in_camera_info_are_taken(changed, size):
    camera(**changed).check(size)


@pytest.mark.parametrize(
    ("changed", "size"),
    [({}, (640, 480)), ({}, (720, 1280)), ({"binning_x": 2, "binning_y": 2}, (1280, 720))],
)
def test_camera_info_for_other_images_is_refused_with_both_sizes(changed, size):
    expected = "640x360" if changed else "1280x720"
    with pytest.raises(ValueError, match=rf"images of {expected} pixels.*images have {size[0]}x{size[1]}"):
        camera(**changed).check(size)


def test_a_distortion_that_is_not_known_here_is_named():
    with pytest.raises(ValueError, match=r"'thin_prism'; known are plumb_bob"):
        camera(distortion_model="thin_prism", d=(0.1,))
    with pytest.raises(ValueError, match=r"3 coefficients for 'plumb_bob', which takes 4 or 5"):
        camera(distortion_model="plumb_bob", d=(0.1, 0.1, 0.1))
    camera(distortion_model="thin_prism", d=(0.1,), p=P, rectified=True)


def test_a_camera_info_with_the_wrong_number_of_numbers_is_named():
    with pytest.raises(ValueError, match="9 numbers in k and 12 in p, not 4 and 12"):
        camera(k=(1.0, 2.0, 3.0, 4.0))


def test_every_face_of_an_image_is_placed():
    scores = np.ones(1)
    shown = {"labels": ("happy",), "scores": scores, "smoothed_scores": scores, "emotion": "happy", "confidence": 1.0}
    boxes = [Box(600, 320, 100, 100), Box(200, 320, 50, 50)]
    faces = [FaceResult(box=box, **shown) for box in boxes]
    assert [face.position for face in placed(faces, camera())] == [camera().position(box) for box in boxes]
    assert [face.position for face in placed(faces, camera(k=(0.0,) * 9))] == [None, None]
