# SPDX-License-Identifier: Apache-2.0
"""Goals of the trainer node, which come from anybody who reaches it."""

import os
import re
from types import SimpleNamespace

import pytest

from fer_ros.nodes.trainer.goal import GoalError, to_run


def run(place, **fields):
    goal = {"dataset": "a.csv", "recipe": "", "network": "", "output_name": "", "seed": 0, "resume": False}
    settings = SimpleNamespace(output=str(place / "runs"), datasets=str(place), threads=1)
    return to_run(SimpleNamespace(**{**goal, **fields}), settings)


@pytest.mark.parametrize("name", ["mine", "res_se 2.1", "übung+é", "7", "_x@robot=1", 100 * "x"])
def test_output_name_is_the_folder(tmp_path, name):
    assert run(tmp_path, output_name=name).folder == tmp_path / "runs" / name


@pytest.mark.parametrize(
    "name",
    [
        "a/b",
        "..",
        ".",
        ".hidden",
        "-rf",
        "a\nb",
        "\x1b[2J",
        "a\0",
        101 * "x",
        300 * "x",
        5000 * "x",
        "a\u202eb",
        " x",
        "*",
    ],
)
def test_other_output_names_are_refused_in_one_line(tmp_path, name):
    with pytest.raises(GoalError, match="output_name is ") as raised:
        run(tmp_path, output_name=name)
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < 400


@pytest.mark.parametrize("field", ["dataset", "recipe", "network"])
@pytest.mark.parametrize("text", ["x\n[ERROR] forged", "\x1b]0;x\x07", 5000 * "x"])
def test_texts_that_forge_log_lines_are_refused(tmp_path, field, text):
    with pytest.raises(GoalError, match=f"{field} is '.*expected a text of up to 4000 characters") as raised:
        run(tmp_path, **{field: text})
    assert str(raised.value).isprintable()


def test_default_name_is_safe(tmp_path):
    for recipe, start in {"/etc/-x;$(y).yaml": "x__", "": "training", "res_se": "res_se", 999 * "x": 50 * "x"}.items():
        assert re.fullmatch(rf"{start}[\w()_]*-\d{{8}}-\d{{6}}", run(tmp_path, recipe=recipe).run_id)


@pytest.mark.parametrize("dataset", ["pipe.csv", "pipe", "/dev/zero", "a.csv, /dev/null", "link.npz"])
def test_dataset_that_may_never_end_is_refused(tmp_path, dataset):
    for name in ("pipe.csv", "pipe"):
        os.mkfifo(tmp_path / name)
    (tmp_path / "link.npz").symlink_to("/dev/zero")
    with pytest.raises(GoalError, match="is neither a file nor a folder"):
        run(tmp_path, dataset=dataset)


def test_names_of_other_runs_are_shown_in_one_line(tmp_path):
    (tmp_path / "runs" / "a\nb").mkdir(parents=True)
    (tmp_path / "runs" / "a\nb" / "run.json").touch()
    with pytest.raises(GoalError, match="there is no run 'x' to resume in ") as raised:
        run(tmp_path, output_name="x", resume=True)
    assert str(raised.value).isprintable()
