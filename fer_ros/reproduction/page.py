# SPDX-License-Identifier: Apache-2.0
"""Write the page that sets the published numbers beside those of the runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from fer_ros.files import atomic_write
from fer_ros.reproduction import reasons
from fer_ros.reproduction.experiments import EXPERIMENTS, Experiment
from fer_ros.reproduction.papers import PAPERS, RUNS, Item, Paper, Row
from fer_ros.reproduction.results import Result

_HEAD = f"""\
# The papers rerun

Every table and figure of five papers on light expression networks: the command that makes its counterpart, the
published number, and ours. `make results` writes this page from the results that `fer-reproduce` leaves in the folders
of its runs; no number of ours is typed by hand.

```
fer-reproduce --data fer2013.csv     # all experiments on FER2013; most published numbers for the time first
fer-reproduce --list                 # what there is, what has been run, and how long the rest takes
```

It stops and continues anywhere: Ctrl-C, then the same command. `--epochs N` stops each run after N epochs; a later call
without it continues. Runs are in `{RUNS}`.

Models are trained on FER2013's split Training without the images that are also among the validation images. Ours are
measured in the epoch that is best on the validation images, which are PublicTest or, for Yang et al., held-out training
images; shares are in percent. The papers report PrivateTest or splits of their own, so the numbers are close to each
other and not the same measure.
"""

_AT = (1, 2, 3, 5, 10, 15, 20, 30, 50, 100, 150, 250)
"""Epochs in the table of the learning curves."""


def write(path: Path, results: Mapping[str, Result]) -> None:
    """Write the page as Markdown.

    Args:
        path: file to write.
        results: by experiment.
    """
    parts = [_HEAD, _runs(results), _curves(results), *(_paper(paper, results) for paper in PAPERS)]
    with atomic_write(path) as temporary:
        temporary.write_text("\n".join(parts))


def _runs(results: Mapping[str, Result]) -> str:
    head = ("experiment", "parameters", "accuracy", "images", "epochs", "best", "seed", "time", "machine")
    rows = [_run(experiment, results.get(experiment.name)) for experiment in EXPERIMENTS.values()]
    return f"## The runs\n\n{_table(head, rows)}"


def _run(experiment: Experiment, result: Result | None) -> tuple[str, ...]:
    if result is None:
        left = f"not run: about {duration(experiment.minutes)} on one core"
        return (f"`{experiment.name}`", "", left, "", f"0 of {experiment.epochs}", "", "", "", "")
    return (
        f"`{experiment.name}`",
        f"{result.parameters:,}",
        _number(result.measures["accuracy"]),
        f"{result.images:,} {'held out' if result.held_out else 'of PublicTest'}",
        f"{result.epochs} of {result.epochs_of_recipe}",
        str(result.best_epoch),
        str(result.seed),
        duration(result.minutes),
        _machine(result),
    )


def _curves(results: Mapping[str, Result]) -> str:
    """Return the learning curves as a table."""
    rows = [
        (
            f"`{name}`",
            *(_number(max(results[name].accuracies[:epoch])) if epoch <= results[name].epochs else "" for epoch in _AT),
        )
        for name in EXPERIMENTS
        if name in results
    ]
    head = "## Learning curves\n\nBest accuracy on the validation images within the first epochs, in percent.\n"
    return f"{head}\n{_table(('epochs', *map(str, _AT)), rows)}"


def _machine(result: Result) -> str:
    name = " ".join(word for word in result.cpu.replace("(R)", "").split() if word not in ("CPU", "Processor"))
    threads = "one thread" if result.threads == 1 else f"{result.threads} threads"
    return (
        f"{name if result.device == 'cpu' else f'GPU beside {name}'}, {threads}, torch {result.torch.partition('+')[0]}"
    )


def _paper(paper: Paper, results: Mapping[str, Result]) -> str:
    parts = [f'## {paper.letter}. {paper.author}, "{paper.title}"\n']
    parts += [_item(item, results) for item in paper.items]
    return "\n".join(parts)


def _item(item: Item, results: Mapping[str, Result]) -> str:
    parts = [f"### {item.title}\n", f"```\n{item.command}\n```\n"]
    if item.rows:
        parts.append(_table(("", "paper", "ours", "difference"), [_row(row, results) for row in item.rows]))
    if item.remark:
        parts.append(f"{item.remark}\n")
    worse = reasons.sentences(item.rows, results)
    if worse:
        parts += ["Where ours is worse:\n", "".join(f"- {sentence}\n" for sentence in worse)]
    return "\n".join(parts)


def _row(row: Row, results: Mapping[str, Result]) -> tuple[str, ...]:
    published = "" if row.published is None else f"{row.published:g}"
    result = results.get(row.experiment)
    if result is None:
        return row.label, published, "not run", ""
    ours = result.measures.get(row.measure)
    if ours is None:
        return row.label, published, "not measured", ""
    partial = "" if result.is_complete else f" ({result.epochs} of {result.epochs_of_recipe} epochs)"
    difference = "" if row.published is None else f"{ours - row.published:+.4g}"
    return row.label, published, f"{_number(ours)}{partial}", difference


def _number(value: float) -> str:
    return f"{value:.4g}"


def duration(minutes: float) -> str:
    """Return a time for people, in minutes or hours."""
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.0f} h"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
