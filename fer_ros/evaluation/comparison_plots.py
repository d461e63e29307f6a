# SPDX-License-Identifier: Apache-2.0
"""Plots that compare models: accuracy against parameters, accuracy by model, and their training curves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, MaxNLocator, NullLocator

from fer_ros.evaluation import plots
from fer_ros.evaluation.comparison import EvaluatedModel

_MARKERS = "osD^vP*X"


def accuracy(path: Path, models: Sequence[EvaluatedModel], title: str) -> None:
    """Plot the accuracy of each model against its parameters, and side by side."""
    figure = Figure(figsize=(12, 4.2), layout="constrained")
    against, beside = figure.subplots(1, 2)
    accuracies = [100 * model.result.accuracy for model in models]
    for number, (model, value) in enumerate(zip(models, accuracies, strict=True)):
        style = {"marker": _MARKERS[number % len(_MARKERS)], "color": f"C{number}", "linestyle": "", "ms": 8}
        against.plot(model.profile.parameters, value, label=model.name, **style)
        beside.plot(number, value, **style)
    beside.plot(range(len(models)), accuracies, color="#8a8a8a", zorder=0)
    against.set_xscale("log")
    against.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    against.xaxis.set_major_formatter(EngFormatter(sep=""))
    against.xaxis.set_minor_locator(NullLocator())
    against.set_xlabel("parameters")
    beside.set_xticks(range(len(models)), [model.name for model in models], rotation=30, ha="right")
    for axes in (against, beside):
        axes.set_ylabel("accuracy, %")
        axes.margins(0.12)
        _clear(axes)
    figure.legend(loc="outside right upper", frameon=False)
    figure.suptitle(title)
    plots.save(path, figure)


def curves(path: Path, models: Sequence[EvaluatedModel]) -> bool:
    """Plot loss and accuracy over the epochs of all models that have a training run; return whether there is one."""
    runs = [(model.name, model.training) for model in models if model.training]
    if not runs:
        return False
    figure = Figure(figsize=(12, 4.2), layout="constrained")
    for axes, key, title, factor in zip(
        figure.subplots(1, 2), ("loss", "accuracy"), ("loss", "accuracy, %"), (1, 100), strict=True
    ):
        for number, (name, run) in enumerate(runs):
            epochs = [row["epoch"] for row in run.epochs]
            for part, line in (("training", "--"), ("validation", "-")):
                values = [factor * row[f"{part}_{key}"] for row in run.epochs]
                axes.plot(
                    epochs, values, line, color=f"C{number}", label=f"{name}, {part}", lw=1.5 if line == "-" else 1
                )
        axes.set_xlabel("epoch")
        axes.set_ylabel(title)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        _clear(axes)
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", frameon=False)
    plots.save(path, figure)
    return True


def _clear(axes: Any) -> None:
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
