# SPDX-License-Identifier: Apache-2.0
"""fer-export --calibrate and --int8."""

import contextlib
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from training_data import arrays

from fer_ros import networks
from fer_ros.cli import export
from fer_ros.emotion import model_file
from fer_ros.emotion.classifier import Classifier
from fer_ros.emotion.labels import FER2013
from fer_ros.emotion.model_file import ModelFileError, ModelMetadata
from fer_ros.evaluation import mixed_calibration, perturbations
from fer_ros.training import quantization


@pytest.fixture
def model(tmp_path, tiny_network):
    """Return the file of a network with random weights."""
    torch.manual_seed(0)
    network = networks.create("tiny", len(FER2013))
    network.train()(torch.rand(8, 1, 48, 48))
    path = tmp_path / "m.pt"
    model_file.write(path, network, ModelMetadata("tiny", FER2013, temperature=0.02))
    return path


@pytest.fixture
def data(tmp_path):
    arrays(tmp_path / "train.npz", 28, 0, seed=1)
    return arrays(tmp_path / "public.npz", 28, 1, seed=2)


def run(*arguments):
    return export.main([str(argument) for argument in arguments])


def error_of(capsys, *arguments):
    with contextlib.suppress(SystemExit):  # argparse's own way to return 2
        assert run(*arguments) == 2
    return capsys.readouterr().err.splitlines()[-1]


def test_calibrated_model_has_another_temperature_only(model, data, tmp_path, capsys):
    output = tmp_path / "out" / "m.pt"
    assert run(model, "--output", output, "--calibrate", "--data", data) == 0
    before, after = model_file.read(model), model_file.read(output)
    assert after.metadata.temperature > 2 * before.metadata.temperature, "random answers deserve no confidence"
    assert replace(after.metadata, temperature=0.02) == before.metadata
    assert after.verification.logits == before.verification.logits
    table = capsys.readouterr().out
    assert all(condition in table for condition in mixed_calibration.CONDITIONS)
    assert f"temperature 0.020 to {after.metadata.temperature:.3f}, of 28 images" in table


def test_onnx_file_is_recalibrated_in_place(model, tmp_path):
    pytest.importorskip("onnx", reason="writing ONNX files needs the package onnx")
    path = tmp_path / "m.onnx"
    assert run(model, "--output", path) == 0
    model_file.recalibrate(path, 3.0)
    assert model_file.read(path).metadata.temperature == 3.0
    assert path.read_bytes().count(b"fer_ros.json") == 1


def test_temperature_needs_a_digest(model):
    members = model_file.torchscript_archive.read(model.read_bytes())
    metadata = json.loads(model_file.torchscript_archive.metadata(members))
    del metadata["verification"]
    bare = model_file.torchscript_archive.with_metadata(members, json.dumps(metadata).encode())
    model.write_bytes(bare)
    with pytest.raises(ModelFileError, match="has no digest"):
        model_file.recalibrate(model, 2.0)
    assert model.read_bytes() == bare


def test_int8_model_runs_in_onnx_runtime_only(model, data, tmp_path, capsys):
    pytest.importorskip("onnx", reason="quantizing needs the package onnx")
    pytest.importorskip("onnxruntime", reason="quantizing needs the package onnxruntime")
    path = tmp_path / "m.onnx"
    assert run(model, "--output", path, "--int8", "--calibrate", "--data", data) == 0
    int8 = Classifier(path, "onnx")
    metadata = model_file.read_metadata(model)
    assert replace(int8.metadata, temperature=metadata.temperature) == metadata
    quantized, exact = (np.array(model_file.read(each).verification.logits) for each in (path, model))
    assert 0 < np.abs(quantized - exact).max() < 0.1 * np.ptp(exact)
    with pytest.raises(ModelFileError, match=r"quantized to int8, which the backend 'opencv' does not run"):
        Classifier(path, "opencv")


def test_unusable_export_options_are_refused(model, data, tmp_path, capsys, monkeypatch):
    output = tmp_path / "new" / "m.onnx"
    assert "--int8 writes .onnx files, not '.pt'" in error_of(
        capsys, model, "--output", output.with_suffix(".pt"), "--int8", "--data", data
    )
    assert "need --data" in error_of(capsys, model, "--output", output, "--int8")
    assert "need --data" in error_of(capsys, model, "--output", output, "--data", data)
    pytest.importorskip("onnx", reason="writing ONNX files needs the package onnx")
    train = tmp_path / "train.npz"
    assert "--calibrate needs images that the network was not trained on" in error_of(
        capsys, model, "--output", output, "--calibrate", "--data", train
    )
    monkeypatch.setattr(quantization, "find_spec", lambda name: name == "onnx" or None)
    assert "pip install onnxruntime" in error_of(capsys, model, "--output", output, "--int8", "--data", train)
    assert not output.exists()


def test_placement_is_that_of_a_detector():
    ramp = np.tile(np.arange(48, dtype=np.uint8), (500, 48, 1))
    placed = perturbations.placed(ramp).astype(int)
    widths = np.ptp(placed[:, 24], axis=1) / 47
    assert np.median(widths) == pytest.approx(0.98, abs=0.03), "a wider box repeats the border"
    assert (np.abs(placed - ramp).max(axis=(1, 2)) <= 4).mean() > 0.4, "half of all boxes are nearly the image"
    assert np.array_equal(placed, perturbations.placed(ramp))
