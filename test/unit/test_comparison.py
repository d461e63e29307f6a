# SPDX-License-Identifier: Apache-2.0
"""McNemar's test, and fer-compare."""

import json
import re
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


def test_mcnemar_matches_values_by_hand():
    first, second = np.ones(20, bool), np.ones(20, bool)
    assert comparison.mcnemar(first, second) == 1
    second[:5] = False
    # Five images are correct for the first model only, none for the second only: five heads or five tails in a row.
    assert comparison.mcnemar(first, second) == comparison.mcnemar(second, first) == pytest.approx(2 / 2**5)
    first[5:7] = False
    assert comparison.mcnemar(first, second) == pytest.approx(2 * (1 + 7 + 21) / 2**7)


def constant_model(path, label):
    """Write a model that classifies every face as `label`."""
    torch.manual_seed(0)
    network = create("mini_xception", 7)
    with torch.no_grad():
        network.head.bias[FER2013.index(label)] += 50
    model_file.write(path, network, ModelMetadata("mini_xception", FER2013))
    return path


@pytest.mark.usefixtures("memory_not_measured")
def test_fer_compare_prints_models_side_by_side(tmp_path, capsys):
    label = np.array([3] * 12 + [4] * 2, np.uint8)
    data = arrays(tmp_path / "public.npz", 14, 1, seed=1, label=label)
    other = ".onnx" if find_spec("onnx") else ".pt"
    happy, sad = constant_model(tmp_path / "happy.pt", "happy"), constant_model(tmp_path / f"sad{other}", "sad")
    output, scores = tmp_path / "out", tmp_path / "scores.json"
    arguments = [happy, sad, "--data", data, "--robustness", "--output", output, "--json", scores]
    assert compare.main([str(argument) for argument in arguments]) == 0

    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    rows = {" ".join(words[:-2]): words[-2:] for words in lines}
    assert ["convolutions", "/", "poolings", "/", "dense", "layers", *["15", "/", "9", "/", "0"] * 2] in lines
    assert rows["accuracy"] == ["85.71", "14.29"]
    assert rows["recall of happy"] == ["100.0", "0.0"]
    assert rows["recall of sad"] == ["0.0", "100.0"]
    assert "recall of fear" not in rows
    assert rows["parameters"] == ["58,423", "58,423"]
    assert rows["45"] == ["85.7", "14.3"], "a constant model does not depend on rotation"

    models = json.loads(scores.read_text())["models"]
    assert [(model["path"], model["recipe"]) for model in models] == [(str(happy), None), (str(sad), None)]
    assert [model["accuracy"] for model in models] == pytest.approx([12 / 14, 2 / 14])
    assert [model["profile"]["file_bytes"] for model in models] == [happy.stat().st_size, sad.stat().st_size]
    html = (output / "comparison.html").read_text()
    # p-value of 12 images against 2: 2 * (1 + 14 + 91) / 2 ** 14.
    for fact in (models[0]["model"], models[1]["model"], "-71.43", "0.013", "58,423", "data:image/png;base64,iVBOR"):
        assert fact in html
    assert "<script" not in html


METRICS = """\
epoch,epochs,learning_rate,training_loss,training_accuracy,validation_loss,validation_accuracy,temperature,\
images_per_second,seconds,best,user_seconds,system_seconds,peak_memory_bytes
1,2,0.1,1.5,0.4,1.4,0.5,1.0,100,60,True,90,6,1000000
2,2,0.1,1.2,0.6,1.3,0.55,1.0,100,60,True,90,6,2000000
"""


def run(folder, recipe, label):
    folder.mkdir()
    constant_model(folder / "best.pt", label)
    (folder / "run.json").write_text(json.dumps({"recipe": recipe} if recipe else {}))
    (folder / "metrics.csv").write_text(METRICS)
    return folder


@pytest.mark.usefixtures("memory_not_measured")
def test_fer_compare_names_runs_by_recipe_and_shows_their_training(tmp_path, capsys):
    data = arrays(tmp_path / "public.npz", 14, 1, seed=1)
    runs = [run(tmp_path / "a", "yang_cnn_3", "sad"), run(tmp_path / "b", "rao_cnn", "happy"),
            run(tmp_path / "c", "rao_cnn", "fear"), run(tmp_path / "d", None, "angry")]  # fmt: skip
    arguments = [*runs, "--data", data, "--output", tmp_path / "out", "--json", tmp_path / "c.json"]
    assert compare.main([str(argument) for argument in arguments]) == 0
    models = json.loads((tmp_path / "c.json").read_text())["models"]
    assert [model["name"] for model in models] == ["yang_cnn_3", "rao_cnn (b)", "rao_cnn (c)", "d"]
    assert models[0]["path"] == str(tmp_path / "a" / "best.pt")
    assert models[0]["training"]["best_epoch"]["training_accuracy"] == 0.6
    assert models[0]["training"]["resources"]["user_seconds"] == 180
    lines = [re.split("  +", line) for line in capsys.readouterr().out.splitlines()]
    assert ["training accuracy, augmented", *["60.00"] * 4] in lines
    assert ["validation loss", *["1.300"] * 4] in lines
    assert ["training CPU, % of a core: user + system", *["150 + 10"] * 4] in lines
    assert ["training memory, MiB", *["2"] * 4] in lines
    assert all((tmp_path / "out" / name).stat().st_size > 10_000 for name in ("accuracy.png", "curves.png"))
    (tmp_path / "a" / "metrics.csv").write_text("epoch,seconds\n1,many\n")
    assert compare.main([str(argument) for argument in arguments]) == 2
    assert "metrics.csv is damaged" in capsys.readouterr().err


def test_fer_compare_reports_bad_input_in_one_line(tmp_path, capsys):
    data = arrays(tmp_path / "public.npz", 14, 1, seed=1)
    assert compare.main([str(tmp_path / "none.pt"), "--data", str(data)]) == 2
    message = capsys.readouterr().err
    assert message.startswith("fer-compare: error: ")
    assert "none.pt" in message
    assert message.count("\n") == 1
