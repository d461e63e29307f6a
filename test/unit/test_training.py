# SPDX-License-Identifier: Apache-2.0
"""fer-train from the command line to a model file: complete, interrupted, resumed, and with unusable input."""

import contextlib
import functools
import json
import resource
import shutil
import signal
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
import torch
import yaml
from training_data import arrays, bars, class_folders, csv, csv_rows, recipe

from fer_ros import networks
from fer_ros.cli import evaluate, export, train
from fer_ros.datasets import registry
from fer_ros.datasets.registry import DataError
from fer_ros.emotion import model_file
from fer_ros.emotion.classifier import Classifier
from fer_ros.emotion.labels import FER2013
from fer_ros.emotion.model_file import ModelMetadata, read_metadata
from fer_ros.emotion.preprocessing import Preprocessing
from fer_ros.training import checkpoint, progress, run_folder
from fer_ros.training import recipe as recipes
from fer_ros.training import train as training_loop
from fer_ros.training.data import read_training_data
from fer_ros.training.recipe import Recipe, RecipeError
from fer_ros.training.run_folder import CHECKPOINT
from fer_ros.training.targets import Targets


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Return a folder with 140 training and 35 validation images; one image is in both."""
    folder = tmp_path_factory.mktemp("data")
    again = bars(np.arange(140) % 7, seed=1)
    public = bars(np.arange(35) % 7, seed=2)
    again[0] = public[0]
    arrays(folder / "train.npz", 140, 0, seed=1, pixels=again)
    arrays(folder / "public.npz", 35, 1, seed=2, pixels=public)
    return folder


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    """Return the folder of a run that was never interrupted."""
    folder = tmp_path_factory.mktemp("run")
    assert fer_train("--data", data, "--recipe", recipe(folder / "bars.yaml"), "--output", folder / "run") == 0
    return folder / "run"


def fer_train(*arguments):
    return train.main([*map(str, arguments), "--threads", "1"])


def error_of(capsys, *arguments):
    """Return the single error line that fer-train prints before it exits with 2."""
    assert fer_train(*arguments) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("fer-train: error: ")
    return lines[0]


def averaged_weights(folder):
    return checkpoint.read(folder / CHECKPOINT)["average"]


TIMES = ("seconds", "images_per_second", "user_seconds", "system_seconds", "peak_memory_bytes")


def without_times(folder):
    records = checkpoint.read(folder / CHECKPOINT)["records"]
    return [{k: v for k, v in record.items() if k not in TIMES} for record in records]


def test_run_writes_a_model_that_classifies(run):
    classifier = Classifier(run / "best.pt")
    assert classifier.labels == FER2013
    assert classifier.metadata.preprocessing.input_size == 48
    assert classifier.metadata.recipe["learning_rate"] == 0.03
    scores = classifier.scores(bars(np.arange(7), seed=5))
    assert scores.shape == (7, 7)
    assert (scores.argmax(axis=1) == np.arange(7)).mean() > 0.5


def test_run_records_data_settings_and_versions(run, data):
    assert {path.name for path in run.iterdir()} == {
        *("recipe.yaml", "run.json", "metrics.csv", "curves.png", "best.pt", "checkpoint.pth"),
        *("evaluation.json", "confusion_matrix.png", "reliability.png", "report.html"),
        *("confusion_matrix.csv", "confusion_matrix_normalized.csv", "mistakes.png", "right_answers.png"),
    }
    facts = json.loads((run / "run.json").read_text())
    assert facts["data"] == [str(data)]
    assert facts["training_images"] == 139, "the image that is also a validation image is left out"
    assert facts["duplicates_left_out"] == 1
    assert facts["versions"]["torch"] == torch.__version__
    assert yaml.safe_load((run / "recipe.yaml").read_text())["batch_size"] == 8
    assert len((run / "metrics.csv").read_text().splitlines()) == 1 + 3
    best = max(record["validation_accuracy"] for record in without_times(run))
    assert read_metadata(run / "best.pt").scores["validation"]["accuracy"] == best
    assert json.loads((run / "evaluation.json").read_text())["accuracy"] == pytest.approx(best)
    page = (run / "report.html").read_text()
    assert page.count("data:image/png") == 5
    for fact in (str(data), "seed", "learning_rate: 0.03", f"torch {torch.__version__}", "35"):
        assert fact in page


def child(*arguments):
    """Start fer-train in a process that receives SIGINT even if these tests run in the background."""
    command = [sys.executable, "-m", "fer_ros.cli.train", *map(str, arguments), "--threads", "1", "--progress", "json"]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )


@pytest.mark.usefixtures("undrawn")
def test_resumed_run_gives_the_weights_of_an_uninterrupted_one(run, data, tmp_path):
    folder = tmp_path / "stopped"
    terminated = child("--data", data, "--recipe", run.parent / "bars.yaml", "--output", folder)
    assert json.loads(terminated.stdout.readline())["event"] == "start"
    terminated.terminate()
    _, errors = terminated.communicate(timeout=60)
    assert terminated.returncode == 130
    *warnings, last = errors.splitlines()
    assert last == f"fer-train: stopped; continue with: fer-train --resume {folder}"
    assert all("only 35 validation images" in warning for warning in warnings)

    interrupted = child("--resume", folder)
    assert json.loads(interrupted.stdout.readline())["event"] == "start"
    first = next(line for line in map(json.loads, interrupted.stdout) if line["event"] != "batch")
    assert (first["event"], first["epoch"], first["epochs"]) == ("epoch", 1, 3)
    interrupted.send_signal(signal.SIGINT)
    interrupted.communicate(timeout=60)
    assert interrupted.returncode == 130
    assert Classifier(folder / "best.pt").labels == FER2013
    assert not (folder / "evaluation.json").exists()

    assert fer_train("--resume", folder) == 0
    assert without_times(folder) == without_times(run)
    expected = averaged_weights(run)
    for name, weights in averaged_weights(folder).items():
        assert torch.equal(weights, expected[name]), name


def test_resume_refuses_another_network_recipe_or_data(run, tmp_path, capsys):
    before = {path: path.read_bytes() for path in run.iterdir()}
    assert "is of the network 'mini_xception', not 'cnn_layers'" in error_of(
        capsys, "--resume", run, "--network", "cnn_layers"
    )
    assert "was trained with epochs 3, not 5" in error_of(capsys, "--resume", run, "--epochs", 5)
    other = class_folders(tmp_path / "faces", per_class=20, seed=9)
    assert "was trained on other images" in error_of(capsys, "--resume", run, "--data", other)
    assert "is not the folder of a training run" in error_of(capsys, "--resume", tmp_path)
    assert {path: path.read_bytes() for path in run.iterdir()} == before


def test_resume_reports_a_broken_checkpoint(run, tmp_path, capsys):
    folder = shutil.copytree(run, tmp_path / "copy")
    (folder / CHECKPOINT).write_bytes(b"half a checkp")
    assert "checkpoint.pth is not a readable checkpoint" in error_of(capsys, "--resume", folder)


def test_run_does_not_overwrite_another(run, data, capsys):
    assert "already holds a run" in error_of(capsys, "--data", data, "--output", run)


@pytest.mark.usefixtures("undrawn")
def test_infinite_loss_ends_the_run_and_keeps_earlier_results(data, tmp_path, capsys):
    steep = recipe(tmp_path / "steep.yaml", learning_rate=100, weight_decay=10, warm_up=0, momentum=1.0)
    assert fer_train("--data", data, "--recipe", steep, "--output", tmp_path / "run", "--epochs", 30) == 1
    assert "lower learning_rate (now 100); the results of earlier epochs are intact" in capsys.readouterr().err
    assert checkpoint.read(tmp_path / "run" / CHECKPOINT)["recipe"]["learning_rate"] == 100


@contextlib.contextmanager
def full_disk():
    """Limit files to 20 kB, less than any model."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@contextlib.contextmanager
