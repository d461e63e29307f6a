# SPDX-License-Identifier: Apache-2.0
"""Run the stages of a recipe in order, and continue after the last complete one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from fer_ros.emotion import model_file
from fer_ros.training import checkpoint, run_folder
from fer_ros.training import recipe as recipes
from fer_ros.training.data import TrainingData
from fer_ros.training.distributed import SINGLE_PROCESS, ProcessGroup
from fer_ros.training.progress import ProgressReporter
from fer_ros.training.recipe import RecipeError, Stage, StagedRecipe
from fer_ros.training.targets import check_teacher
from fer_ros.training.train import train


def check(recipe: StagedRecipe, labels: tuple[str, ...]) -> None:
    """Check the models that the stages need, so that a run does not fail hours after its start.

    Raises:
        RecipeError: a teacher has other labels or another input size than its stage.
        FileNotFoundError: a teacher or a model with initial weights does not exist.
        ModelFileError: such a file is no model file.
    """
    sizes = {stage.name: stage.recipe.preprocessing.input_size for stage in recipe.stages}
    for stage in recipe.stages:
        for teacher in stage.recipe.teachers:
            if teacher not in sizes:
                metadata = model_file.read_metadata(model_file.find(teacher))
                check_teacher(metadata, teacher, stage.recipe, labels)
            elif sizes[teacher] != stage.recipe.preprocessing.input_size:
                raise RecipeError(
                    f"stage '{stage.name}': its teacher, stage '{teacher}', has another 'preprocessing.input_size'"
                )
        if stage.init_from and stage.init_from not in sizes:
            model_file.find(stage.init_from)


def run(
    recipe: StagedRecipe,
    folder: Path,
    read_data: Callable[[int], TrainingData],
    facts: dict[str, Any],
    reporter: ProgressReporter,
    *,
    init_from: Path | None = None,
    group: ProcessGroup = SINGLE_PROCESS,
) -> None:
    """Train every stage that is not complete, each in its sub-folder, and evaluate its best model.

    A recipe without stages runs in `folder` itself. After the last stage `folder` holds that stage's best model.

    Args:
        recipe: its stages.
        folder: of the run, with `recipe.yaml` and `run.json`.
        read_data: returns the images for a given input size.
        facts: for the stages' `run.json` and the progress reporter.
        reporter: receives progress.
        init_from: model file with the initial weights of the first stage.
        group: the processes that train together.

    Raises:
        TrainingError, RecipeError, CheckpointError, ModelFileError, FileNotFoundError: see `train`.
    """
    for index, stage in enumerate(recipe.stages):
        is_last = index + 1 == len(recipe.stages)
        if not is_last and _is_complete(folder / stage.name, stage):
            continue
        data = read_data(stage.recipe.preprocessing.input_size)
        initial = init_from if index == 0 and init_from else _model(stage.init_from, recipe, folder)
        about = _facts(recipe, index, {**facts, **data.facts})
        if group.is_main and recipe.has_stages:
            _begin(folder / stage.name, stage, about)
        reporter.start({"folder": str(folder), **about})
        train(
            stage.recipe,
            data.training,
            data.validation,
            folder / stage.name,
            reporter,
            init_from=initial,
            teachers=[_model(teacher, recipe, folder) or teacher for teacher in stage.recipe.teachers],
            provenance=_provenance(data, initial),
            group=group,
        )
        if group.is_main:
            results = run_folder.write_evaluation(folder / stage.name, data.validation)
            if is_last and recipe.has_stages:
                run_folder.copy_results(folder / stage.name, folder)
                results["model"] = str(folder / run_folder.BEST)
            reporter.end(results)
        # The next stage reads files that the main process has just written.
        group.broadcast(None)


def _provenance(data: TrainingData, initial: Path | None) -> dict[str, Any]:
    """Return `ModelMetadata.data` of a stage that starts from the model file `initial`."""
    before = model_file.read_metadata(initial).data if initial else {}
    if before and before.get("training") == data.provenance["training"]:
        before = before.get("init_from", {})
    return {**data.provenance, "init_from": before} if before else data.provenance


def _is_complete(folder: Path, stage: Stage) -> bool:
    return (folder / run_folder.EVALUATION).is_file() and checkpoint.is_complete(folder, stage.recipe)


def _model(name: str, recipe: StagedRecipe, folder: Path) -> Path | None:
    """Return the model file of an earlier stage, of a shipped model or of a path; None for an empty name."""
    if not name:
        return None
    if name in [stage.name for stage in recipe.stages]:
        return folder / name / run_folder.BEST
    return model_file.find(name)


def _facts(recipe: StagedRecipe, index: int, facts: dict[str, Any]) -> dict[str, Any]:
    """Return what distinguishes a stage, before the facts of the whole run."""
    stage = recipe.stages[index]
    about: dict[str, Any] = {"network": stage.recipe.network, "epochs": stage.recipe.epochs}
    if stage.recipe.teachers:
        about["teachers"] = stage.recipe.teachers
    if recipe.has_stages:
        epochs = [each.recipe.epochs for each in recipe.stages]
        about = {
            "stage": stage.name,
            "stage_number": index + 1,
            "number_of_stages": len(epochs),
            **about,
            "epochs_before": sum(epochs[:index]),
            "epochs_of_all_stages": sum(epochs),
        }
        if index or "init_from" not in facts:
            about["init_from"] = stage.init_from or "none"
    return {**facts, **about}


def _begin(folder: Path, stage: Stage, facts: dict[str, Any]) -> None:
    """Create the folder of a stage with its recipe and `run.json`; leave an existing one unchanged."""
    if (folder / run_folder.RUN).exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    recipes.save(folder / run_folder.RECIPE, stage.recipe)
    run_folder.write_json(folder / run_folder.RUN, {**facts, "seed": stage.recipe.seed, **run_folder.environment()})
