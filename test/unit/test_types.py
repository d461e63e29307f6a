"""Geometry of boxes."""

import pytest

from fer_ros.types import Box


@pytest.mark.parametrize(
    ("box", "inside"),
    [
        (Box(2, 3, 4, 5), Box(2, 3, 4, 5)),
        (Box(-5, -5, 10, 10), Box(0, 0, 5, 5)),
        (Box(95, 45, 10, 10), Box(95, 45, 5, 5)),
        (Box(-10, -10, 200, 200), Box(0, 0, 100, 50)),
    ],
)
def test_a_box_is_clipped_to_the_image(box, inside):
    assert box.clipped(100, 50) == inside


@pytest.mark.parametrize("box", [Box(-20, 0, 10, 10), Box(120, 10, 5, 5), Box(10, 60, 5, 5)])
def test_nothing_remains_of_a_box_outside_the_image(box):
    assert box.clipped(100, 50).area == 0


def test_overlap_is_intersection_over_union():
    box = Box(0, 0, 10, 10)
    assert box.iou(box) == 1
    assert box.iou(Box(5, 0, 10, 10)) == pytest.approx(50 / 150)
    assert box.iou(Box(10, 0, 10, 10)) == 0
    assert box.iou(Box(20, 20, 5, 5)) == 0
