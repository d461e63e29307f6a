# SPDX-License-Identifier: Apache-2.0
"""fer-reproduce runs the experiments of the papers, survives being killed, and writes a page of results."""

import csv
import json
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fer_ros import resources
from fer_ros.cli import annotate, compare, demo, detect, evaluate, reproduce
from fer_ros.reproduction import page, results
from fer_ros.reproduction.experiments import EXPERIMENTS, by_value, find
from fer_ros.reproduction.papers import PAPERS
from fer_ros.training import recipe, run_folder

ROOT = Path(__file__).parents[2]
COMMANDS = {
    **{"fer-reproduce": reproduce, "fer-evaluate": evaluate, "fer-compare": compare},
    **{"fer-annotate": annotate, "fer-detect": detect, "make": demo},
}
ITEMS = [(f"{paper.letter}, {item.title}", item) for paper in PAPERS for item in paper.items]


@pytest.fixture
def small_data(tmp_path):
    """Return the path of an .npz file with 42 training and 14 public images, six and two of each class."""
    usage = np.repeat([0, 1], [42, 14]).astype(np.uint8)
    pixels = np.random.default_rng(0).integers(0, 255, (56, 48, 48), np.uint8)
    path = tmp_path / "small.npz"
    np.savez(path, pixels=pixels, label=np.resize(np.arange(7), 56).astype(np.uint8), usage=usage)
    return path


def test_killed_run_is_continued_evaluated_and_reported(tmp_path, small_data):
    output = tmp_path / "runs"
    arguments = ["lyu_width_8", "--data", str(small_data), "--output", str(output), "--jobs", "1", "--epochs"]
    command = [sys.executable, "-m", "fer_ros.cli.reproduce", *arguments, "100"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert "epoch 1/100" in process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    run = output / "lyu_width_8"
    with run_folder.lock(run, timeout=30):  # the training process ends by itself
        before = list(csv.DictReader((run / "metrics.csv").open()))
    assert 0 < len(before) < 100

    assert reproduce.main([*arguments, str(len(before) + 1)]) == 0
    after = list(csv.DictReader((run / "metrics.csv").open()))
    assert after[: len(before)] == before
    assert len(after) >= len(before) + 1

    result = json.loads((output / "results/lyu_width_8.json").read_text())
    best = max(float(epoch["validation_accuracy"]) for epoch in after)
    assert result["measures"]["accuracy"] == pytest.approx(100 * best, abs=0.01)
    assert (result["epochs"], result["epochs_of_recipe"], result["images"]) == (len(after), 100, 14)
    assert (result["parameters"], result["seed"], result["held_out"]) == (58_423, 0, False)
    paper_rows = [row for _, item in ITEMS for row in item.rows if row.experiment == "lyu_width_8"]
    assert {row.measure for row in paper_rows} <= set(result["measures"])
    assert f"({len(after)} of 100 epochs)" in (output / "papers.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["yang_cn_3"], "unknown experiment 'yang_cn_3', did you mean 'yang_cnn_3'; fer-reproduce --list lists all"),
        (["lyu", "--data", "kdfe=x"], "--data: unknown data set 'kdfe', did you mean 'kdef'"),
        (["lyu", "--data", "absent.csv"], "absent.csv: there is no such file or folder"),
        (["rao_mini_xception_kdef", "--data", "DATA"], "rao_mini_xception_kdef needs KDEF"),
    ],
)
def test_unusable_arguments_end_in_one_line(small_data, capsys, arguments, message):
    assert reproduce.main([argument.replace("DATA", str(small_data)) for argument in arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("fer-reproduce: error: ")
    assert message in error
    assert error.count("\n") == 1


def test_list_names_experiments_and_what_was_run(tmp_path, capsys):
    run = tmp_path / "yang_cnn_4"
    run.mkdir()
    (run / "metrics.csv").write_text("seconds\n" + 20 * "60.0\n")
    assert reproduce.main(["yang", "--list", "--output", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5
    assert re.search(r"yang_cnn_4 +fer2013 +20 of 50 +30 min", "\n".join(lines))


def test_experiment_has_the_epochs_of_its_recipe():
    for experiment in EXPERIMENTS.values():
        (stage,) = recipe.load(experiment.recipe).stages
        assert stage.recipe.epochs == experiment.epochs


def test_every_recipe_of_a_paper_is_an_experiment():
    authors = tuple(f"{each.author}_" for each in EXPERIMENTS.values())
    recipes = {path.stem for path in resources.folders("recipes")[0].glob("*.yaml")}
    assert {name for name in recipes if name.startswith(authors)} == {each.recipe for each in EXPERIMENTS.values()}


def test_queue_starts_with_most_published_numbers_for_the_time():
    queue = by_value(find([]))
    assert len(queue) == len(EXPERIMENTS)
    costs = [experiment.minutes / experiment.rows for experiment in queue]
    assert costs == sorted(costs)


@pytest.mark.parametrize(("title", "item"), ITEMS, ids=[title for title, _ in ITEMS])
def test_command_of_a_paper_item_parses(title, item):
    program, *arguments = shlex.split(item.command)
    if program == "make":
        assert arguments == ["demo", "INPUT=0"]
        arguments = ["--input", "0"]
    options = COMMANDS[program].parser().parse_args(arguments)
    if program == "fer-reproduce":
        assert find(options.names)
    assert all(row.experiment in EXPERIMENTS for row in item.rows)


def test_page_of_papers_is_up_to_date(tmp_path):
    """`make results` writes it from benchmarks/papers/."""
    page.write(tmp_path / "papers.md", results.load_all(ROOT / "benchmarks/papers"))
    assert (ROOT / "docs/reports/papers.md").read_text() == (tmp_path / "papers.md").read_text()


def test_damaged_result_is_named(tmp_path):
    (tmp_path / "x.json").write_text('{"experiment": "x"}')
    with pytest.raises(run_folder.RunFolderError, match=r"x\.json is no result of fer-reproduce"):
        results.load_all(tmp_path)
