# SPDX-License-Identifier: Apache-2.0
"""What fer-train says about data and recipes before the first epoch."""

import shutil

import numpy as np
import pytest
from training_data import arrays, bars, class_folders, csv, csv_rows, recipe
from training_runs import error_of, fer_train

from fer_ros.cli import evaluate
from fer_ros.datasets import registry
from fer_ros.datasets.registry import DataError
from fer_ros.emotion.classifier import Classifier
from fer_ros.emotion.labels import FER2013
from fer_ros.training.data import read_training_data

pytestmark = pytest.mark.usefixtures("tiny_network")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: path, "f.csv: there is no such file or folder"),
        (lambda path: csv(path, [*csv_rows(7, "Training", 1), "3,12 13,Training"]), "f.csv, row 9: has 2 pixels"),
        (lambda path: csv(path, csv_rows(6, "Training", 1)), "f.csv: the class 'neutral' has no training image"),
        (lambda path: csv(path, csv_rows(7, "PublicTest", 1)), "no image in the split 'training'"),
    ],
)
def test_unusable_data_leaves_no_folder(make, reason, tmp_path, capsys):
    output = tmp_path / "run"
    assert reason in error_of(capsys, "--data", make(tmp_path / "f.csv"), "--output", output)
    assert not output.exists()


@pytest.mark.parametrize(
    ("per_class", "removed", "reason"),
    [
        (4, FER2013[1:], "all images are of the class 'angry'; training needs two or more"),
        (1, (), "no image is left to choose the best epoch on"),
    ],
)
def test_data_that_cannot_be_validated_on_is_refused(per_class, removed, reason, tmp_path, capsys):
    faces = class_folders(tmp_path / "faces", per_class, seed=1)
    for label in removed:
        shutil.rmtree(faces / label)
    assert reason in error_of(capsys, "--data", faces, "--output", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_class_emptied_by_leaving_out_duplicates_is_said(tmp_path):
    arrays(tmp_path / "train.npz", 14, 0, seed=1)
    targets = np.array([4, 4, 3], np.uint8)
    pixels = np.concatenate([bars(np.arange(14) % 7, 1)[[4, 11]], bars(targets[2:], 5)])
    arrays(tmp_path / "public.npz", 3, 1, seed=2, pixels=pixels, label=targets)
    reason = "the class 'sad' has no training image: 2 were left out, as the same images are in the validation part"
    with pytest.raises(DataError, match=reason):
        read_training_data([tmp_path], 48, seed=1, options={})


def test_few_validation_images_and_missing_classes_are_said(tmp_path, caplog):
    faces = class_folders(tmp_path / "faces", per_class=15, seed=1)
    for image in sorted((faces / "sad").iterdir())[1:]:
        image.unlink()
    facts = read_training_data([faces], 48, seed=1, options={}).facts
    assert facts["validation_images"] == 6
    assert facts["classes_without_validation_images"] == ["sad"]
    assert facts["training_images_by_class"] == {**dict.fromkeys(FER2013, 14), "sad": 1}
    assert facts["validation_images_by_class"]["sad"] == 0
    assert "only 6 validation images, none of sad: " in caplog.text


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"learning_rat": 0.1}, "unknown key 'learning_rat', did you mean 'learning_rate'?"),
        ({"augmentation": {"rotate": 3}}, "unknown key 'augmentation.rotate', did you mean 'rotation'?"),
        ({"epochs": "many"}, "'epochs' must be a whole number, not 'many'"),
        ({"batch_size": 1}, "'batch_size' must be from 2 to 65536, not 1"),
        ({"bfloat16": 1}, "'bfloat16' must be true or false, not 1"),
        ({"network": "mini_xcepton"}, "unknown network 'mini_xcepton', did you mean 'mini_xception'"),
        ({"network_options": {"wide": 3}}, "network 'tiny' has no option 'wide', did you mean 'width'"),
        ({"augmentation": 3}, "'augmentation' must be a mapping of keys to values"),
    ],
)
def test_unusable_recipe_names_the_key(changes, reason, data, tmp_path, capsys):
    path = recipe(tmp_path / "odd.yaml", **changes)
    assert reason in error_of(capsys, "--data", data, "--recipe", path, "--output", tmp_path / "run")


def test_missing_recipe_is_reported(data, tmp_path, capsys):
    assert "no recipe 'mini_xeption'; available: " in error_of(capsys, "--data", data, "--recipe", "mini_xeption")
    path = tmp_path / "tabs.yaml"
    path.write_text("network: mini_xception\n\tepochs: 3\n")
    assert "tabs.yaml: not YAML" in error_of(capsys, "--data", data, "--recipe", path)


@pytest.mark.usefixtures("undrawn")
def test_image_folders_give_a_model_of_their_emotions(tmp_path):
    faces = class_folders(tmp_path / "faces", per_class=12, seed=1)
    for label in FER2013[3:]:
        shutil.rmtree(faces / label)
    steps = recipe(tmp_path / "r.yaml", epochs=1)
    assert fer_train("--data", faces, "--recipe", steps, "--output", tmp_path / "run") == 0
    model = tmp_path / "run" / "best.pt"
    assert Classifier(model).labels == FER2013[:3]
    arguments = ["--model", str(model), "--data", str(faces), "--split", "all", "--output", str(tmp_path)]
    assert evaluate.main(arguments) == 0


def test_votes_of_one_file_of_several_are_kept(tmp_path):
    votes = np.tile(np.array([10] + 9 * [0], np.uint8), (14, 1))
    files = [arrays(tmp_path / "a.npz", 14, 0, seed=1, ferplus_votes=votes), arrays(tmp_path / "b.npz", 21, 0, seed=2)]
    images = registry.read(files, 48)
    assert images.count_with_votes() == 14
    assert images.crowd_votes.sum(axis=1).tolist() == [1] * 14 + [0] * 21
    assert read_training_data(files, 48, 1, {}).facts["training_images_with_crowd_votes"] < 14
