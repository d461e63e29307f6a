# SPDX-License-Identifier: Apache-2.0
"""What a run starts from and learns: weights of a model, crowd votes, scores of teachers."""

import json
import shutil

import numpy as np
import pytest
import torch
import yaml
from training_data import arrays, bars, class_folders, recipe
from training_runs import error_of, fer_train, without_times

from fer_ros import networks
from fer_ros.cli import export, train
from fer_ros.datasets import registry
from fer_ros.emotion import model_file
from fer_ros.emotion.backends import torchscript
from fer_ros.emotion.labels import FER2013
from fer_ros.emotion.model_file import ModelMetadata, read_metadata
from fer_ros.training import checkpoint, progress
from fer_ros.training import recipe as recipes
from fer_ros.training.recipe import Recipe, RecipeError
from fer_ros.training.run_folder import CHECKPOINT
from fer_ros.training.targets import Targets

pytestmark = pytest.mark.usefixtures("tiny_network")


@pytest.mark.usefixtures("undrawn")
def test_init_from_starts_from_the_weights_of_a_model(run, data, tmp_path, capsys):
    gentle = recipe(tmp_path / "gentle.yaml", epochs=1, learning_rate=1e-6)
    begin = ["--data", data, "--recipe", gentle, "--init-from", run / "best.pt", "--output", tmp_path / "run"]
    assert fer_train(*begin) == 0
    assert without_times(tmp_path / "run")[0]["training_accuracy"] > without_times(run)[0]["training_accuracy"]
    assert json.loads((tmp_path / "run" / "run.json").read_text())["init_from"].startswith("best@")
    capsys.readouterr()
    assert "best.pt is a model of 'tiny', not of 'cnn_layers'" in error_of(
        capsys, *begin[:-1], tmp_path / "other", "--network", "cnn_layers"
    )


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("share", [1.0, 0.5])
def test_saved_model_is_averaged_with_initial_weights(share, run, data, tmp_path):
    steps = recipe(tmp_path / "r.yaml", epochs=1, init_weight=share)
    arguments = ["--data", data, "--recipe", steps, "--init-from", run / "best.pt", "--output", tmp_path / "run"]
    assert fer_train(*arguments) == 0
    weights = [torch.jit.load(str(folder / "best.pt")).state_dict() for folder in (run, tmp_path / "run")]
    content = checkpoint.read(tmp_path / "run" / CHECKPOINT)
    name = "head.weight"
    torch.testing.assert_close(weights[1][name], share * weights[0][name] + (1 - share) * content["average"][name])
    assert export.main([str(tmp_path / "run" / CHECKPOINT), "--output", str(tmp_path / "latest.pt")]) == 0
    latest = torch.jit.load(str(tmp_path / "latest.pt")).state_dict()
    torch.testing.assert_close(latest[name], weights[1][name])


def test_init_weight_without_initial_weights_is_refused(data, tmp_path, capsys):
    steps = recipe(tmp_path / "r.yaml", init_weight=0.5)
    message = error_of(capsys, "--data", data, "--recipe", steps, "--output", tmp_path / "run")
    assert "'init_weight' needs initial weights" in message


@pytest.mark.usefixtures("undrawn")
def test_crowd_votes_become_targets(tmp_path):
    crowd_votes = np.zeros((70, 10), np.uint8)
    crowd_votes[:, 0] = 10
    arrays(tmp_path / "train.npz", 70, 0, seed=1, ferplus_votes=crowd_votes)
    arrays(tmp_path / "public.npz", 14, 1, seed=2, ferplus_votes=crowd_votes[:14])
    steps = recipe(tmp_path / "r.yaml", crowd_weight=1.0, epochs=1, ema_decay=0.0)
    data = [tmp_path / "train.npz", tmp_path / "public.npz"]
    assert fer_train("--data", *data, "--recipe", steps, "--output", tmp_path / "run") == 0
    record = checkpoint.read(tmp_path / "run" / CHECKPOINT)["records"][0]
    assert record["training_accuracy"] < 0.5, "all votes are for neutral, whatever the label"


