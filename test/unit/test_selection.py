# SPDX-License-Identifier: Apache-2.0
"""The images of an evaluation, and what is said about those that a model was trained on."""

import json

import numpy as np
import pytest
from training_data import arrays, bars, class_folders, recipe, undrawn

from fer_ros.cli import compare, evaluate, train
from fer_ros.datasets.face_images import DataError, FaceImages
from fer_ros.emotion.labels import FER2013
from fer_ros.emotion.model_file import ModelMetadata, read_metadata
from fer_ros.evaluation.selection import find_provenance, select

pytestmark = [pytest.mark.filterwarnings("ignore::DeprecationWarning"), pytest.mark.usefixtures("tiny_network")]


@pytest.fixture(scope="module", autouse=True)
def no_plots():
    with undrawn():
        yield


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    """Return class folders without splits: 12 images for each of 7 classes, of which one is held out."""
    return class_folders(tmp_path_factory.mktemp("faces"), per_class=12, seed=1)


@pytest.fixture(scope="module")
def runs(faces, tiny_network, tmp_path_factory):
    """Return the folders of runs with the seeds 1 and 2, and of one that continues the first with seed 3."""
    folder = tmp_path_factory.mktemp("runs")
    steps = recipe(folder / "r.yaml", epochs=1)
    for seed, more in ((1, ()), (2, ()), (3, ("--init-from", folder / "1" / "best.pt"))):
        arguments = ["--data", faces, "--recipe", steps, "--seed", seed, "--output", folder / str(seed), *more]
        assert train.main([*map(str, arguments), "--threads", "1"]) == 0
    return folder


def images(count=70):
    targets = np.arange(count) % 7
    return FaceImages(bars(targets, seed=1), targets, FER2013, np.zeros(count, np.uint8))


def metadata(data, seed=1):
    training, validation = data.for_training(seed)
    prints = {"training": training.fingerprint(), "validation": validation.fingerprint(), "seed": seed}
    return ModelMetadata("mini_xception", FER2013, data=prints)


def run_evaluate(tmp_path, capsys, model, data, *more):
    measures = tmp_path / "measures.json"
    arguments = ["--model", model, "--data", data, "--output", tmp_path, "--json", measures, *more]
    code = evaluate.main(list(map(str, arguments)))
    return code, json.loads(measures.read_text()) if code == 0 else None, capsys.readouterr()


def test_public_is_what_the_run_held_out(runs, faces, tmp_path, capsys):
    code, measures, _ = run_evaluate(tmp_path, capsys, runs / "1" / "best.pt", faces)
    assert code == 0
    assert measures["images"] == 7
    assert measures["accuracy"] == json.loads((runs / "1" / "evaluation.json").read_text())["accuracy"]
    assert "evaluated on the 7 images that the run of best@" in measures["notes"][0]
    assert "held out (seed 1)" in measures["notes"][0]
    assert "was trained on" not in " ".join(measures["notes"])


@pytest.mark.parametrize(("split", "count"), [("all", 84), ("training", 84)])
def test_training_images_are_noted(split, count, runs, faces, tmp_path, capsys):
    _, measures, output = run_evaluate(tmp_path, capsys, runs / "1" / "best.pt", faces, "--split", split)
    assert measures["images"] == count
    assert f"was trained on 77 of these {count} images" in output.out


def test_public_of_other_data_is_refused(runs, tmp_path, capsys):
    other = class_folders(tmp_path / "other", per_class=12, seed=8)
    code, _, output = run_evaluate(tmp_path, capsys, runs / "1" / "best.pt", other)
    assert code == 2
    assert "the part that its run held out is unknown" in output.err
    assert output.err.count("\n") == 1
    code, measures, _ = run_evaluate(tmp_path, capsys, runs / "1" / "best.pt", other, "--split", "all")
    assert (code, measures["notes"]) == (0, [])


def test_images_of_the_model_a_run_started_from_are_noted(runs, faces, tmp_path, capsys):
    assert read_metadata(runs / "3" / "best.pt").data["init_from"] == read_metadata(runs / "1" / "best.pt").data
    _, measures, _ = run_evaluate(tmp_path, capsys, runs / "3" / "best.pt", faces)
    assert "of these 7 images" in next(note for note in measures["notes"] if "was trained on" in note)


@pytest.mark.usefixtures("memory_not_measured")
def test_compare_notes_what_another_model_was_trained_on(runs, faces, tmp_path, capsys):
    models = [runs / "1" / "best.pt", runs / "2" / "best.pt"]
    arguments = [*models, "--data", faces, "--output", tmp_path, "--json", tmp_path / "c.json"]
    assert compare.main(list(map(str, arguments))) == 0
    notes = json.loads((tmp_path / "c.json").read_text())["notes"]
    assert "held out (seed 1)" in notes[0]
    assert "was trained on" in notes[-2]
    assert "note: the data has no split 'public'" in capsys.readouterr().out


def test_provenance_needs_the_same_images():
    data = images()
    found = find_provenance("m", metadata(data), data)
    assert (found.training.sum(), found.validation.sum()) == (63, 7)
    assert find_provenance("m", metadata(data), data.take(np.arange(69))) is None
    assert find_provenance("m", ModelMetadata("mini_xception", FER2013), data) is None
    with pytest.raises(DataError, match="--split all"):
        select(data, "public", [])


def test_validation_split_is_noted_as_such(tmp_path, capsys):
    data = [arrays(tmp_path / "train.npz", 70, 0, seed=1), arrays(tmp_path / "public.npz", 14, 1, seed=2)]
    steps = recipe(tmp_path / "r.yaml", epochs=1)
    arguments = ["--data", *data, "--recipe", steps, "--output", tmp_path / "run", "--threads", 1]
    assert train.main(list(map(str, arguments))) == 0
    _, measures, _ = run_evaluate(tmp_path, capsys, tmp_path / "run" / "best.pt", f"{data[0]},{data[1]}")
    (note,) = measures["notes"]
    assert note.endswith("were chosen on 14 of these 14 images")


def test_hold_out_leaves_the_split_public_untouched(tmp_path, capsys):
    data = [arrays(tmp_path / "train.npz", 70, 0, seed=1), arrays(tmp_path / "public.npz", 14, 1, seed=2)]
    steps, folder = recipe(tmp_path / "r.yaml", epochs=1), tmp_path / "run"
    arguments = ["--data", *data, "--recipe", steps, "--output", folder, "--threads", 1, "--hold-out", 0.3]
    assert train.main(list(map(str, arguments))) == 0
    assert json.loads((folder / "run.json").read_text())["hold_out"] == 0.3
    sources = f"{data[0]},{data[1]}"
    _, measures, _ = run_evaluate(tmp_path, capsys, folder, sources, "--split", "public")
    assert (measures["images"], measures["notes"]) == (14, [])
    _, measures, _ = run_evaluate(tmp_path, capsys, folder, sources, "--split", "validation")
    assert measures["images"] == 21
    assert measures["accuracy"] == json.loads((folder / "evaluation.json").read_text())["accuracy"]
    assert "held out (seed 0)" in measures["notes"][0]


@pytest.mark.parametrize("hold_out", [-1, "many", float("nan"), 1e9, True])
def test_hold_out_of_a_hostile_model_file_is_ignored(hold_out):
    data = images()
    hostile = metadata(data)
    hostile.data["hold_out"] = hold_out
    assert find_provenance("m", hostile, data) is None
