# SPDX-License-Identifier: Apache-2.0
"""Crops of faces, and their normalization."""

import numpy as np
import pytest
import torch
from training_data import bars

from fer_ros.emotion.preprocessing import Preprocessing
from fer_ros.types import Box

GRADIENT = np.tile(np.arange(100, dtype=np.uint8), (80, 1))
"""The value of each pixel is its column."""


def test_crop_of_input_size_is_not_resampled():
    crop = Preprocessing(input_size=48).crop(GRADIENT, Box(10, 20, 48, 48))
    assert np.array_equal(crop, GRADIENT[20:68, 10:58])


def test_margin_expands_box_on_every_side():
    crop = Preprocessing(input_size=60, margin=0.25).crop(GRADIENT, Box(30, 20, 40, 40))
    assert np.array_equal(crop, GRADIENT[10:70, 20:80])


def test_crop_is_square_around_center():
    crop = Preprocessing(input_size=40).crop(GRADIENT, Box(40, 20, 20, 40))
    assert np.array_equal(crop, GRADIENT[20:60, 30:70])


@pytest.mark.parametrize(
    ("box", "first", "last"),
    [(Box(-24, 10, 48, 48), 0, 23), (Box(76, 10, 48, 48), 76, 99), (Box(30, -24, 48, 48), 30, 77)],
)
def test_crop_repeats_edge_outside_image(box, first, last):
    crop = Preprocessing(input_size=48).crop(GRADIENT, box)
    assert crop.shape == (48, 48)
    assert (crop[0, 0], crop[0, -1]) == (first, last)


def test_one_pixel_image_gives_crop():
    crop = Preprocessing().crop(np.full((1, 1), 7, np.uint8), Box(0, 0, 1, 1))
    assert crop.shape == (48, 48)
    assert np.all(crop == 7)


def test_box_outside_image_is_refused():
    with pytest.raises(ValueError, match="outside the 100x80 image"):
        Preprocessing().crop(GRADIENT, Box(200, 0, 10, 10))


def test_batch_is_normalized_by_mean_and_std():
    black, white = np.zeros((48, 48), np.uint8), np.full((48, 48), 255, np.uint8)
    batch = Preprocessing(mean=0.5, std=0.25).batch([black, white])
    assert batch.shape == (2, 1, 48, 48)
    assert batch.dtype == np.float32
    assert np.allclose(batch[0], -2)
    assert np.allclose(batch[1], 2, atol=1e-5)


def test_blur_softens_crop():
    dot = np.zeros((48, 48), np.uint8)
    dot[24, 24] = 255
    sharp, soft = (Preprocessing(mean=0.0, std=1.0, blur=blur).batch([dot])[0, 0] for blur in (0.0, 0.55))
    assert (sharp[24, 24], sharp[24, 25]) == (1.0, 0.0)
    assert 0.4 < soft[24, 24] < 0.7
    assert 0.05 < soft[24, 25] == soft[23, 24]


def test_standardized_crops_do_not_depend_on_lighting():
    crops = bars(np.arange(7), seed=1)
    preprocessing = Preprocessing(standardize=True)
    inputs = preprocessing.batch(crops)
    np.testing.assert_allclose(inputs.mean(axis=(1, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(inputs.std(axis=(1, 2, 3)), 1, atol=1e-5)
    np.testing.assert_allclose(preprocessing.normalize(crops * 0.4 + 20), inputs[:, 0], atol=1e-5)
    np.testing.assert_array_equal(preprocessing.batch(np.full((1, 48, 48), 77, np.uint8)), 0)
    tensors = preprocessing.normalize(torch.from_numpy(crops).float())
    np.testing.assert_allclose(tensors.numpy(), inputs[:, 0], atol=1e-5)