@pytest.mark.usefixtures("undrawn")
def test_crowd_weight_without_votes_is_0_in_recipe_and_model(data, tmp_path, caplog):
    steps = recipe(tmp_path / "r.yaml", crowd_weight=0.5, epochs=1)
    assert fer_train("--data", data, "--recipe", steps, "--output", tmp_path / "run") == 0
    assert "the data has no crowd votes: it is set to 0" in caplog.text
    assert yaml.safe_load((tmp_path / "run" / "recipe.yaml").read_text())["crowd_weight"] == 0
    assert read_metadata(tmp_path / "run" / "best.pt").recipe["crowd_weight"] == 0
    with pytest.raises(RecipeError, match="no training image has crowd votes"):
        Targets(Recipe("tiny", 1, crowd_weight=0.5), registry.read([data], 48).split("training"))


@pytest.mark.usefixtures("undrawn")
def test_threads_of_a_run_with_teacher_are_those_in_run_json(run, data, tmp_path, monkeypatch):
    threads, before = [], torch.get_num_threads()
    monkeypatch.setattr(progress.TerminalReporter, "epoch", lambda *_: threads.append(torch.get_num_threads()))
    taught = recipe(tmp_path / "r.yaml", epochs=1, teachers=[str(run)])
    try:
        arguments = ["--data", data, "--recipe", taught, "--output", tmp_path / "run", "--threads", 2]
        assert train.main(list(map(str, arguments))) == 0
    finally:
        torch.set_num_threads(before)
    facts = json.loads((tmp_path / "run" / "run.json").read_text())
    assert threads == [2]
    assert facts["threads"] == 2


def test_teachers_are_relative_to_the_recipe(run, tmp_path, monkeypatch):
    (tmp_path / "models").mkdir()
    shutil.copytree(run, tmp_path / "models" / "teacher")
    path = recipe(tmp_path / "models" / "r.yaml", teachers=["teacher", "./teacher/best.pt", "mini_xception"])
    monkeypatch.chdir(tmp_path)
    teachers = recipes.load("models/r.yaml").stages[0].recipe.teachers
    folder = path.parent / "teacher"
    assert teachers == [str(folder), str(folder / "best.pt"), "mini_xception"]


@pytest.mark.usefixtures("undrawn")
def test_scores_of_a_teacher_become_targets(run, data, tmp_path, capsys):
    targets = np.arange(70, dtype=np.uint8) % 7
    arrays(tmp_path / "wrong.npz", 70, 0, seed=1, pixels=bars(targets, seed=3), label=(targets + 1) % 7)
    teaching = {"teachers": [str(run / "best.pt")], "teacher_weight": 1.0, "label_smoothing": 0.0}
    taught = recipe(tmp_path / "r.yaml", **teaching, epochs=4)
    wrong = [tmp_path / "wrong.npz", data / "public.npz"]
    assert fer_train("--data", *wrong, "--recipe", taught, "--output", tmp_path / "run") == 0
    record = checkpoint.read(tmp_path / "run" / CHECKPOINT)["records"][-1]
    assert record["validation_accuracy"] > 0.5, "the teacher knows better than the labels"
    written = read_metadata(tmp_path / "run" / "best.pt").recipe["teachers"]
    assert written == [run.name], "folders of this machine do not belong into a model file"

    capsys.readouterr()
    three = class_folders(tmp_path / "three", per_class=20, seed=1)
    for label in FER2013[3:]:
        shutil.rmtree(three / label)
    refused = error_of(capsys, "--data", three, "--recipe", taught, "--output", tmp_path / "other")
    assert "predicts angry, disgust, fear, happy, sad, surprise, neutral; the data has angry, disgust, fear" in refused


def all_targets(taught, images, teachers):
    """Return the targets of all images in the first epoch, the images themselves as crops."""
    pixels = torch.from_numpy(images.pixels).float()
    return Targets(taught, images, teachers).at(0, torch.arange(len(images)), pixels)


def test_teachers_see_images_or_augmented_crops(run, data):
    images = registry.read([data], 48).split("training")
    seen = {}
    for view in ("original", "augmented"):
        taught = Recipe("tiny", 1, teachers=[str(run)], teacher_weight=1.0, teacher_view=view)
        targets = Targets(taught, images, taught.teachers)
        chosen, gray = torch.arange(14), torch.full((14, 48, 48), 128.0)
        pixels = torch.from_numpy(images.pixels[:14]).float()
        seen[view] = [targets.at(0, chosen, crops) for crops in (pixels, gray, gray[:, :32, :32])]
    torch.testing.assert_close(seen["original"][0], seen["augmented"][0])
    torch.testing.assert_close(seen["original"][0], seen["original"][1])
    assert (seen["augmented"][1] - seen["augmented"][0]).abs().max() > 0.1
    torch.testing.assert_close(seen["augmented"][1], seen["augmented"][2])  # smaller crops are enlarged


