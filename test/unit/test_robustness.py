# SPDX-License-Identifier: Apache-2.0
"""Accuracy under perturbations, and the profile of a model."""

import json

import numpy as np
import pytest
import torch

from fer_ros.cli import evaluate
from fer_ros.datasets.registry import DataError, FaceImages
from fer_ros.emotion import model_file
from fer_ros.emotion.labels import FER2013
from fer_ros.emotion.model_file import ModelMetadata
from fer_ros.evaluation import perturbations, profiling, robustness, robustness_plots
from fer_ros.networks import create

LABELS = ("happy", "sad")


class ByUpperHalf:
    """Fake classifier: happy where the upper half is brighter than the lower, otherwise sad."""

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
    """Two happy and two sad images; one of the sad ones is not recognized."""
    pixels = np.stack([halves(200, 150), halves(100, 50), halves(50, 100), halves(90, 20)])
    return FaceImages(pixels, np.array([0, 0, 1, 1]), LABELS, np.ones(4, np.uint8))


def test_accuracy_of_all_and_of_recognized_images(images):
    result = robustness.measure(ByUpperHalf(), images)
    assert (result.images, result.unperturbed, result.recognized_images) == (4, 0.75, 3)
    assert result.unperturbed_ece == 0.25, "one of four is wrong with a score of 1"
    assert [(row.all_images, row.recognized) for row in result.rows["rotation"]] == [(0.75, 1.0)] * len(
        perturbations.ROTATIONS
    )
    by_factor = {row.value: row for row in result.rows["brightness"]}
    assert by_factor[0.3].recognized == 1.0
    # 200 and 150 both clip to white, so the halves are equal.
    assert by_factor[1.8].recognized == pytest.approx(2 / 3)
    assert by_factor[1.8].all_images == by_factor[1.8].ece == 0.5


def test_draws_take_some_recognized_images_of_each_class(images):
    result = robustness.measure(ByUpperHalf(), images, per_class=1)
    assert (result.recognized_images, result.drawn_images) == (3, 2)
    # One of two happy images clips to white on both halves: the draws have it or not, the only sad one always fits.
    row = next(row for row in result.rows["brightness"] if row.value == 1.8)
    assert (row.drawn_low, row.drawn_high) == (0.5, 1.0)
    assert row.drawn == pytest.approx(0.75, abs=0.05)


def test_model_that_recognizes_nothing_is_an_error(images):
    wrong = FaceImages(images.pixels[:1], np.array([1]), LABELS, np.ones(1, np.uint8))
    with pytest.raises(DataError, match="recognizes none of the images"):
        robustness.measure(ByUpperHalf(), wrong)


def test_rotated_keeps_center_and_replicates_border():
    image = np.full((1, 49, 49), 100, np.uint8)
    image[0, 24, 30] = 255
    rotated_image = perturbations.rotated(image, 90)[0]
    assert np.unravel_index(rotated_image.argmax(), rotated_image.shape) == (18, 24)
    assert rotated_image.min() == 100
    assert np.array_equal(perturbations.rotated(image, 0), image)


def test_brightened_clips_to_white():
    assert perturbations.brightened(np.array([[[0, 100, 200]]], np.uint8), 1.5).tolist() == [[[0, 150, 255]]]


def test_blurred_and_noisy_keep_the_mean():
    image = np.full((2, 48, 48), 100, np.uint8)
    image[:, 24, 24] = 255
    soft, grainy = perturbations.blurred(image, 1.0), perturbations.noisy(image, 10)
    assert soft.max() < 130
    assert soft.mean() == pytest.approx(image.mean(), abs=0.1)
    assert np.std(grainy[0].astype(float) - image[0]) == pytest.approx(10, abs=0.5)
    assert not np.array_equal(grainy[0], grainy[1])
    assert np.array_equal(grainy, perturbations.noisy(image, 10)), "the noise of a repeated measurement is the same"


def test_cropped_scales_and_translates():
    image = np.zeros((1, 48, 48), np.uint8)
    image[0, 20:28, 20:28] = 200
    image[0, :, -1] = 90
    assert np.array_equal(perturbations.cropped(image, 1.0), image)
    translated = perturbations.cropped(image, 1.0, x=0.25, y=-0.125)[0]
    assert translated[26:34, 8:16].min() == 200
    assert translated[:, 35:].min() == 90, "the border is replicated"
    tight = perturbations.cropped(image, 0.5)[0]
    assert (tight > 100).sum() == 16 * 16
    assert tight[16:32, 16:32].min() > 100
    assert (perturbations.cropped(image, 2.0)[0][22:26, 22:26] == 200).all()


