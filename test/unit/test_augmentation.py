# SPDX-License-Identifier: Apache-2.0
"""Augmentation keeps gray levels, detail and determinism; covers hide the documented part of a face."""

import dataclasses

import numpy as np
import pytest
import torch

from fer_ros.training.augmentation import RESAMPLING, Augmentation
from fer_ros.training.cover import CoveredRegion, areas, cover


def faces(count, size=48):
    return torch.rand(count, size, size, generator=torch.Generator().manual_seed(1)) * 255


def test_bicubic_resampling_keeps_detail_and_gray_levels():
    pixels = torch.from_numpy(np.random.default_rng(0).choice([0, 128, 255], (20, 48, 48)).astype(np.uint8))
    detail = {}
    for resampling in RESAMPLING:
        torch.manual_seed(0)
        moved = Augmentation(resampling=resampling)(pixels, 48)
        assert moved.min() >= 0
        assert moved.max() <= 255
        detail[resampling] = float(moved.diff(dim=2).abs().mean())
    assert detail["bicubic"] > 1.2 * detail["bilinear"]


def test_placement_crops_as_the_detector_does():
    ramp = torch.arange(480.0).mul(255 / 479).expand(480, 480).round().byte()
    still = Augmentation(flip=0, rotation=0, scale=0, shift=0)
    torch.manual_seed(0)
    sides, offsets = {}, {}
    for share in (0.0, 0.5, 1.0):
        crops = dataclasses.replace(still, placement=share)(ramp.expand(400, 480, 480), 48)
        sides[share] = (crops[:, 24, 36] - crops[:, 24, 12]) / (255 * 24 / 48)  # inside the image in each of them
        offsets[share] = (crops[:, 24, 36] + crops[:, 24, 12]) / 2 / 255 - 0.5
    assert sides[0].numpy() == pytest.approx(1, abs=0.01)
    assert torch.quantile(sides[1], torch.tensor([0.05, 0.5, 0.95])).tolist() == pytest.approx(
        [0.74, 1, 1.27], abs=0.05
    )
    assert torch.quantile(offsets[1], torch.tensor([0.05, 0.95])).tolist() == pytest.approx([-0.09, 0.08], abs=0.03)
    assert (sides[0.5] - 1).abs().lt(0.005).float().mean() == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize(
    ("part", "columns", "rows"),
    [
        (CoveredRegion.LEFT, [(0, 0), (0.30, 0.55)], [(0, 0), (1, 1)]),
        (CoveredRegion.RIGHT, [(0.45, 0.70), (1, 1)], [(0, 0), (1, 1)]),
        (CoveredRegion.MOUTH, [(0, 0), (1, 1)], [(0.50, 0.70), (1, 1)]),
        (CoveredRegion.EYES, [(0, 0), (1, 1)], [(0.12, 0.28), (0.42, 0.56)]),
        (CoveredRegion.FOREHEAD, [(0, 0), (1, 1)], [(0, 0), (0.15, 0.35)]),
        (CoveredRegion.RECTANGLE, [(0, 0.80), (0.20, 1)], [(0, 0.80), (0.20, 1)]),
    ],
)
def test_cover_lies_in_the_documented_range(part, columns, rows):
    covered = areas(torch.full((500,), int(part)), torch.rand(500, 4), size=100)
    for axis, ranges in ((1, columns), (2, rows)):
        occupied = covered.any(dim=axis)
        first = occupied.int().argmax(dim=1) / 100
        last = 1 - occupied.flip(1).int().argmax(dim=1) / 100
        for edge, (low, high) in zip((first, last), ranges, strict=True):
            assert edge.min() >= low - 0.011
            assert edge.max() <= high + 0.011
    share = covered.float().mean(dim=(1, 2))
    assert share.min() > 0.03
    assert share.max() < 0.57


def test_cover_has_the_given_probability():
    torch.manual_seed(0)
    images = faces(2000, size=24)
    changed = (cover(images, 0.3) != images).any(dim=(1, 2))
    assert changed.float().mean() == pytest.approx(0.3, abs=0.04)
    assert torch.equal(cover(images, 0.0), images)


def test_cover_shows_gray_noise_or_another_face():
    torch.manual_seed(0)
    images = faces(2000, size=24)
    covered = cover(images, 1.0)
    other = images.roll(1, dims=0).flip(1)
    changed = covered != images
    flat = torch.stack([c[m].std(unbiased=False) < 1e-3 for c, m in zip(covered, changed, strict=True)])
    copied = [torch.equal(c[m], o[m]) for c, o, m in zip(covered, other, changed, strict=True)]
    assert flat.float().mean() == pytest.approx(0.5, abs=0.05)
    assert np.mean(copied) == pytest.approx(0.1, abs=0.03)
    assert covered.min() >= 0
    assert covered.max() <= 255


def test_augmentation_covers_after_all_other_changes():
    pixels = faces(8).to(torch.uint8)
    torch.manual_seed(3)
    plain = Augmentation(erase=0.5, brightness=0.3)(pixels, 40)
    expected = cover(plain, 0.7)
    torch.manual_seed(3)
    assert torch.equal(Augmentation(erase=0.5, brightness=0.3, cover=0.7)(pixels, 40), expected)