def exploding_loss():
    """Set a learning rate after which the loss is not finite."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training_loop, "learning_rate", lambda *_: 1e30)
        yield


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    ("failure", "reason"),
    [(full_disk, "run cannot be written: File too large"), (exploding_loss, "the loss became nan in epoch 2")],
)
def test_run_resumes_after_a_failure_in_a_later_epoch(failure, reason, run, data, tmp_path, capsys, monkeypatch):
    folder, epoch = tmp_path / "run", progress.TerminalReporter.epoch
    with contextlib.ExitStack() as failures:
        # After the first epoch has been reported.
        monkeypatch.setattr(
            progress.TerminalReporter, "epoch", lambda *event: epoch(*event) or failures.enter_context(failure())
        )
        assert fer_train("--data", data, "--recipe", run.parent / "bars.yaml", "--output", folder) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("fer-train: error: ")
    assert reason in line
    assert "the results of earlier epochs are intact" in line
    assert len(without_times(folder)) == 1
    assert Classifier(folder / "best.pt").labels == FER2013
    assert not list(folder.glob(".*"))

    monkeypatch.undo()
    assert fer_train("--resume", folder) == 0
    assert without_times(folder) == without_times(run)


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
        ({"network_options": {"wide": 3}}, "network 'mini_xception' has no option 'wide', did you mean 'width'"),
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


def test_exported_models_give_the_scores_of_the_run(run, data, tmp_path, capsys):
    best, latest = tmp_path / "models" / "best.pt", tmp_path / "models" / "latest.pt"
    assert export.main([str(run), "--output", str(best)]) == 0
    assert export.main([str(run / "checkpoint.pth"), "--output", str(latest)]) == 0
    assert best.read_bytes() == (run / "best.pt").read_bytes()

    if find_spec("onnx"):
        assert export.main([str(best), "--output", str(tmp_path / "best.onnx")]) == 0
        faces = bars(np.arange(7), seed=6)
        expected = Classifier(best).scores(faces)
        np.testing.assert_allclose(Classifier(tmp_path / "best.onnx").scores(faces), expected, atol=1e-4)

    network = networks.create("mini_xception", classes=7).eval()
    network.load_state_dict(averaged_weights(run))
    classifier = Classifier(latest)
    crops = bars(np.arange(7), seed=5)
    with torch.no_grad():
        logits = network(torch.from_numpy(classifier.preprocessing.batch(crops)))
    expected = torch.softmax(logits / classifier.metadata.temperature, dim=1).numpy()
    np.testing.assert_allclose(classifier.scores(crops), expected, atol=1e-5)

    capsys.readouterr()
    assert export.main([str(tmp_path), "--output", str(best)]) == 2
    assert "this is not a training run" in capsys.readouterr().err


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


@pytest.mark.usefixtures("undrawn")
def test_init_from_starts_from_the_weights_of_a_model(run, data, tmp_path, capsys):
    gentle = recipe(tmp_path / "gentle.yaml", epochs=1, learning_rate=1e-6)
    begin = ["--data", data, "--recipe", gentle, "--init-from", run / "best.pt", "--output", tmp_path / "run"]
    assert fer_train(*begin) == 0
    assert without_times(tmp_path / "run")[0]["training_accuracy"] > without_times(run)[0]["training_accuracy"]
    assert json.loads((tmp_path / "run" / "run.json").read_text())["init_from"].startswith("best@")
    capsys.readouterr()
    assert "best.pt is a model of 'mini_xception', not of 'cnn_layers'" in error_of(
        capsys, *begin[:-1], tmp_path / "other", "--network", "cnn_layers"
    )


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
        Targets(Recipe("mini_xception", 1, crowd_weight=0.5), registry.read([data], 48).split("training"))


def test_votes_of_one_file_of_several_are_kept(tmp_path):
    votes = np.tile(np.array([10] + 9 * [0], np.uint8), (14, 1))
    files = [arrays(tmp_path / "a.npz", 14, 0, seed=1, ferplus_votes=votes), arrays(tmp_path / "b.npz", 21, 0, seed=2)]
    images = registry.read(files, 48)
    assert images.count_with_votes() == 14
    assert images.crowd_votes.sum(axis=1).tolist() == [1] * 14 + [0] * 21
    assert read_training_data(files, 48, 1, {}).facts["training_images_with_crowd_votes"] < 14


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


def test_runs_of_the_same_second_have_folders_of_their_own(tmp_path):
    folders = [run_folder.create(tmp_path / "runs" / "r-20260101-120000") for _ in range(3)]
    assert [folder.name for folder in folders] == [f"r-20260101-120000{end}" for end in ("", "-2", "-3")]


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


def test_locked_run_folder_is_refused(run, data, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(train, "_STOPPING", 0.2)
    before = {path: path.read_bytes() for path in run.iterdir()}
    with run_folder.lock(run):
        assert f"{run} is in use by another training process" in error_of(capsys, "--resume", run)
    assert {path: path.read_bytes() for path in run.iterdir()} == before
    (tmp_path / "new").mkdir()
    with run_folder.lock(tmp_path / "new"):
        assert "is in use" in error_of(capsys, "--data", data, "--output", tmp_path / "new")
    assert not list((tmp_path / "new").iterdir())


@pytest.mark.parametrize("content", ['{"data": ["/da', "", "[1]", "\0\0"])
def test_damaged_run_json_is_named(content, run, tmp_path, capsys):
    folder = shutil.copytree(run, tmp_path / "copy")
    (folder / "run.json").write_text(content)
    assert f"{folder / 'run.json'} is damaged" in error_of(capsys, "--resume", folder)


def test_commands_to_resume_are_quoted(run, data, tmp_path, capsys):
    folder = shutil.copytree(run, tmp_path / "with space")
    assert f"continue it with --resume '{folder}'" in error_of(capsys, "--data", data, "--output", folder)


def test_run_folder_is_taken_as_a_model(run, data, tmp_path):
    assert model_file.find(run) == run / "best.pt"
    assert Classifier(run).model_id == Classifier(run / "best.pt").model_id
    with pytest.raises(FileNotFoundError, match="is not a training run"):
        model_file.find(tmp_path)
    arguments = ["--model", str(run), "--data", str(data), "--output", str(tmp_path)]
    assert evaluate.main(arguments) == 0


def test_shipped_model_is_exported_by_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert export.main(["mini_xception", "--output", "copy.pt"]) == 0
    assert (tmp_path / "copy.pt").read_bytes() == model_file.find("mini_xception").read_bytes()


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

    capsys.readouterr()
    three = class_folders(tmp_path / "three", per_class=20, seed=1)
    for label in FER2013[3:]:
        shutil.rmtree(three / label)
    refused = error_of(capsys, "--data", three, "--recipe", taught, "--output", tmp_path / "other")
    assert "predicts angry, disgust, fear, happy, sad, surprise, neutral; the data has angry, disgust, fear" in refused


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_scores_of_several_teachers_are_averaged(run, data, tmp_path):
    other = tmp_path / "other.pt"
    model_file.write(other, networks.create("mini_xception", 7), ModelMetadata("mini_xception", FER2013))
    images = registry.read([data], 48).split("public")
    both = Recipe("mini_xception", 1, teachers=[str(run / "best.pt"), str(other)], teacher_weight=1.0)
    learned, *each = (
        Targets(both, images, names).at(0).numpy() for names in (both.teachers, both.teachers[:1], both.teachers[1:])
    )
    np.testing.assert_allclose(learned, np.mean(each, axis=0), atol=1e-6)
    assert np.abs(each[0] - each[1]).max() > 0.1


@pytest.mark.usefixtures("undrawn")
def test_crops_grow_from_the_initial_size(data, tmp_path):
    growing = recipe(tmp_path / "r.yaml", initial_size=24, epochs=2)
    assert fer_train("--data", data, "--recipe", growing, "--output", tmp_path / "run") == 0
    assert Classifier(tmp_path / "run" / "best.pt").preprocessing.input_size == 48


def test_threads_train_on_batches_of_odd_size(data, tmp_path):
    """In a child process, because the failure was a crash of the process."""
    odd = recipe(tmp_path / "r.yaml", batch_size=15, epochs=1)
    command = [sys.executable, "-m", "fer_ros.cli.train", "--data", data, "--recipe", odd, "--threads", "2"]
    ended = subprocess.run([*map(str, command), "--output", str(tmp_path / "run")], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


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
