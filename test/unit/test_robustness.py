"""Accuracy under changes, and what a model costs."""

import json

import numpy as np
import pytest
import torch

from fer_ros.cli import evaluate
from fer_ros.datasets.registry import DataError, FaceImages
from fer_ros.emotion import model_file
from fer_ros.emotion.labels import FER2013
from fer_ros.emotion.model_file import ModelMetadata
from fer_ros.evaluation import profiling, robustness
from fer_ros.networks import create

LABELS = ("happy", "sad")


class ByTopHalf:
    """Stands for a classifier: happy where the upper half is the brighter one, and unsure where all is white."""

    labels = LABELS

    def scores(self, crops):
        pixels = np.asarray(crops, np.float32)
        happy = pixels[:, :24].mean(axis=(1, 2)) > pixels[:, 24:].mean(axis=(1, 2))
        return np.stack([happy, ~happy], axis=1).astype(np.float32)


def halves(upper, lower):
    image = np.empty((48, 48), np.uint8)
    image[:24], image[24:] = upper, lower
    return image


@pytest.fixture
def images():
    """Two happy and two sad ones of which one is not recognized."""
    pixels = np.stack([halves(200, 150), halves(100, 50), halves(50, 100), halves(90, 20)])
    return FaceImages(pixels, np.array([0, 0, 1, 1]), LABELS, np.ones(4, np.uint8))


def test_accuracy_is_measured_on_all_images_and_on_the_recognized_ones(images):
    result = robustness.measure(ByTopHalf(), images)
    assert (result.images, result.unchanged, result.recognized_images) == (4, 0.75, 3)
    assert [(row.all_images, row.recognized) for row in result.rotation] == [(0.75, 1.0)] * len(robustness.ROTATIONS)
    by_factor = {row.value: row for row in result.brightness}
    assert by_factor[0.3].recognized == 1.0
    # 200 and 150 both become white, and nothing tells the halves apart.
    assert by_factor[1.8].recognized == pytest.approx(2 / 3)
    assert by_factor[1.8].all_images == 0.5


def test_a_few_recognized_images_of_each_class_are_taken(images):
    assert robustness.measure(ByTopHalf(), images, per_class=1).recognized_images == 2


def test_a_model_that_recognizes_nothing_has_nothing_to_lose(images):
    wrong = FaceImages(images.pixels[:1], np.array([1]), LABELS, np.ones(1, np.uint8))
    with pytest.raises(DataError, match="no image is recognized unchanged"):
        robustness.measure(ByTopHalf(), wrong)


def test_a_face_is_turned_about_its_center_and_the_edge_is_repeated():
    image = np.full((1, 49, 49), 100, np.uint8)
    image[0, 24, 30] = 255
    turned = robustness.rotated(image, 90)[0]
    assert np.unravel_index(turned.argmax(), turned.shape) == (18, 24)
    assert turned.min() == 100
    assert np.array_equal(robustness.rotated(image, 0), image)


def test_brightness_is_clipped_as_a_camera_does():
    assert robustness.brightened(np.array([[[0, 100, 200]]], np.uint8), 1.5).tolist() == [[[0, 150, 255]]]


def test_a_crop_is_wider_tighter_or_aside():
    image = np.zeros((1, 48, 48), np.uint8)
    image[0, 20:28, 20:28] = 200
    image[0, :, -1] = 90
    assert np.array_equal(robustness.cropped(image, 1.0), image)
    aside = robustness.cropped(image, 1.0, x=0.25, y=-0.125)[0]
    assert aside[26:34, 8:16].min() == 200
    assert aside[:, 35:].min() == 90, "the edge is repeated"
    tight = robustness.cropped(image, 0.5)[0]
    assert (tight > 100).sum() == 16 * 16
    assert tight[16:32, 16:32].min() > 100
    assert (robustness.cropped(image, 2.0)[0][22:26, 22:26] == 200).all()


def test_crops_of_every_size_and_shift_are_measured(images):
    result = robustness.measure(ByTopHalf(), images)
    assert [row.value for row in result.side] == list(robustness.SIDES)
    assert [row.recognized for row in result.shift] == [1.0] * len(robustness.SHIFTS)


def test_the_published_numbers_stand_beside_the_measured_ones(images):
    lines = robustness.table(robustness.measure(ByTopHalf(), images)).splitlines()
    assert "8                              75.0               100.0        80.9" in lines
    assert "0.9                            75.0               100.0        95.2" in lines
    assert "2                              75.0               100.0" in lines


def test_multiply_accumulates_are_counted_by_hand():
    network = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3, padding=1),  # 10 x 10 x 4 values, 9 products each
        torch.nn.Conv2d(4, 4, 3, stride=2, padding=1, groups=4),  # 5 x 5 x 4 values, 9 products each
        torch.nn.Flatten(),
        torch.nn.Linear(100, 7),
    )
    assert profiling.multiply_accumulates(network, 10) == 3600 + 900 + 700


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_fer_evaluate_tells_robustness_and_costs(tmp_path, capsys):
    torch.manual_seed(0)
    model = tmp_path / "m.pt"
    model_file.write(model, create("mini_xception", 7), ModelMetadata("mini_xception", FER2013))
    pixels = np.random.default_rng(0).integers(0, 255, (21, 48, 48), np.uint8)
    np.savez(tmp_path / "faces.npz", pixels=pixels, label=np.arange(21) % 7, usage=np.ones(21, int))
    arguments = ["--model", model, "--data", tmp_path / "faces.npz", "--robustness", "--costs"]
    arguments += ["--json", tmp_path / "scores.json", "--output", tmp_path]
    assert evaluate.main([str(argument) for argument in arguments]) == 0
    told = json.loads((tmp_path / "scores.json").read_text())
    assert [row["value"] for row in told["robustness"]["rotation"]] == list(robustness.ROTATIONS)
    assert (tmp_path / "robustness.png").stat().st_size > 10_000
    assert told["costs"]["parameters"] == 58_423
    assert told["costs"]["trainable_parameters"] == 56_951
    assert told["costs"]["multiply_accumulates"] == 5_520_448
    assert told["costs"]["file_bytes"] == model.stat().st_size
    assert told["costs"]["peak_memory_bytes"] > 50e6
    assert 0 < told["costs"]["milliseconds"] < 1000
    page = (tmp_path / "report.html").read_text()
    assert page.count("data:image/png") == 3
    assert "Lyu, of 21" in page
    assert "58,423 (56,951 trainable)" in page
    assert "58,423 (56,951 trainable)" in capsys.readouterr().out