def test_every_scale_and_translation_is_measured(images):
    result = robustness.measure(ByUpperHalf(), images)
    assert [row.value for row in result.rows["scale"]] == list(perturbations.SCALES)
    assert [row.recognized for row in result.rows["translation"]] == [1.0] * len(perturbations.TRANSLATIONS)


def test_table_has_published_numbers(images):
    lines = robustness.table(robustness.measure(ByUpperHalf(), images)).splitlines()
    words = [tuple(line.split()) for line in lines]
    assert ("8", "0.250", "75.0", "100.0", "100.0", "(100.0", "to", "100.0)", "80.9") in words
    assert ("0.9", "0.250", "75.0", "100.0", "100.0", "(100.0", "to", "100.0)", "95.2") in words
    assert any(line[0] == "3" and line[-2:] == ("<", "9.5") for line in words if line)


def test_rotation_with_black_corners_takes_the_nearest_pixel():
    image = np.full((1, 49, 49), 100, np.uint8)
    image[0, 24, 30] = 255
    turned = perturbations.rotated(image, 45, black=True)[0]
    assert set(np.unique(turned)) == {0, 100, 255}
    assert turned[0, 0] == turned[-1, -1] == 0
    assert np.array_equal(perturbations.rotated(image, 0, black=True), image)


@pytest.mark.parametrize(
    ("part", "inside", "outside"),
    [
        ("left half", (24, 10), (24, 40)),
        ("right half", (24, 40), (24, 10)),
        ("mouth", (40, 24), (24, 24)),
        ("eyes", (16, 24), (40, 24)),
        ("cheeks", (30, 4), (30, 24)),
        ("cap", (4, 24), (24, 24)),
    ],
)
def test_covered_part_is_gray(part, inside, outside):
    image = np.random.default_rng(0).integers(0, 255, (1, 48, 48), np.uint8)
    result = perturbations.covered(image, part)[0]
    assert result[inside] == int(image.mean())
    assert result[outside] == image[0][outside]


def test_perturbations_are_plotted_with_an_example(images, tmp_path):
    result = robustness.measure(ByUpperHalf(), images)
    robustness_plots.plot(tmp_path / "r.png", result, "title")
    robustness_plots.examples(tmp_path / "e.png", images.pixels[0], "title")
    assert all((tmp_path / name).stat().st_size > 10_000 for name in ("r.png", "e.png"))


def test_multiply_accumulates_match_values_by_hand():
    network = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3, padding=1),  # 10 x 10 x 4 values, 9 products each
        torch.nn.Conv2d(4, 4, 3, stride=2, padding=1, groups=4),  # 5 x 5 x 4 values, 9 products each
        torch.nn.Flatten(),
        torch.nn.Linear(100, 7),
    )
    assert profiling.multiply_accumulates(network, 10) == 3600 + 900 + 700


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_fer_evaluate_reports_robustness_and_profile(tmp_path, capsys):
    torch.manual_seed(0)
    model = tmp_path / "m.pt"
    model_file.write(model, create("mini_xception", 7), ModelMetadata("mini_xception", FER2013))
    pixels = np.random.default_rng(0).integers(0, 255, (21, 48, 48), np.uint8)
    np.savez(tmp_path / "faces.npz", pixels=pixels, label=np.arange(21) % 7, usage=np.ones(21, int))
    arguments = ["--model", model, "--data", tmp_path / "faces.npz", "--robustness", "--profile"]
    arguments += ["--json", tmp_path / "scores.json", "--output", tmp_path]
    assert evaluate.main([str(argument) for argument in arguments]) == 0
    measures = json.loads((tmp_path / "scores.json").read_text())
    assert [row["value"] for row in measures["robustness"]["rotation"]] == list(perturbations.ROTATIONS)
    assert (tmp_path / "robustness.png").stat().st_size > 10_000
    assert measures["profile"]["parameters"] == 58_423
    assert measures["profile"]["trainable_parameters"] == 56_951
    assert measures["profile"]["layers"]["convolutions"] == 15
    assert measures["profile"]["multiply_accumulates"] == 5_520_448
    assert measures["profile"]["file_bytes"] == model.stat().st_size
    assert measures["profile"]["peak_memory_bytes"] > 50e6
    assert 0 < measures["profile"]["milliseconds"] < 1000
    page = (tmp_path / "report.html").read_text()
    assert page.count("data:image/png") == 6
    assert "Lyu, of 21" in page
    assert "58,423 (56,951 trainable)" in page
    assert "58,423 (56,951 trainable)" in capsys.readouterr().out
