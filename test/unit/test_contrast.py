"""Faces in the dark."""

import numpy as np
import pytest

from fer_ros.faces.contrast import lit
from fer_ros.faces.detectors.viola_jones import ViolaJones
from fer_ros.faces.tracker import OverlapTracker
from fer_ros.faces.tracking_detector import TrackingDetector
from fer_ros.types import Frame


@pytest.fixture(scope="module")
def portrait(astronaut):
    """Her head and little more, so that scans are quick."""
    return np.ascontiguousarray(astronaut[:240, 100:340])


def boxes(gray, lighting):
    return [
        face.box for face in TrackingDetector(ViolaJones(), OverlapTracker(), lighting=lighting).find(Frame(gray, 0.0))
    ]


def test_a_face_at_a_tenth_of_the_light_is_found_where_it_is_in_full_light(portrait):
    dark = portrait // 10
    (box,) = boxes(portrait, "off")
    assert boxes(dark, "off") == []
    for lighting in ("auto", "equalize"):
        assert max(box.iou(found) for found in boxes(dark, lighting)) > 0.7


def test_an_image_with_enough_light_stays_as_it_is(portrait):
    assert lit(portrait, "auto") is portrait
    assert boxes(portrait, "auto") == boxes(portrait, "off")


def test_turned_off_nothing_changes(portrait):
    dark = portrait // 10
    assert lit(dark, "off") is dark


@pytest.mark.parametrize("lighting", ["auto", "equalize"])
def test_the_image_of_others_is_not_changed(portrait, lighting):
    dark = portrait // 10
    before = dark.copy()
    lit(dark, lighting)
    assert np.array_equal(dark, before)


@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (240, 320)])
@pytest.mark.parametrize("level", [0, 40, 255])
def test_a_blank_image_has_no_faces_in_any_light(shape, level):
    for lighting in ("off", "auto", "equalize"):
        assert boxes(np.full(shape, level, np.uint8), lighting) == []


def test_a_lighting_that_is_none_is_refused():
    with pytest.raises(ValueError, match="off, auto, equalize, not 'candles'"):
        TrackingDetector(ViolaJones(), OverlapTracker(), lighting="candles")
