# SPDX-License-Identifier: Apache-2.0
"""fer-reproduce: rerun the experiments of five papers and set the results beside the published ones."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fer_ros.cli.errors import OptionError, one_line_errors
from fer_ros.cli.options.common import command_parser
from fer_ros.files import check_writable
from fer_ros.registry import did_you_mean
from fer_ros.reproduction import experiments
from fer_ros.reproduction.experiments import DATA_SETS, FER2013, Experiment
from fer_ros.reproduction.page import duration

if TYPE_CHECKING:
    from fer_ros.reproduction.queue import Run

_EXAMPLES = """\
examples:
  fer-reproduce --list                                     experiments, what has been run, and how long the rest takes
  fer-reproduce --data fer2013.csv                         all experiments on FER2013, one on each core
  fer-reproduce yang lyu_width_8 --data a.npz b.npz        those of one paper, and one more
  fer-reproduce rao_mini_xception_kdef --data kdef=KDEF/   on another data set
  fer-reproduce --data fer2013.csv --epochs 5              the first five epochs of each; later calls continue

Ctrl-C stops all runs; the same command continues them. Each evaluated run is in papers.md in the output folder.
"""


def parser() -> argparse.ArgumentParser:
    command_line = command_parser(
        "fer-reproduce",
        "Rerun the experiments of five papers and set the results beside the published ones.",
        _EXAMPLES,
    )
    add = command_line.add_argument
    add("names", nargs="*", metavar="NAME", help="experiment, or first author for all of a paper (default: all)")
    sets = "; ".join(f"{key}: {description}" for key, description in DATA_SETS.items())
    add(
        "--data",
        nargs="+",
        default=[],
        metavar="[SET=]PATH",
        help=f"data sets, each as SET=PATH, or PATH alone for {FER2013}; several for several files. {sets}",
    )
    add("--output", type=Path, metavar="FOLDER", default=Path("out/papers"), help="default: %(default)s")
    add("--jobs", type=int, metavar="N", help="runs at a time (default: one on each GPU, else on each CPU core)")
    add("--epochs", type=int, metavar="N", help="stop each run after its first N epochs; a later call continues")
    add("--list", action="store_true", help="list the experiments and what has been run, and exit")
    return command_line


@one_line_errors("fer-reproduce")
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code."""
    command_line = parser()
    options = command_line.parse_args(arguments)
    for name in ("jobs", "epochs"):
        if getattr(options, name) is not None and getattr(options, name) < 1:
            command_line.error(f"--{name} must be 1 or more")
    chosen = experiments.by_value(experiments.find(options.names))
    if options.list:
        return _list(chosen, options.output)
    data = _data_sets(options.data)
    if not data:
        command_line.error("--data is required, except with --list")
    return _reproduce(_with_data(chosen, data, options.names), data, options)


def _data_sets(words: Sequence[str]) -> dict[str, list[str]]:
    """Return the paths of each data set.

    Raises:
        OptionError: an unknown data set.
        DataError: a path does not exist.
    """
    from fer_ros.datasets import registry

    paths: dict[str, list[str]] = {}
    for word in words:
        name, equals, path = word.partition("=")
        if not equals or Path(word).exists():
            name, path = FER2013, word
        if name not in DATA_SETS:
            near = did_you_mean(name, DATA_SETS)
            raise OptionError(f"--data: unknown data set '{name}'{near}; there are: {', '.join(DATA_SETS)}")
        for found in registry.paths_of([path]):
            _check_kind(name, found)
            paths.setdefault(name, []).append(str(found))
    return paths


def _check_kind(name: str, path: Path) -> None:
    """Check that `path` is the data set `name` if that is a corpus, and else that it is none.

    Raises:
        OptionError: it is not.
    """
    from fer_ros.datasets import corpus_naming

    corpus = corpus_naming.recognize(path) if path.is_dir() else None
    found = corpus.title.lower() if corpus else None
    if name != found and name != FER2013:
        is_another = f"it is {corpus.title}" if corpus else f"no file in it is named as {name.upper()} names its files"
        raise OptionError(f"--data: {path} is not {DATA_SETS[name]}: {is_another}")
    if found and name == FER2013:
        raise OptionError(f"--data: {path} is {DATA_SETS[found]}: write {found}={path}")


def _with_data(chosen: Sequence[Experiment], data: Mapping[str, object], names: Sequence[str]) -> list[Experiment]:
    """Return the experiments whose data set is given.

    Args:
        chosen: experiments.
        data: by data set.
        names: that the user gave, of experiments or authors.

    Raises:
        OptionError: the data set of an experiment that the user named is missing, or those of all.
    """
    missing = [each for each in chosen if each.data not in data]
    needed = missing if len(missing) == len(chosen) else [each for each in missing if each.name in names]
    if needed:
        first = needed[0]
        raise OptionError(f"{first.name} needs {DATA_SETS[first.data]}: add --data {first.data}=PATH")
    for key in sorted({each.data for each in missing}):
        names = ", ".join(each.name for each in missing if each.data == key)
        print(f"fer-reproduce: left out, as --data {key}=PATH is missing: {names}", file=sys.stderr)
    return [each for each in chosen if each.data in data]


def _reproduce(chosen: Sequence[Experiment], data: Mapping[str, Sequence[str]], options: argparse.Namespace) -> int:
    from fer_ros.reproduction import page, queue, results

    check_writable(options.output)
    options.output.mkdir(parents=True, exist_ok=True)
    # A program stops the runs with SIGTERM, as a user does with Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    runs = [queue.Run(each, data[each.data], options.output, options.epochs) for each in chosen]
    slots = queue.slots(options.jobs)
    failed: list[str] = []

    def say(run: Run, text: str) -> None:
        left = sum(each.minutes_left for each in runs) / min(len(slots), len(runs))
        print(f"{run.experiment.name:42}{text:44}all: {duration(left)} left", flush=True)

    def on_epoch(run: Run) -> None:
        progress = f"epoch {run.epochs_done}/{run.experiment.epochs}, {100 * run.accuracy:.2f} %"
        say(run, f"{progress}, {duration(run.minutes_left)} left")

    def on_end(run: Run, failure: str) -> None:
        if failure:
            failed.append(run.experiment.name)
            print(f"fer-reproduce: error: {failure}", file=sys.stderr, flush=True)
            return
        found, _ = results.read_runs(options.output)
        result = found[run.experiment.name]
        say(run, f"{result.measures['accuracy']:.2f} % after {result.epochs} epochs")
        page.write(options.output / "papers.md", found)

    queue.run_all(runs, slots, on_epoch, on_end)
    if len(failed) < len(runs):
        print(f"\nreport: {options.output / 'papers.md'}")
    return 1 if failed else 0


def _list(chosen: Sequence[Experiment], output: Path) -> int:
    from fer_ros.reproduction.queue import Run
    from fer_ros.training import run_folder

    print(f"{'experiment':42}{'data':9}{'epochs':>12}{'best':>9}  time left on one core")
    for each in chosen:
        run = Run(each, [], output)
        best = f"{100 * run_folder.best_accuracy(run.folder):.2f} %" if run.epochs_done else ""
        left = duration(run.minutes_left) if run.minutes_left else "done"
        print(f"{each.name:42}{each.data:9}{f'{run.epochs_done} of {each.epochs}':>12}{best:>9}  {left}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
