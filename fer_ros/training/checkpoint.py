"""Everything a stopped run needs to go on as if it had not stopped."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fer_ros.datasets.registry import FaceImages
from fer_ros.files import atomic_write
from fer_ros.training.recipe import Recipe, flat, from_dict
from fer_ros.training.run_folder import CHECKPOINT


class CheckpointError(ValueError):
    """A checkpoint that cannot be used; the message names the file and what does not fit."""


@dataclass
class Progress:
    """How far a run has come."""

    records: list[dict[str, Any]] = field(default_factory=list)
    """One for each epoch done, as in `metrics.csv`."""

    @property
    def epochs_done(self) -> int:
        return len(self.records)

    @property
    def best_accuracy(self) -> float:
        """On the validation images, 0..1; below 0 before the first epoch."""
        return max((record["validation_accuracy"] for record in self.records), default=-1.0)


def save(
    folder: Path,
    recipe: Recipe,
    training: FaceImages,
    network: nn.Module,
    average: nn.Module,
    optimizer: torch.optim.Optimizer,
    progress: Progress,
) -> None:
    """Replaces the checkpoint in `folder`; the old one stays until the new one is whole.

    Raises:
        OSError: it cannot be written; the old one is intact.
    """
    content = {
        "recipe": recipe.to_dict(),
        "labels": list(training.labels),
        "data": training.fingerprint(),
        "network": network.state_dict(),
        "average": average.state_dict(),
        "optimizer": optimizer.state_dict(),
        "records": progress.records,
    }
    # Not straight to the file: on a full disk torch raises what is no OSError.
    buffer = io.BytesIO()
    torch.save(content, buffer)
    with atomic_write(folder / CHECKPOINT) as temporary:
        temporary.write_bytes(buffer.getbuffer())


def read(path: Path) -> dict[str, Any]:
    """The content of a checkpoint file.

    Raises:
        FileNotFoundError: there is none.
        CheckpointError: it is not one of this package.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no checkpoint {path}")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        missing = {"recipe", "labels", "data", "network", "average", "optimizer", "records"} - content.keys()
    except Exception as error:  # torch raises whatever its unpickler met
        raise CheckpointError(f"{path} is not a readable checkpoint: {str(error).splitlines()[0]}") from error
    if missing:
        raise CheckpointError(f"{path} is not a checkpoint of fer-train: it has no {', '.join(sorted(missing))}")
    return content


def resume(
    folder: Path,
    recipe: Recipe,
    training: FaceImages,
    network: nn.Module,
    average: nn.Module,
    optimizer: torch.optim.Optimizer,
) -> Progress:
    """Fills network, average and optimizer from the checkpoint in `folder`; does nothing when there is none.

    Raises:
        CheckpointError: the checkpoint is of another network, another recipe or other data.
    """
    path = folder / CHECKPOINT
    if not path.exists():
        return Progress()
    content = read(path)
    _check_same(path, content["recipe"], recipe)
    if content["data"] != training.fingerprint() or tuple(content["labels"]) != training.labels:
        raise CheckpointError(f"{path} was trained on other images or labels than the data given now")
    network.load_state_dict(content["network"])
    average.load_state_dict(content["average"])
    optimizer.load_state_dict(content["optimizer"])
    return Progress(content["records"])


def _check_same(path: Path, then: dict[str, Any], recipe: Recipe) -> None:
    if then["network"] != recipe.network:
        raise CheckpointError(f"{path} is of the network '{then['network']}', not '{recipe.network}'")
    # What a recipe could not yet say when the run began, it now says by default.
    before, now = flat(from_dict(then).to_dict()), flat(recipe.to_dict())
    for key in before | now:
        if before.get(key) != now.get(key):
            raise CheckpointError(
                f"{path} was trained with {key} {before.get(key)}, not {now.get(key)}: "
                "a run goes on with the recipe it began with"
            )
