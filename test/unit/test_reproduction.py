# SPDX-License-Identifier: Apache-2.0
"""fer-reproduce runs the experiments of the papers, survives being killed, and writes a page of results."""

import json
import os
import re
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
from in_process import children_in_process
from running import running

from fer_ros import resources
from fer_ros.cli import reproduce
from fer_ros.emotion.labels import FER2013
from fer_ros.evaluation import profiling
from fer_ros.evaluation.perturbations import PERTURBATIONS
from fer_ros.reproduction import page, queue, results
from fer_ros.reproduction.experiments import EXPERIMENTS, by_value, find
from fer_ros.reproduction.papers import PAPERS
from fer_ros.reproduction.reasons import is_perturbed
from fer_ros.training import recipe, run_folder

ROOT = Path(__file__).parents[2]
ROWS = [row for paper in PAPERS for item in paper.items for row in item.rows]


@pytest.fixture
def small_data(tmp_path):
    """Return the path of an .npz file with 42 training and 14 public images, six and two of each class."""
    usage = np.repeat([0, 1], [42, 14]).astype(np.uint8)
    pixels = np.random.default_rng(0).integers(0, 255, (56, 48, 48), np.uint8)
    path = tmp_path / "small.npz"
    np.savez(path, pixels=pixels, label=np.resize(np.arange(7), 56).astype(np.uint8), usage=usage)
    return path


def kill_with_children(process):
    """Kill a process and its children, as a power failure does."""
    process.send_signal(signal.SIGSTOP)  # starts no other child meanwhile
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    for pid in (process.pid, *map(int, children)):
        os.kill(pid, signal.SIGKILL)


@pytest.mark.usefixtures("undrawn", "memory_not_measured")
def test_killed_queue_loses_nothing_and_continues(tmp_path, small_data, monkeypatch):
    monkeypatch.setattr(profiling, "_PASSES", 1)
    output, names = tmp_path / "runs", ["lyu_width_8_sgd", "rao_cnn"]
    arguments = ["--data", str(small_data), "--output", str(output), "--jobs", "1", "--epochs", "3"]
    with children_in_process(monkeypatch):
        assert reproduce.main([names[0], *arguments]) == 0
    evaluated = (output / names[0] / results.EVALUATION).stat().st_mtime_ns

    command = [sys.executable, "-m", "fer_ros.cli.reproduce", *names, *arguments]
    with running(command) as process:
        lines = [process.stdout.readline() for _ in names]
        kill_with_children(process)  # within an epoch of the second
    assert re.match(f"{names[0]} +[0-9.]+ % after 3 epochs", lines[0])
    assert re.match(f"{names[1]} +epoch", lines[1])
    first, second = (run_folder.read_metrics(output / name) for name in names)
    assert len(first) >= 3
    assert len(second) >= 1

    with children_in_process(monkeypatch):
        assert reproduce.main([*names, *arguments]) == 0
    assert run_folder.read_metrics(output / names[0]) == first
    assert (output / names[0] / results.EVALUATION).stat().st_mtime_ns == evaluated
    after = run_folder.read_metrics(output / names[1])
    assert after[: len(second)] == second
    assert len(after) >= 3

    found, faults = results.read_runs(output)
    result = found[names[1]]
    assert (list(found), faults) == (names, [])
    best = max(epoch["validation_accuracy"] for epoch in after)
    assert result.measures["accuracy"] == pytest.approx(100 * best, abs=0.01)
    assert (result.epochs, result.epochs_of_recipe, result.images) == (len(after), 250, 14)
    assert (result.parameters, result.seed, result.held_out) == (389_799, 0, False)
    assert result.training_images == dict.fromkeys(FER2013, 6)
    assert f"({len(after)} of 250 epochs)" in (output / "papers.md").read_text()


EPOCHS = """
import signal, time
START
while True:
    print('{"event": "epoch", "seconds": 60.0, "validation_accuracy": 0.5}', flush=True)
    time.sleep(SECONDS)
"""


def light_run(folder, monkeypatch, seconds, start="", **more):
    """Return a run that trains in name only, with epochs that take this long."""
    program = EPOCHS.replace("SECONDS", str(seconds)).replace("START", start)
    monkeypatch.setattr(queue.Run, "_training", lambda _: [sys.executable, "-S", "-c", program])
    return queue.Run(EXPERIMENTS["yang_cnn_3"], [], folder, **more)


