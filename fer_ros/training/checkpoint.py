# SPDX-License-Identifier: Apache-2.0
"""The state of a training run, in memory and in its checkpoint file."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fer_ros.datasets.face_images import FaceImages
from fer_ros.files import atomic_write
from fer_ros.training.epoch_record import EpochRecord
from fer_ros.training.recipe import Recipe, flatten, from_dict
from fer_ros.training.run_folder import CHECKPOINT


class CheckpointError(ValueError):
    """A checkpoint that cannot be used; the message names the file and the difference."""


@dataclass
class TrainingState:
    """Everything that changes during a run. A run restored from it continues as if it had never stopped."""

    network: nn.Module
    """The weights that the optimizer updates."""
    average: nn.Module
    """Exponential moving average of `network`, in evaluation mode."""
    optimizer: torch.optim.Optimizer
    initial: dict[str, torch.Tensor] = field(default_factory=dict)
    """Weights at the start; empty unless the recipe has an `init_weight`."""
    records: list[EpochRecord] = field(default_factory=list)
    """One for each completed epoch."""

    @property
    def epochs_done(self) -> int:
        return len(self.records)

    @property
    def validation_losses(self) -> list[float]:
        return [record.validation_loss for record in self.records]

    def is_improved_by(self, accuracy: float, loss: float, best_by: str) -> bool:
        """Return whether an epoch with these validation measures is better than all before; see `Recipe.best_by`."""
        if best_by == "loss":
            return loss < min(self.validation_losses, default=math.inf)
        return accuracy > max((record.validation_accuracy for record in self.records), default=-1.0)


def save(
    folder: Path, recipe: Recipe, training: FaceImages, state: TrainingState, provenance: Mapping[str, Any] | None
) -> None:
    """Replace the checkpoint in `folder`; `provenance` is for the model files exported from it.

    Raises:
        OSError: the file cannot be written; the previous checkpoint is intact.
    """
    content = {
        "recipe": recipe.to_dict(),
        "labels": list(training.labels),
        "data": training.fingerprint(),
        "provenance": dict(provenance or {}),
        "network": state.network.state_dict(),
        "average": state.average.state_dict(),
        "optimizer": state.optimizer.state_dict(),
        "initial": state.initial,
        "records": [asdict(record) for record in state.records],
    }
    # Through a buffer: on a full disk torch.save raises a RuntimeError instead of an OSError.
    buffer = io.BytesIO()
    torch.save(content, buffer)
    with atomic_write(folder / CHECKPOINT) as temporary:
        temporary.write_bytes(buffer.getbuffer())


def read(path: Path) -> dict[str, Any]:
    """Return the content of a checkpoint file.

    Raises:
        FileNotFoundError: there is no such file.
        CheckpointError: it is not a checkpoint of this package.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no checkpoint {path}")
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        missing = {"recipe", "labels", "data", "network", "average", "optimizer", "records"} - content.keys()
    except Exception as error:  # torch passes on whatever its unpickler raised
        raise CheckpointError(f"{path} is not a readable checkpoint: {str(error).splitlines()[0]}") from error
    if missing:
        raise CheckpointError(f"{path} is not a checkpoint of fer-train: it has no {', '.join(sorted(missing))}")
    return content


def restore(folder: Path, recipe: Recipe, training: FaceImages, state: TrainingState) -> None:
    """Load the checkpoint in `folder` into `state`; without a checkpoint leave `state` unchanged.

    Raises:
        CheckpointError: the checkpoint is unreadable, or of another network, recipe or data set.
    """
    path = folder / CHECKPOINT
    if not path.exists():
        return
    content = read(path)
    _check_recipe(path, content["recipe"], recipe)
    if content["data"] != training.fingerprint() or tuple(content["labels"]) != training.labels:
        raise CheckpointError(f"{path} was trained on other images or labels than those of the given data")
    state.network.load_state_dict(content["network"])
    state.average.load_state_dict(content["average"])
    state.optimizer.load_state_dict(content["optimizer"])
    state.initial = content.get("initial", {})
    state.records = [EpochRecord(**record) for record in content["records"]]


def is_complete(folder: Path, recipe: Recipe) -> bool:
    """Return whether the checkpoint in `folder` is that of the last epoch of `recipe`.

    Raises:
        CheckpointError: the checkpoint is unreadable, or of another network or recipe.
    """
    path = folder / CHECKPOINT
    if not path.exists():
        return False
    content = read(path)
    _check_recipe(path, content["recipe"], recipe)
    return len(content["records"]) >= recipe.epochs


def _check_recipe(path: Path, stored: dict[str, Any], recipe: Recipe) -> None:
    if stored["network"] != recipe.network:
        raise CheckpointError(f"{path} is of the network '{stored['network']}', not '{recipe.network}'")
    # A key that is newer than the checkpoint has its default value there.
    before, now = flatten(from_dict(stored).to_dict()), flatten(recipe.to_dict())
    for key in before | now:
        if before.get(key) != now.get(key):
            raise CheckpointError(
                f"{path} was trained with {key} {before.get(key)}, not {now.get(key)}: "
                "a run can only be resumed with the recipe it was started with"
            )
