# SPDX-License-Identifier: Apache-2.0
"""Resizing without aliasing."""

import numpy as np
import pytest

from fer_ros.emotion.preprocessing import Preprocessing
from fer_ros.media.resize import resize, resize_to_square
from fer_ros.types import Box


def test_resize_averages_pixels_where_the_image_shrinks():
    stripes = np.tile(np.array([0, 200], np.uint8), (8, 4))
    assert np.all(resize(stripes, (4, 4)) == 100)


def test_resize_interpolates_where_the_image_grows():
    edge = np.array([[0, 200]], np.uint8)
    assert resize(edge, (4, 1)).tolist() == [[0, 50, 150, 200]]


@pytest.mark.parametrize(("height", "width"), [(48, 36), (36, 48), (47, 36), (96, 30), (1, 9)])
def test_resize_to_square_keeps_proportions(height, width):
    image = np.random.default_rng(1).integers(0, 256, (height, width), np.uint8)
    side = max(height, width)
    square = resize_to_square(image, side)
    y, x = (side - height) // 2, (side - width) // 2
    np.testing.assert_array_equal(square[y : y + height, x : x + width], image)
    np.testing.assert_array_equal(square[0, x : x + width], image[0])
    np.testing.assert_array_equal(square[y : y + height, -1], image[:, -1])
    assert resize_to_square(image, 24).shape == (24, 24)


def test_resize_to_square_equals_the_crop_of_a_box():
    image = np.random.default_rng(1).integers(0, 256, (48, 36), np.uint8)
    crop = Preprocessing(input_size=48).crop(image, Box(0, 0, 36, 48))
    np.testing.assert_array_equal(resize_to_square(image, 48), crop)


def test_resize_to_square_of_a_long_line_takes_little_memory():
    line = np.full((1, 60_000), 9, np.uint8)
    np.testing.assert_array_equal(resize_to_square(line, 48), np.full((48, 48), 9))
