# SPDX-License-Identifier: Apache-2.0
"""The result of one experiment, read from the folder of its run."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fer_ros.files import atomic_write
from fer_ros.reproduction.experiments import EXPERIMENTS
from fer_ros.training import run_folder
from fer_ros.training.run_folder import RunFolderError

EVALUATION = "reproduction.json"
"""What fer-evaluate wrote of the best model, in the folder of the run."""
_WHOLE = (
    *("accuracy", "macro_precision", "macro_recall", "macro_f1"),
    *("weighted_precision", "weighted_recall", "weighted_f1", "ece"),
)
_OF_A_CLASS = ("precision", "recall", "f1", "misclassification")


@dataclass(frozen=True)
class Result:
    """What a run has reached so far."""

    experiment: str
    parameters: int
    """Including the running statistics of batch norm."""
    images: int
    """That the measures are of: the validation images."""
    held_out: bool
    """Whether these are held-out training images, instead of the split public."""
    seed: int
    epochs: int
    """Done."""
    epochs_of_recipe: int
    accuracies: list[float]
    """On the validation images after each epoch, percent."""
    training_images: dict[str, int]
    """Number by class; empty where the run did not keep it."""
    best_epoch: int
    minutes: float
    """Time of all epochs, without validation."""
    cpu: str
    threads: int
    device: str
    torch: str
    measures: dict[str, float]
    """Of the best epoch, by the keys that `papers.Row.measure` has: shares in percent, and losses."""

    @property
    def is_complete(self) -> bool:
        return self.epochs == self.epochs_of_recipe


def read_run(folder: Path, experiment: str) -> Result:
    """Return the result of the run in `folder`, which has trained for an epoch at least and was evaluated.

    Where training has gone on since the evaluation, this is the result of the epochs before the next better one.

    Raises:
        RunFolderError: a file of the run is damaged.
        FileNotFoundError: a file of the run is missing.
    """
    run = run_folder.read_json(folder / run_folder.RUN)
    evaluation = run_folder.read_json(folder / EVALUATION)
    try:
        epochs = _evaluated(folder, evaluation)
        best = max(epochs, key=lambda epoch: epoch["validation_accuracy"])
        return Result(
            experiment=experiment,
            parameters=evaluation["profile"]["parameters"],
            images=evaluation["images"],
            held_out=bool(run.get("hold_out")),
            seed=run["seed"],
            epochs=len(epochs),
            epochs_of_recipe=int(best["epochs"]),
            accuracies=[round(100 * epoch["validation_accuracy"], 2) for epoch in epochs],
            training_images=run.get("training_images_by_class", {}),
            best_epoch=int(best["epoch"]),
            minutes=round(sum(epoch["seconds"] for epoch in epochs) / 60, 1),
            cpu=run["cpu"],
            threads=run["threads"],
            device=run["device"],
            torch=run["versions"]["torch"],
            measures=_measures(evaluation, best),
        )
    except (KeyError, ValueError, TypeError, IndexError) as error:
        raise RunFolderError(f"{folder} is no complete run: {type(error).__name__} {error}") from error


def _evaluated(folder: Path, evaluation: Mapping[str, Any]) -> Sequence[Mapping[str, float]]:
    """Return the epochs of which the best was evaluated: its accuracy tells which it was."""
    epochs = run_folder.read_metrics(folder)
    accuracies = [epoch["validation_accuracy"] for epoch in epochs]
    best = min(accuracies, key=lambda accuracy: abs(accuracy - evaluation["accuracy"]))
    return epochs[: next(index for index, accuracy in enumerate([*accuracies, math.inf]) if accuracy > best)]


def _measures(evaluation: Mapping[str, Any], best: Mapping[str, float]) -> dict[str, float]:
    shares = {name: evaluation[name] for name in _WHOLE} | {"training_accuracy": best["training_accuracy"]}
    for label, of_class in evaluation["per_class"].items():
        shares |= {f"{label}.{name}": of_class[name] for name in _OF_A_CLASS if of_class[name] is not None}
    for kind in ("rotation_black", "brightness"):
        for point in evaluation.get("robustness", {}).get(kind, []):
            name = f"{kind}.{point['value']:g}"
            shares |= {name: point["drawn"], f"{name}.low": point["drawn_low"], f"{name}.high": point["drawn_high"]}
    measures = {name: round(100 * share, 2) for name, share in shares.items()}
    return measures | {"validation_loss": round(best["validation_loss"], 4)}


def read_runs(folder: Path) -> tuple[dict[str, Result], list[str]]:
    """Return the results of the evaluated runs in `folder`, by experiment, and a line for each damaged run."""
    results, faults = {}, []
    for name in EXPERIMENTS:
        if (folder / name / EVALUATION).is_file():
            try:
                results[name] = read_run(folder / name, name)
            except (RunFolderError, OSError) as error:
                faults.append(str(error))
    return results, faults


def save(path: Path, result: Result) -> None:
    """Write a result as JSON."""
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(asdict(result), indent=1) + "\n")


def load_all(folder: Path) -> dict[str, Result]:
    """Return the results in the JSON files of `folder`, by experiment.

    Raises:
        RunFolderError: a file is damaged.
    """
    names = {field.name for field in dataclasses.fields(Result)}
    results = {}
    for path in sorted(folder.glob("*.json")):
        content = run_folder.read_json(path)
        if set(content) != names:
            raise RunFolderError(f"{path} is no result that `make results` wrote")
        results[content["experiment"]] = Result(**content)
    return results
