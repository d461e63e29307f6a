# SPDX-License-Identifier: Apache-2.0
"""Positions from boxes: faces projected into the image are located where they were."""

import cv2
import numpy as np
import pytest

from fer_ros.people.camera_model import CameraModel
from fer_ros.types import Box

K = (1000.0, 0.0, 650.0, 0.0, 1010.0, 370.0, 0.0, 0.0, 1.0)
P = (900.0, 0.0, 640.0, 0.0, 0.0, 900.0, 360.0, 0.0, 0.0, 0.0, 1.0, 0.0)
PLUMB_BOB = (-0.35, 0.12, 0.001, -0.002, -0.01)
RATIONAL = (0.3, -0.1, 0.001, -0.001, 0.01, 0.6, -0.05, 0.02)
POSITIONS = [(0.0, 0.0, 1.0), (-0.4, 0.1, 1.0), (0.35, -0.25, 0.8), (0.6, 0.3, 2.0)]
WIDTH = 0.15


def camera(**changed):
    return CameraModel(**{"width": 1280, "height": 720, "k": K, **changed})


def box_at(position, project, binning=1, corner=(0, 0)):
    """Return the box of a face of WIDTH at `position` (m); `project` maps (N, 3) points to (N, 2) pixel centers."""
    half = np.array([WIDTH / 2, 0, 0])
    edges = (project(np.array([position - half, position, position + half])) + 0.5 - corner) / binning
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


def is_at(found, position):
    # Rounded to whole pixels, a width of some hundred pixels is off by up to 1 %.
    return np.allclose(found, position, atol=0.012 * np.linalg.norm(position))


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize(
    ("model", "distortion"),
    [("", ()), ("plumb_bob", (0.0,) * 5), ("plumb_bob", PLUMB_BOB), ("rational_polynomial", RATIONAL)],
)
def test_position_through_distorted_lens(position, model, distortion):
    box = box_at(np.array(position), through_lens(distortion or (0.0,) * 5))
    assert is_at(camera(distortion_model=model, d=distortion).position(box, WIDTH), position)


@pytest.mark.parametrize("position", [*POSITIONS, (1.5, 0.2, 1.0)])
def test_position_through_fisheye(position):
    distortion = (0.05, -0.01, 0.002, -0.001)
    box = box_at(np.array(position), through_fisheye(distortion))
    found = camera(distortion_model="equidistant", d=distortion).position(box, WIDTH)
    assert np.allclose(found, position, atol=0.03 * np.linalg.norm(position))


@pytest.mark.parametrize("position", POSITIONS)
def test_position_in_rectified_image_ignores_distortion(position):
    box = box_at(np.array(position), through(P))
    rectified = camera(p=P, rectified=True, distortion_model="plumb_bob", d=PLUMB_BOB)
    assert is_at(rectified.position(box, WIDTH), position)


def test_position_from_second_stereo_camera_is_in_first_frame():
    second = (*P[:3], -900 * 0.12, *P[4:])
    position = (0.1, 0.0, 1.0)
    assert is_at(
        camera(p=second, rectified=True).position(box_at(np.array(position), through(second)), WIDTH), position
    )


def test_position_axes_are_right_down_forward():
    right_and_below = camera().position(Box(1000, 600, 100, 100))
    left_and_above = camera().position(Box(200, 60, 100, 100))
    assert min(right_and_below) > 0
    assert (np.sign(left_and_above) == (-1, -1, 1)).all()


def test_position_is_independent_of_binning_and_roi():
    position = (0.1, 0.05, 0.6)
    roi = Box(200, 100, 800, 600)
    full, reduced = camera(), camera(binning_x=2, binning_y=2, roi=roi)
    assert is_at(full.position(box_at(np.array(position), through_lens((0.0,) * 5)), WIDTH), position)
    in_roi = box_at(np.array(position), through_lens((0.0,) * 5), binning=2, corner=(roi.x, roi.y))
    assert is_at(reduced.position(in_roi, WIDTH), position)


def test_distance_is_inverse_to_box_width():
    near, far = camera().position(Box(600, 320, 100, 100)), camera().position(Box(625, 345, 50, 50))
    assert far[2] == pytest.approx(2 * near[2])
    assert camera().position(Box(600, 320, 100, 100), 0.3)[2] == pytest.approx(0.3 / 0.15 * near[2])


def test_uncalibrated_camera_has_no_positions():
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
def test_check_accepts_image_size_of_camera_info(changed, size):
    camera(**changed).check(size)


@pytest.mark.parametrize(
    ("changed", "size"),
    [({}, (640, 480)), ({}, (720, 1280)), ({"binning_x": 2, "binning_y": 2}, (1280, 720))],
)
def test_check_refuses_other_image_size(changed, size):
    expected = "640x360" if changed else "1280x720"
    with pytest.raises(ValueError, match=rf"images of {expected} pixels.*images have {size[0]}x{size[1]}"):
        camera(**changed).check(size)


def test_unsupported_distortion_is_refused():
    with pytest.raises(ValueError, match=r"'thin_prism'; supported are plumb_bob"):
        camera(distortion_model="thin_prism", d=(0.1,))
    with pytest.raises(ValueError, match=r"3 coefficients for 'plumb_bob', which takes 4 or 5"):
        camera(distortion_model="plumb_bob", d=(0.1, 0.1, 0.1))
    camera(distortion_model="thin_prism", d=(0.1,), p=P, rectified=True)


def test_matrices_of_wrong_length_are_refused():
    with pytest.raises(ValueError, match="9 numbers in k and 12 in p, not 4 and 12"):
        camera(k=(1.0, 2.0, 3.0, 4.0))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
@pytest.mark.parametrize("name", ["k", "d", "p"])
def test_numbers_that_are_not_finite_are_refused(name, value):
    good = {"k": K, "d": PLUMB_BOB, "p": P}[name]
    with pytest.raises(ValueError, match=rf"camera_info has \S+ in {name}; its numbers must be finite"):
        camera(distortion_model="plumb_bob", **{name: (*good[:2], value, *good[3:])})


@pytest.mark.parametrize("focal_lengths", [(-500.0, 500.0), (500.0, 0.0), (1e-300, 500.0)])
def test_focal_lengths_that_are_not_positive_are_refused(focal_lengths):
    with pytest.raises(ValueError, match="they must be positive"):
        camera(k=(focal_lengths[0], *K[1:4], focal_lengths[1], *K[5:]))


@pytest.mark.parametrize("face_width", [np.nan, np.inf, 1e300])
def test_position_is_finite_or_none(face_width):
    assert camera().position(Box(600, 320, 100, 100), face_width) is None


def test_distortion_model_with_line_breaks_is_logged_on_one_line():
    with pytest.raises(ValueError, match="supported are") as raised:
        camera(distortion_model="\n[FATAL] forged" * 1000, d=(0.1,))
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < 300
