# SPDX-License-Identifier: Apache-2.0
"""A recipe with stages: order, teachers, interruption between stages, and what the run folder holds at the end."""

import contextlib
import io
import json
import signal
import sys

import pytest
import torch
import training_runs
import yaml
from training_data import arrays, recipe, undrawn
from training_runs import StoppingOutput

from fer_ros.cli import errors, export
from fer_ros.emotion.model_file import read_metadata
from fer_ros.training import checkpoint, run_folder

STAGES = [
    {"name": "first"},
    {"name": "teacher", "network_options": {"width": 6}, "teachers": ["first"]},
    {"name": "last", "epochs": 1, "learning_rate": 0.01, "teachers": ["teacher"], "seed": 3},
]
SETTINGS = {"epochs": 2, "batch_size": 14}

pytestmark = [pytest.mark.filterwarnings("ignore::DeprecationWarning"), pytest.mark.usefixtures("tiny_network")]


@pytest.fixture(scope="module", autouse=True)
def no_plots():
    with undrawn():
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    arrays(folder / "train.npz", 28, 0, seed=1)
    arrays(folder / "public.npz", 14, 1, seed=2)
    return folder


@pytest.fixture(scope="module")
def staged(tmp_path_factory):
    return recipe(tmp_path_factory.mktemp("recipe") / "staged.yaml", **SETTINGS, stages=STAGES)


def fer_train(*arguments):
    return training_runs.fer_train(*arguments, "--progress", "json")


def events_of(output):
    """Return (event, stage) of all lines but `batch`; the stage is that of the latest `start`."""
    events, stage = [], ""
    for event in map(json.loads, output.splitlines()):
        stage = event.get("stage", stage)
        if event["event"] != "batch":
            events.append((event["event"], stage))
    return events


@pytest.fixture(scope="module")
def run(data, staged, tiny_network, tmp_path_factory):
    """Return the folder of an uninterrupted run, and what it printed."""
    folder = tmp_path_factory.mktemp("run") / "run"
    with contextlib.redirect_stdout(io.StringIO()) as output:
        assert fer_train("--data", data, "--recipe", staged, "--output", folder) == 0
    return folder, output.getvalue()


def test_stages_run_in_order(run):
    _, output = run
    assert events_of(output) == [
        *(("start", "first"), ("epoch", "first"), ("epoch", "first"), ("end", "first")),
        *(("start", "teacher"), ("epoch", "teacher"), ("epoch", "teacher"), ("end", "teacher")),
        *(("start", "last"), ("epoch", "last"), ("end", "last")),
    ]
    last = [event for event in map(json.loads, output.splitlines()) if event["event"] == "start"][-1]
    assert (last["stage_number"], last["number_of_stages"]) == (3, 3)
    assert (last["epochs"], last["epochs_before"], last["epochs_of_all_stages"]) == (1, 4, 5)
    assert last["init_from"] == "first"


def test_every_stage_has_a_complete_run_folder(run):
    folder, _ = run
    complete = {
        *("recipe.yaml", "run.json", "metrics.csv", "curves.png", "best.pt", "checkpoint.pth"),
        *("evaluation.json", "confusion_matrix.png", "reliability.png", "report.html"),
        *("confusion_matrix.csv", "confusion_matrix_normalized.csv", "mistakes.png", "right_answers.png"),
    }
    for stage in STAGES:
        assert {path.name for path in (folder / stage["name"]).iterdir()} == complete
    own = {"recipe.yaml", "run.json", "best.pt", "evaluation.json", "report.html"}
    assert {path.name for path in folder.iterdir() if path.is_file()} == own
    assert json.loads((folder / "run.json").read_text())["stages"] == ["first", "teacher", "last"]
    assert yaml.safe_load((folder / "last" / "recipe.yaml").read_text())["seed"] == 3


def test_best_model_of_the_last_stage_is_that_of_the_run(run):
    folder, _ = run
    assert (folder / "best.pt").read_bytes() == (folder / "last" / "best.pt").read_bytes()
    metadata = read_metadata(folder / "best.pt")
    assert (metadata.network, metadata.recipe["teachers"]) == ("tiny", ["teacher"])


def test_stage_starts_from_the_best_weights_of_an_earlier_one(run, data, tmp_path):
    folder, _ = run
    frozen = [*STAGES[:1], {"name": "frozen", "learning_rate": 0.0, "epochs": 1, "ema_decay": 0.0, "weight_decay": 0}]
    path = recipe(tmp_path / "frozen.yaml", **SETTINGS, stages=frozen)
    assert fer_train("--data", data, "--recipe", path, "--output", tmp_path / "run") == 0
    before = torch.jit.load(str(folder / "first" / "best.pt")).state_dict()
    after = torch.jit.load(str(tmp_path / "run" / "best.pt")).state_dict()
    assert torch.equal(before["head.weight"], after["head.weight"])


@pytest.mark.parametrize("interrupted_at", [("end", "first"), ("epoch", "teacher")])
def test_run_resumes_between_and_inside_stages(interrupted_at, run, data, staged, tmp_path, capsys, monkeypatch):
    folder = tmp_path / "run"
    output = StoppingOutput(signal.SIGTERM, lambda text: events_of(text)[-1:] == [interrupted_at])
    with monkeypatch.context() as patch, contextlib.redirect_stdout(output):
        patch.setattr(errors, "end_now", sys.exit)  # not without the interpreter's shutdown, which is this process's
        with pytest.raises(SystemExit, match="130"):
            fer_train("--data", data, "--recipe", staged, "--output", folder)
    assert not (folder / "best.pt").exists()
    assert run_folder.latest_stage(folder).name in ("first", "teacher")
    assert export.main([str(folder), "--output", str(tmp_path / "a.pt")]) == 2
    assert "the last stage of this run has not ended" in capsys.readouterr().err

    assert fer_train("--resume", folder) == 0
    resumed = events_of(capsys.readouterr().out)
    assert resumed[0] == ("start", "teacher")
    expected = torch.jit.load(str(run[0] / "best.pt")).state_dict()
    for name, weights in torch.jit.load(str(folder / "best.pt")).state_dict().items():
        assert torch.equal(weights, expected[name]), name


def test_complete_run_resumes_to_its_evaluation(run, capsys):
    folder, _ = run
    before = checkpoint.read(folder / "last" / run_folder.CHECKPOINT)["records"]
    assert fer_train("--resume", folder) == 0
    assert events_of(capsys.readouterr().out) == [("start", "last"), ("end", "last")]
    assert checkpoint.read(folder / "last" / run_folder.CHECKPOINT)["records"] == before


def test_stage_cannot_be_resumed_alone(run, capsys):
    folder, _ = run
    assert fer_train("--resume", folder / "teacher") == 2
    assert f"is the stage 'teacher' of a run; resume the run: --resume {folder}" in capsys.readouterr().err


def test_unusable_teacher_of_a_later_stage_is_reported_first(data, tmp_path, capsys):
    for teacher, reason in (("mini_xeption", "no model 'mini_xeption'"), ("a/b.pt", "there is no file")):
        path = recipe(tmp_path / "r.yaml", stages=[{"name": "a"}, {"name": "b", "teachers": [teacher]}])
        assert fer_train("--data", data, "--recipe", path, "--output", tmp_path / "run") == 2
        assert reason in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
