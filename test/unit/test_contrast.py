# SPDX-License-Identifier: Apache-2.0
"""Contrast stretching, and detection in dark images."""

import numpy as np
import pytest

from fer_ros.faces.contrast import adjust_contrast
from fer_ros.faces.detectors.viola_jones import ViolaJones
from fer_ros.faces.tracking_detector import TrackingDetector, TrackingSettings
from fer_ros.types import Frame


@pytest.fixture(scope="module")
def portrait(astronaut):
    """Return a face and little more, so that scans are fast."""
    return np.ascontiguousarray(astronaut[:240, 100:340])


def boxes(image, contrast):
    detector = TrackingDetector(ViolaJones(), TrackingSettings(contrast=contrast))
    return [face.box for face in detector.detect(Frame(image, 0.0))]


def test_face_at_a_tenth_of_the_brightness_is_found(portrait):
    dark = portrait // 10
    (box,) = boxes(portrait, "off")
    assert boxes(dark, "off") == []
    for contrast in ("auto", "equalize"):
        assert max(box.iou(found) for found in boxes(dark, contrast)) > 0.7


def test_auto_contrast_keeps_an_image_of_sufficient_range(portrait):
    assert adjust_contrast(portrait, "auto") is portrait
    assert boxes(portrait, "auto") == boxes(portrait, "off")


def test_contrast_off_keeps_a_dark_image(portrait):
    dark = portrait // 10
    assert adjust_contrast(dark, "off") is dark


@pytest.mark.parametrize("contrast", ["auto", "equalize"])
def test_adjust_contrast_does_not_modify_its_input(portrait, contrast):
    dark = portrait // 10
    before = dark.copy()
    adjust_contrast(dark, contrast)
    assert np.array_equal(dark, before)


@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (240, 320)])
@pytest.mark.parametrize("level", [0, 40, 255])
def test_blank_image_has_no_faces_in_any_mode(shape, level):
    for contrast in ("off", "auto", "equalize"):
        assert boxes(np.full(shape, level, np.uint8), contrast) == []


def test_unknown_contrast_mode_is_rejected():
    with pytest.raises(ValueError, match="off, auto, equalize, not 'candles'"):
        TrackingSettings(contrast="candles")
