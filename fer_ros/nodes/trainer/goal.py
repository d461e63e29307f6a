# SPDX-License-Identifier: Apache-2.0
"""Translate the goal of a `TrainModel` action into a command line of fer-train."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fer_ros.text import printable
from fer_ros.training import run_folder

if TYPE_CHECKING:
    from fer_ros.action import TrainModel
    from fer_ros.nodes.trainer.parameters import TrainerSettings


_NAME = re.compile(r"\w[\w.+=@ -]{0,99}")
"""Of a run and its folder; not with a dash, which programs take for an option, or a dot, which hides it."""
_MAX_TEXT = 4000
"""Characters of a field."""


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
        GoalError: a text is unprintable or too long, the run exists already, the run to resume does not exist, no data
            set is named, or one is neither a file nor a folder.
    """
    _check_texts(goal)
    output = Path(settings.output).expanduser().absolute()
    name = goal.output_name or _default_name(goal)
    if not _NAME.fullmatch(name):
        raise GoalError(
            f"output_name is '{printable(name)}'; it must be a name without folders, of up to 100 letters, digits, "
            "spaces and the characters _.+=@-, beginning with a letter, a digit or _"
        )
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
    recipe = re.sub(r"[^\w.+=@ -]", "_", Path(goal.recipe).stem)[:50].lstrip(" .+=@-")
    return f"{recipe or 'training'}-{time.strftime('%Y%m%d-%H%M%S')}"


def _check_texts(goal: TrainModel.Goal) -> None:
    """Raise GoalError for a text that could forge lines of the log, or that no path is."""
    for field in ("dataset", "recipe", "network", "output_name"):
        text = getattr(goal, field)
        if not text.isprintable() or len(text) > _MAX_TEXT:
            raise GoalError(
                f"{field} is '{printable(text)}'; expected a text of up to {_MAX_TEXT} characters without line breaks "
                "and control characters"
            )


def _paths(dataset: str, folder: Path) -> str:
    """Return comma-separated data sets with `folder` in front of the relative ones."""
    paths = [folder / part.strip() for part in dataset.split(",")]
    for path in paths:
        # Reading a FIFO or a device may never end.
        if path.exists() and not path.is_file() and not path.is_dir():
            raise GoalError(f"dataset {printable(path)} is neither a file nor a folder")
    return ",".join(map(str, paths))


def _check_resumable(goal: TrainModel.Goal, folder: Path) -> None:
    if not goal.output_name:
        raise GoalError("output_name is required to resume a run")
    if not (folder / run_folder.RUN).is_file():
        runs = sorted(path.parent.name for path in folder.parent.glob(f"*/{run_folder.RUN}"))
        raise GoalError(
            f"there is no run '{folder.name}' to resume in {folder.parent}; available: "
            f"{printable(', '.join(runs), 1000) or 'none'}"
        )
