# SPDX-License-Identifier: Apache-2.0
"""Resizing without aliasing."""

import numpy as np

from fer_ros.media.resize import resize


def test_resize_averages_pixels_where_the_image_shrinks():
    stripes = np.tile(np.array([0, 200], np.uint8), (8, 4))
    assert np.all(resize(stripes, (4, 4)) == 100)


def test_resize_interpolates_where_the_image_grows():
    edge = np.array([[0, 200]], np.uint8)
    assert resize(edge, (4, 1)).tolist() == [[0, 50, 150, 200]]
