"""From the goal of a `TrainModel` action to what fer-train is to do."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fer_ros.training import run_folder

if TYPE_CHECKING:
    from fer_ros.action import TrainModel
    from fer_ros.nodes.trainer.node import TrainerSettings


class GoalError(ValueError):
    """A goal that cannot be pursued; the message says why, and what to change."""


@dataclass(frozen=True)
class Run:
    """One run of fer-train."""

    folder: Path
    """Absolute; its name is the run's."""
    arguments: tuple[str, ...]
    """Of fer-train."""

    @property
    def run_id(self) -> str:
        """What the run is called."""
        return self.folder.name


def plan(goal: TrainModel.Goal, settings: TrainerSettings) -> Run:
    """What `goal` asks for. Only what fer-train would put in words of its command line is checked here.

    Raises:
        GoalError: it asks for a run that exists, or to resume one that does not, or names no data set.
    """
    output = Path(settings.output).expanduser().absolute()
    name = goal.output_name or _name(goal)
    if Path(name).name != name or name == "..":
        raise GoalError(f"output_name is '{name}'; it must be a name, without folders")
    folder = output / name
    values = {
        "threads": settings.threads,
        "data": _paths(goal.dataset, Path(settings.datasets).expanduser()) if goal.dataset else "",
        "recipe": goal.recipe,
        "network": goal.network,
    }
    given = tuple(f"--{option}={value}" for option, value in values.items() if value)
    if goal.resume:
        return Run(folder, (*given, f"--resume={_checked(goal, folder)}"))
    if not goal.dataset:
        raise GoalError("the goal names no dataset")
    if (folder / run_folder.RUN).exists():
        raise GoalError(f"there is a run '{folder.name}' in {output}: resume it, or choose another output_name")
    return Run(folder, (*given, f"--seed={goal.seed}", f"--output={folder}"))


def _name(goal: TrainModel.Goal) -> str:
    return time.strftime(f"{Path(goal.recipe).stem or 'mini_xception'}-%Y%m%d-%H%M%S")


def _paths(dataset: str, folder: Path) -> str:
    """One or more data sets, with commas between; those that are not absolute lie in `folder`."""
    return ",".join(str(folder / part.strip()) for part in dataset.split(","))


def _checked(goal: TrainModel.Goal, folder: Path) -> Path:
    """`folder`, which holds a run that can be resumed."""
    if not goal.output_name:
        raise GoalError("output_name is needed to resume a run: it says which")
    if not (folder / run_folder.RUN).is_file():
        runs = sorted(path.parent.name for path in folder.parent.glob(f"*/{run_folder.RUN}"))
        raise GoalError(
            f"there is no run '{folder.name}' to resume in {folder.parent}; there are: {', '.join(runs) or 'none'}"
        )
    return folder
