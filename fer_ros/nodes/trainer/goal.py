# SPDX-License-Identifier: Apache-2.0
"""Translate the goal of a `TrainModel` action into a command line of fer-train."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fer_ros.training import run_folder

if TYPE_CHECKING:
    from fer_ros.action import TrainModel
    from fer_ros.nodes.trainer.parameters import TrainerSettings


class GoalError(ValueError):
    """A goal that cannot be executed; the message names the field and the remedy."""


@dataclass(frozen=True)
class TrainingRun:
    """One run of fer-train."""

    folder: Path
    """Absolute path."""
    arguments: tuple[str, ...]
    """Of fer-train."""

    @property
    def run_id(self) -> str:
        """Name of the run and its folder."""
        return self.folder.name


def to_run(goal: TrainModel.Goal, settings: TrainerSettings) -> TrainingRun:
    """Return the run that `goal` asks for. Data set, recipe and network are checked by fer-train itself.

    Raises:
        GoalError: the run exists already, the run to resume does not exist, or no data set is named.
    """
    output = Path(settings.output).expanduser().absolute()
    name = goal.output_name or _default_name(goal)
    if Path(name).name != name or name == "..":
        raise GoalError(f"output_name is '{name}'; it must be a name without folders")
    folder = output / name
    options = {
        "threads": settings.threads,
        "data": _paths(goal.dataset, Path(settings.datasets).expanduser()) if goal.dataset else "",
        "recipe": goal.recipe,
        "network": goal.network,
    }
    given = tuple(f"--{option}={value}" for option, value in options.items() if value)
    if goal.resume:
        _check_resumable(goal, folder)
        return TrainingRun(folder, (*given, f"--resume={folder}"))
    if not goal.dataset:
        raise GoalError("the goal names no dataset")
    if (folder / run_folder.RUN).exists():
        raise GoalError(f"there is a run '{folder.name}' in {output}: resume it, or choose another output_name")
    # A recipe with stages has a seed for each; the goal's default of 0 keeps them.
    seed = (f"--seed={goal.seed}",) if goal.seed else ()
    return TrainingRun(folder, (*given, *seed, f"--output={folder}"))


def _default_name(goal: TrainModel.Goal) -> str:
    return time.strftime(f"{Path(goal.recipe).stem or 'training'}-%Y%m%d-%H%M%S")


def _paths(dataset: str, folder: Path) -> str:
    """Return comma-separated data sets with `folder` in front of the relative ones."""
    return ",".join(str(folder / part.strip()) for part in dataset.split(","))


def _check_resumable(goal: TrainModel.Goal, folder: Path) -> None:
    if not goal.output_name:
        raise GoalError("output_name is required to resume a run")
    if not (folder / run_folder.RUN).is_file():
        runs = sorted(path.parent.name for path in folder.parent.glob(f"*/{run_folder.RUN}"))
        raise GoalError(
            f"there is no run '{folder.name}' to resume in {folder.parent}; available: {', '.join(runs) or 'none'}"
        )