@pytest.mark.usefixtures("undrawn")
def test_teachers_see_faces_without_covers(run, data, tmp_path, monkeypatch):
    seen = []
    at = Targets.at
    monkeypatch.setattr(Targets, "at", lambda *args: seen.append(args[-1]) or at(*args))
    covers = {"cover": 1.0, "erase": 1.0, "flip": 0.0, "rotation": 0.0, "scale": 0.0, "shift": 0.0}
    taught = recipe(tmp_path / "r.yaml", epochs=1, teachers=[str(run)], teacher_view="augmented", augmentation=covers)
    assert fer_train("--data", data, "--recipe", taught, "--output", tmp_path / "run") == 0
    images = {image.tobytes() for image in registry.read([data], 48).split("training").pixels}
    assert seen
    assert all(crop.byte().numpy().tobytes() in images for crops in seen for crop in crops)


@pytest.mark.usefixtures("undrawn")
def test_teachers_score_each_view_once(run, data, tmp_path, monkeypatch):
    seen, drawn = [], []
    at, draw = Targets.at, Targets._draw
    monkeypatch.setattr(Targets, "at", lambda *args: seen.append((args[1], args[3])) or at(*args))
    monkeypatch.setattr(Targets, "_draw", lambda *args: drawn.append(draw(*args)) or drawn[-1])
    views = {"teachers": [str(run)], "teacher_view": "augmented", "teacher_views": 2}
    taught = recipe(tmp_path / "r.yaml", epochs=4, **views)
    assert fer_train("--data", data, "--recipe", taught, "--output", tmp_path / "run") == 0
    assert len(drawn) == 2
    of_view = [{crop.numpy().tobytes() for crop in view.crops} for view in drawn]
    assert not of_view[0] & of_view[1]
    for epoch in range(4):
        trained_on = {crop.byte().numpy().tobytes() for number, crops in seen if number == epoch for crop in crops}
        assert trained_on
        assert trained_on <= of_view[epoch % 2]


def test_views_of_a_resumed_run_are_those_it_had(run, data):
    images = registry.read([data], 48).split("training")
    taught = Recipe("tiny", 4, teachers=[str(run)], teacher_view="augmented", teacher_views=2)
    views = []
    for draws in (1, 7):  # of other random numbers before
        torch.manual_seed(draws)
        state = torch.get_rng_state()
        views.append(Targets(taught, images, taught.teachers).view(3))
        assert torch.equal(torch.get_rng_state(), state), "a resumed run draws its views later"
    assert torch.equal(views[0].crops, views[1].crops)
    assert torch.equal(views[0].scores, views[1].scores)


def test_scores_of_a_teacher_are_the_same_to_the_last_bit(run, data, monkeypatch):
    """A background thread compiles batches of other sizes; how far it is must not change the targets."""
    images = registry.read([data], 48).split("training")
    taught = Recipe("tiny", 1, teachers=[str(run)], teacher_weight=1.0)
    with monkeypatch.context() as patch:
        patch.setattr(torchscript.threading.Thread, "start", lambda *_: pytest.fail("compiles in the background"))
        targets = [all_targets(taught, images, taught.teachers) for _ in range(2)]
    assert torch.equal(*targets)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_scores_of_several_teachers_are_averaged(run, data, tmp_path):
    other = tmp_path / "other.pt"
    model_file.write(other, networks.create("tiny", 7), ModelMetadata("tiny", FER2013))
    images = registry.read([data], 48).split("public")
    both = Recipe("tiny", 1, teachers=[str(run / "best.pt"), str(other)], teacher_weight=1.0)
    learned, *each = (
        all_targets(both, images, names).numpy() for names in (both.teachers, both.teachers[:1], both.teachers[1:])
    )
    np.testing.assert_allclose(learned, np.mean(each, axis=0), atol=1e-6)
    assert np.abs(each[0] - each[1]).max() > 0.1