def test_queue_stops_a_run_after_its_epochs_and_evaluates(tmp_path, monkeypatch):
    run = light_run(tmp_path, monkeypatch, 0.2, epochs=2)
    write_run(run.folder, [0.3, 0.5], 0.5)
    (run.folder / results.EVALUATION).rename(tmp_path / "evaluation.json")
    command = f"import os; os.rename({str(tmp_path / 'evaluation.json')!r}, {str(run.folder / results.EVALUATION)!r})"
    monkeypatch.setattr(queue.Run, "_evaluation", lambda _: [sys.executable, "-S", "-c", command])
    epochs, ends = [], []
    queue.run_all([run], [queue.Slot({})], lambda run: epochs.append(run.epochs_done), lambda *end: ends.append(end))
    assert epochs[-1] == 2
    assert ends == [(run, "")]
    assert run.is_evaluated


def test_run_that_does_not_stop_after_its_epochs_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(queue, "STOP_GRACE", 0.2)
    ignoring = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    run = light_run(tmp_path, monkeypatch, 600, ignoring, epochs=1)
    monkeypatch.setattr(queue.Run, "_evaluation", lambda _: [sys.executable, "-S", "-c", "raise SystemExit('reached')"])
    ends = []
    queue.run_all([run], [queue.Slot({})], lambda _: None, lambda *end: ends.append(end))
    assert ends == [(run, "yang_cnn_3 exited with status 1; its last output:\n  reached")]


def test_queue_stops_its_runs_when_its_output_is_closed(tmp_path, monkeypatch):
    run = light_run(tmp_path, monkeypatch, 600)
    children = []
    start = run.start
    run.start = lambda slot: children.append(start(slot)) or children[-1]

    def closed(_):
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        queue.run_all([run], [queue.Slot({})], closed, pytest.fail)
    (child,) = children
    assert child.status == -signal.SIGTERM
    assert (run.epochs_done, run.minutes_left) == (1, 49)


