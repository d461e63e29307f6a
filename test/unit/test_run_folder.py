# SPDX-License-Identifier: Apache-2.0
"""Run folders: their names, their lock, damaged ones, and models exported from them."""

import shutil
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from training_data import bars
from training_runs import averaged_weights, error_of

from fer_ros import networks
from fer_ros.cli import evaluate, export, train
from fer_ros.emotion import model_file
from fer_ros.emotion.classifier import Classifier
from fer_ros.training import run_folder

pytestmark = pytest.mark.usefixtures("tiny_network")


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

    network = networks.create("tiny", classes=7).eval()
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


def test_runs_of_the_same_second_have_folders_of_their_own(tmp_path):
    folders = [run_folder.create(tmp_path / "runs" / "r-20260101-120000") for _ in range(3)]
    assert [folder.name for folder in folders] == [f"r-20260101-120000{end}" for end in ("", "-2", "-3")]


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
