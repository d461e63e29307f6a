# SPDX-License-Identifier: Apache-2.0
"""Read what a training run says about the model in its folder."""

from __future__ import annotations

import csv
from pathlib import Path

from fer_ros.evaluation.comparison import TrainingRun
from fer_ros.training import run_folder
from fer_ros.training.run_folder import RunFolderError


def read_summary(model: Path) -> TrainingRun | None:
    """Return the run in whose folder a model file lies; None if that is no folder of a run, or has no epoch.

    Raises:
        RunFolderError: a file of the run is damaged.
    """
    folder = model.absolute().parent
    if not (folder / run_folder.RUN).is_file():
        return None
    recipe = run_folder.read_json(folder / run_folder.RUN).get("recipe")
    table = run_folder.latest_stage(folder) / run_folder.METRICS
    if not table.is_file():
        return None
    epochs = _rows(table)
    return TrainingRun(recipe if isinstance(recipe, str) else folder.name, folder, epochs) if epochs else None


def _rows(table: Path) -> tuple[dict[str, float], ...]:
    try:
        with table.open(newline="") as file:
            rows = list(csv.DictReader(file))
        return tuple({key: float(value) for key, value in row.items() if key != "best"} for row in rows)
    except (TypeError, ValueError, csv.Error) as error:
        raise RunFolderError(f"{table} is damaged: {error}") from error
