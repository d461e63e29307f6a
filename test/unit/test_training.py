# SPDX-License-Identifier: Apache-2.0
"""fer-train from the command line to a model file: complete, interrupted and resumed."""

import contextlib
import json
import resource
import shutil
import signal
import sys

import numpy as np
import pytest
import torch
import yaml
from training_data import bars, class_folders, recipe
from training_runs import StoppingOutput, averaged_weights, error_of, fer_train, start_python, without_times

from fer_ros.cli import errors
from fer_ros.emotion.classifier import Classifier
from fer_ros.emotion.labels import FER2013
from fer_ros.emotion.model_file import read_metadata
from fer_ros.training import checkpoint, progress
from fer_ros.training import train as training_loop
from fer_ros.training.run_folder import CHECKPOINT

pytestmark = pytest.mark.usefixtures("tiny_network")


def test_run_writes_a_model_that_classifies(run):
    classifier = Classifier(run / "best.pt")
    assert classifier.labels == FER2013
    assert classifier.metadata.preprocessing.input_size == 48
    assert classifier.metadata.recipe["learning_rate"] == 0.01
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
    assert facts["training_images"] == 69, "the image that is also a validation image is left out"
    assert facts["duplicates_left_out"] == 1
    assert facts["versions"]["torch"] == torch.__version__
    assert yaml.safe_load((run / "recipe.yaml").read_text())["batch_size"] == 8
    assert len((run / "metrics.csv").read_text().splitlines()) == 1 + 3
    best = max(record["validation_accuracy"] for record in without_times(run))
    assert read_metadata(run / "best.pt").scores["validation"]["accuracy"] == best
    assert json.loads((run / "evaluation.json").read_text())["accuracy"] == pytest.approx(best)
    page = (run / "report.html").read_text()
    assert page.count("data:image/png") == 5
    for fact in (str(data), "seed", "learning_rate: 0.01", f"torch {torch.__version__}", "35"):
        assert fact in page


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(("best_by", "best"), [("accuracy", 1), ("loss", 2)])
def test_best_epoch_is_that_of_accuracy_or_loss(best_by, best, data, tmp_path, monkeypatch):
    sure = iter([1.0, 5.0, 5.0])

    def logits(_network, images, _preprocessing):
        """Return right but unsure answers in the first epoch; then sure ones, those to the first image wrong."""
        scale = next(sure)
        right = scale * np.eye(7, dtype=np.float32)[images.targets]
        if scale > 1:
            right[0] = np.roll(right[0], 1)
        return right

    monkeypatch.setattr(training_loop, "network_logits", logits)
    steps = recipe(tmp_path / "r.yaml", best_by=best_by)
    assert fer_train("--data", data, "--recipe", steps, "--output", tmp_path / "run") == 0
    assert read_metadata(tmp_path / "run" / "best.pt").scores["validation"]["epoch"] == best


def test_terminated_process_says_how_to_continue(run, data, tmp_path):
    folder = tmp_path / "run with space"
    program = "import tiny_network; from fer_ros.cli import train\nwith tiny_network.registered(): train.main()"
    begin = ["--data", data, "--recipe", run.parent / "bars.yaml", "--output", folder, "--progress", "json"]
    with start_python(program, *begin) as process:
        assert json.loads(process.stdout.readline())["event"] == "start"
        process.terminate()
        _, log = process.communicate(timeout=60)
    assert process.returncode == 130
    *warnings, last = log.splitlines()
    assert last == f"fer-train: stopped; continue with: fer-train --resume '{folder}'"
    assert all("only 35 validation images" in warning for warning in warnings)


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    ("number", "after", "epochs_left"), [(signal.SIGTERM, "start", [1, 2, 3]), (signal.SIGINT, "epoch", [2, 3])]
)
def test_resumed_run_gives_the_weights_of_an_uninterrupted_one(
    number, after, epochs_left, run, data, tmp_path, capsys, monkeypatch
):
    folder = tmp_path / "run"
    output = StoppingOutput(number, lambda text: f'{{"event": "{after}"' in text)
    begin = ["--data", data, "--recipe", run.parent / "bars.yaml", "--output", folder, "--progress", "json"]
    with monkeypatch.context() as patch, contextlib.redirect_stdout(output):
        patch.setattr(errors, "end_now", sys.exit)  # not without the interpreter's shutdown, which is this process's
        with pytest.raises(SystemExit, match="130"):
            fer_train(*begin)
    assert capsys.readouterr().err.splitlines()[-1] == f"fer-train: stopped; continue with: fer-train --resume {folder}"
    assert (folder / "best.pt").exists() == (after == "epoch")
    assert not (folder / "evaluation.json").exists()

    assert fer_train("--resume", folder, "--progress", "json") == 0
    resumed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["epoch"] for event in resumed if event["event"] == "epoch"] == epochs_left
    assert without_times(folder) == without_times(run)
    expected = averaged_weights(run)
    for name, weights in averaged_weights(folder).items():
        assert torch.equal(weights, expected[name]), name


def test_resume_refuses_another_network_recipe_or_data(run, tmp_path, capsys):
    before = {path: path.read_bytes() for path in run.iterdir()}
    assert "is of the network 'tiny', not 'cnn_layers'" in error_of(capsys, "--resume", run, "--network", "cnn_layers")
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
def test_divergence_ends_the_run_and_keeps_earlier_results(data, tmp_path, capsys):
    steep = recipe(tmp_path / "steep.yaml", learning_rate=100, weight_decay=10, warm_up=0, momentum=1.0)
    assert fer_train("--data", data, "--recipe", steep, "--output", tmp_path / "run", "--epochs", 30) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "the network's outputs became infinite in epoch 1: lower learning_rate (now 100)" in line
    assert "the results of earlier epochs are intact" in line
    assert checkpoint.read(tmp_path / "run" / CHECKPOINT)["recipe"]["learning_rate"] == 100


@contextlib.contextmanager
def full_disk():
    """Limit files to 5 kB, less than any model."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, limits[1]))
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


@pytest.mark.usefixtures("undrawn")
def test_crops_grow_from_the_initial_size(data, tmp_path):
    growing = recipe(tmp_path / "r.yaml", initial_size=24, epochs=2)
    assert fer_train("--data", data, "--recipe", growing, "--output", tmp_path / "run") == 0
    assert Classifier(tmp_path / "run" / "best.pt").preprocessing.input_size == 48


ODD_BATCH = """
import sys
from pathlib import Path

import numpy as np
import torch
from training_data import bars, undrawn

from fer_ros.datasets.face_images import FaceImages
from fer_ros.emotion.labels import FER2013
from fer_ros.training.recipe import Recipe
from fer_ros.training.train import train

torch.set_num_threads(2)
targets = np.arange(15) % 7
faces = FaceImages(bars(targets, seed=1), targets, FER2013, np.zeros(15, np.uint8))
with undrawn():
    train(Recipe("mini_xception", 1, batch_size=15), faces, faces, Path(sys.argv[1]))
"""


def test_threads_train_on_batches_of_odd_size(tmp_path):
    """In a child process, because the failure was a crash of the process."""
    with start_python(ODD_BATCH, tmp_path) as process:
        _, log = process.communicate(timeout=300)
    assert process.returncode == 0, log
    assert (tmp_path / "best.pt").is_file()
