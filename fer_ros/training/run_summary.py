# SPDX-License-Identifier: Apache-2.0
"""Read what a training run says about the model in its folder."""

from __future__ import annotations

from pathlib import Path

from fer_ros.evaluation.comparison import TrainingRun
from fer_ros.training import run_folder


def read_summary(model: Path) -> TrainingRun | None:
    """Return the run in whose folder a model file lies; None if that is no folder of a run, or has no epoch.

    Raises:
        RunFolderError: a file of the run is damaged.
    """
    folder = model.absolute().parent
    if not (folder / run_folder.RUN).is_file():
        return None
    recipe = run_folder.read_json(folder / run_folder.RUN).get("recipe")
    epochs = run_folder.read_metrics(run_folder.latest_stage(folder))
    return TrainingRun(recipe if isinstance(recipe, str) else folder.name, folder, tuple(epochs)) if epochs else None
