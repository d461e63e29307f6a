"""fer-compare tells which of several models is better, whether that may be chance, and what each costs."""

import json
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from training_data import arrays

from fer_ros.cli import compare
from fer_ros.emotion import model_file
from fer_ros.emotion.labels import FER2013
from fer_ros.emotion.model_file import ModelMetadata
from fer_ros.evaluation import comparison
from fer_ros.networks import create


def test_mcnemars_test_by_hand():
    first, second = np.ones(20, bool), np.ones(20, bool)
    assert comparison.mcnemar(first, second) == 1
    second[:5] = False
    # Five images only the first is right on, none only the second: as rare as five heads or five tails in a row.
    assert comparison.mcnemar(first, second) == comparison.mcnemar(second, first) == pytest.approx(2 / 2**5)
    first[5:7] = False
    assert comparison.mcnemar(first, second) == pytest.approx(2 * (1 + 7 + 21) / 2**7)


def answering(path, answer):
    """A model that takes every face for `answer`."""
    torch.manual_seed(0)
    network = create("mini_xception", 7)
    with torch.no_grad():
        network.head.bias[FER2013.index(answer)] += 50
    model_file.write(path, network, ModelMetadata("mini_xception", FER2013))
    return path


def test_models_stand_side_by_side(tmp_path, capsys):
    label = np.array([3] * 12 + [4] * 2, np.uint8)
    data = arrays(tmp_path / "public.npz", 14, 1, seed=1, label=label)
    other = ".onnx" if find_spec("onnx") else ".pt"  # of either kind
    happy, sad = answering(tmp_path / "happy.pt", "happy"), answering(tmp_path / f"sad{other}", "sad")
    output, told = tmp_path / "out", tmp_path / "scores.json"
    arguments = [happy, sad, "--data", data, "--robustness", "--output", output, "--json", told]
    assert compare.main([str(argument) for argument in arguments]) == 0

    said = [line.split() for line in capsys.readouterr().out.splitlines()]
    rows = {" ".join(words[:-2]): words[-2:] for words in said}
    assert rows["accuracy"] == ["85.71", "14.29"]
    assert rows["recall of happy"] == ["100.0", "0.0"]
    assert rows["recall of sad"] == ["0.0", "100.0"]
    assert "recall of fear" not in rows
    assert rows["parameters"] == ["58,423", "58,423"]
    assert rows["45"] == ["85.7", "14.3"], "a turn by 45 degrees changes nothing for who answers without looking"

    models = json.loads(told.read_text())["models"]
    assert [model["accuracy"] for model in models] == pytest.approx([12 / 14, 2 / 14])
    assert [model["costs"]["file_bytes"] for model in models] == [happy.stat().st_size, sad.stat().st_size]
    html = (output / "comparison.html").read_text()
    # Twelve images against two: 2 * (1 + 14 + 91) / 2 ** 14.
    for fact in (models[0]["model"], models[1]["model"], "-71.43", "0.013", "58,423", "data:image/png;base64,iVBOR"):
        assert fact in html
    assert "<script" not in html


def test_what_cannot_be_compared_is_said_in_one_line(tmp_path, capsys):
    data = arrays(tmp_path / "public.npz", 14, 1, seed=1)
    assert compare.main([str(tmp_path / "none.pt"), "--data", str(data)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("fer-compare: error: ")
    assert "none.pt" in said
    assert said.count("\n") == 1