def test_failed_run_is_one_line_and_does_not_stop_others(tmp_path, small_data, capsys, monkeypatch):
    arguments = ["lyu_width_8", "yang_cnn_3", "--data", str(small_data), "--output", str(tmp_path), "--epochs", "1"]
    monkeypatch.setattr(queue, "slots", lambda _: [queue.Slot({})])
    with children_in_process(monkeypatch):
        monkeypatch.setattr(queue.Run, "_evaluation", lambda run: [*run._training(), "--network", "vgg"])
        assert reproduce.main(arguments) == 1
    printed = capsys.readouterr()
    assert [line.split()[0] for line in printed.out.splitlines()] == ["lyu_width_8", "yang_cnn_3"]
    first, second = printed.err.splitlines()
    assert first.startswith(
        "fer-reproduce: error: lyu_width_8: network 'vgg' has no option 'width'; available: dropout"
    )
    assert second.startswith("fer-reproduce: error: yang_cnn_3: network 'vgg' has no option 'layers'")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["yang_cn_3"], "unknown experiment 'yang_cn_3', did you mean 'yang_cnn_3'; fer-reproduce --list lists all"),
        (["lyu", "--data", "kdfe=x"], "--data: unknown data set 'kdfe', did you mean 'kdef'"),
        (["lyu", "--data", "absent.csv"], "absent.csv: there is no such file or folder"),
        (["rao_mini_xception_kdef", "--data", "DATA"], "rao_mini_xception_kdef needs KDEF"),
        (
            ["ding", "--data", "DATA"],
            "ding_dropout_05_l1_savee needs SAVEE, the folder as published: add --data savee=",
        ),
        (["rao", "--data", "kdef=DATA"], "is not KDEF, the folder as published: no file in it is named as KDEF names"),
        (["rao", "--data", "mead=CORPUS"], "is not MEAD, the folder as published: it is SAVEE"),
        (["lyu", "--data", "CORPUS"], "is SAVEE, the folder as published: write savee="),
    ],
)
def test_unusable_arguments_end_in_one_line(tmp_path, small_data, capsys, arguments, message):
    (tmp_path / "DC").mkdir()
    (tmp_path / "DC/a1.avi").touch()
    paths = {"DATA": str(small_data), "CORPUS": str(tmp_path)}
    assert reproduce.main([re.sub("DATA|CORPUS", lambda name: paths[name[0]], each) for each in arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("fer-reproduce: error: ")
    assert message in error
    assert error.count("\n") == 1


def test_list_names_experiments_and_what_was_run(tmp_path, capsys):
    run = tmp_path / "yang_cnn_4"
    run.mkdir()
    (run / "metrics.csv").write_text("seconds,validation_accuracy\n" + 20 * "60.0,0.5678\n")
    assert reproduce.main(["yang", "--list", "--output", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5
    assert re.search(r"yang_cnn_4 +fer2013 +20 of 50 +56.78 % +30 min", "\n".join(lines))


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


def test_published_changes_of_images_are_measured():
    changed = [row.measure.partition(".") for row in ROWS if is_perturbed(row)]
    assert len(changed) == 17
    assert all(float(value) in PERTURBATIONS[kind].values for kind, _, value in changed)


def test_experiments_of_the_page_exist():
    assert {row.experiment for row in ROWS} <= set(EXPERIMENTS)


def test_page_of_papers_is_up_to_date(tmp_path):
    """`make results` writes it from benchmarks/papers/."""
    page.write(tmp_path / "papers.md", results.load_all(ROOT / "benchmarks/papers"))
    assert (ROOT / "docs/reports/papers.md").read_text() == (tmp_path / "papers.md").read_text()


def test_damaged_result_is_named(tmp_path):
    (tmp_path / "x.json").write_text('{"experiment": "x"}')
    with pytest.raises(run_folder.RunFolderError, match=r"x\.json is no result that `make results` wrote"):
        results.load_all(tmp_path)


def write_run(folder, accuracies, evaluated):
    """Write the files of a run whose best of some first epochs was evaluated, and which may have trained further."""
    folder.mkdir()
    epochs = [f"{number},50,{accuracy},0.7,1.0,60" for number, accuracy in enumerate(accuracies, 1)]
    head = "epoch,epochs,validation_accuracy,training_accuracy,validation_loss,seconds"
    (folder / "metrics.csv").write_text("\n".join([head, *epochs, ""]))
    run = {"seed": 0, "cpu": "", "threads": 1, "device": "cpu", "versions": {"torch": "2"}}
    (folder / "run.json").write_text(json.dumps(run))
    measures = dict.fromkeys(results._WHOLE, 0.1) | {"accuracy": evaluated}
    evaluation = {**measures, "images": 9, "per_class": {}, "profile": {"parameters": 1}}
    (folder / results.EVALUATION).write_text(json.dumps(evaluation))


@pytest.mark.parametrize(
    ("accuracies", "evaluated", "epochs", "best"),
    [
        ([0.3, 0.5, 0.4], 0.5, 3, 2),
        ([0.3, 0.5, 0.4, 0.6, 0.5], 0.5, 3, 2),
        ([0.3, 0.5, 0.4, 0.5, 0.6], 0.5, 4, 2),
        ([0.3, 0.5, 0.6], 0.6, 3, 3),
    ],
)
def test_result_is_of_the_epochs_that_were_evaluated(tmp_path, accuracies, evaluated, epochs, best):
    write_run(tmp_path / "yang_cnn_3", accuracies, evaluated)
    result = results.read_run(tmp_path / "yang_cnn_3", "yang_cnn_3")
    assert (result.epochs, result.best_epoch, result.measures["accuracy"]) == (epochs, best, 100 * evaluated)
    assert result.accuracies == [round(100 * accuracy, 2) for accuracy in accuracies[:epochs]]


def test_damaged_run_is_named_and_the_others_are_read(tmp_path):
    for name in ("yang_cnn_3", "yang_cnn_4"):
        write_run(tmp_path / name, [0.5], 0.5)
    (tmp_path / "yang_cnn_3/run.json").write_text("{}")
    found, (fault,) = results.read_runs(tmp_path)
    assert list(found) == ["yang_cnn_4"]
    assert fault == f"{tmp_path / 'yang_cnn_3'} is no complete run: KeyError 'seed'"
