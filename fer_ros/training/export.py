# SPDX-License-Identifier: Apache-2.0
"""Convert between trained weights and model files."""

from __future__ import annotations

import copy
import io
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fer_ros import networks
from fer_ros.emotion import model_file
from fer_ros.emotion.model_file import ModelFileError, ModelMetadata
from fer_ros.files import atomic_write
from fer_ros.training import checkpoint, run_folder
from fer_ros.training.averaging import with_initial_weights
from fer_ros.training.epoch_record import EpochRecord
from fer_ros.training.recipe import Recipe, from_dict


def write_model(
    path: Path,
    recipe: Recipe,
    labels: tuple[str, ...],
    network: nn.Module,
    record: EpochRecord,
    provenance: Mapping[str, Any] | None = None,
) -> ModelMetadata:
    """Write a model file with the metadata that inference needs.

    Args:
        path: of the model file; the suffix selects TorchScript or ONNX.
        recipe: that the network was trained with.
        labels: in the order of the logits.
        network: trained.
        record: of the epoch that the weights are from; gives temperature and accuracy.
        provenance: identifies the images of the run; see `ModelMetadata.data`.

    Raises:
        ModelFileError: the outputs of the written file would differ from the network's.
        OSError: the file cannot be written; `path` is unchanged.
    """
    metadata = ModelMetadata(
        network=recipe.network,
        network_options=recipe.network_options,
        labels=labels,
        preprocessing=recipe.preprocessing,
        temperature=record.temperature,
        recipe={**recipe.to_dict(), "teachers": [_name_of(teacher) for teacher in recipe.teachers]},
        scores={"validation": {"accuracy": record.validation_accuracy, "epoch": record.epoch}},
        data=dict(provenance or {}),
    )
    model_file.write(path, copy.deepcopy(network), metadata)
    return metadata


def _name_of(teacher: str) -> str:
    """Return the name of a stage or shipped model, and of a file no folders: model files are given to others."""
    path = Path(teacher)
    if not path.is_absolute():
        return teacher
    return path.parent.name if path.name == run_folder.BEST else path.stem


def load_weights(path: Path, recipe: Recipe, labels: tuple[str, ...], network: nn.Module) -> None:
    """Load the weights of a TorchScript model file into `network`.

    Raises:
        ModelFileError: the model is of another network than the recipe's, or has other labels.
    """
    metadata = model_file.read_metadata(path)
    if metadata.network != recipe.network:
        raise ModelFileError(f"{path} is a model of '{metadata.network}', not of '{recipe.network}' as in the recipe")
    theirs, ours = (networks.options_of(each.network, each.network_options) for each in (metadata, recipe))
    if theirs != ours:
        raise ModelFileError(f"{path} was trained with {theirs}, not with {ours} as in the recipe")
    if metadata.labels != labels:
        raise ModelFileError(f"{path} predicts {', '.join(metadata.labels)}; the data has {', '.join(labels)}")
    network.load_state_dict(_weights(path))


def export(source: Path, path: Path) -> ModelMetadata:
    """Write the model file `path`, TorchScript or ONNX by its suffix.

    Args:
        source: a run folder (its best epoch), a checkpoint (its latest epoch), a TorchScript model file, or the name of
            a shipped model.
        path: of the new file.

    Raises:
        FileNotFoundError: `source` does not exist or has no model yet.
        CheckpointError, ModelFileError: `source` cannot be used.
        ImportError: ONNX needs a package that is not installed.
    """
    if source.is_dir():
        source = _best_model(source)
    elif not source.is_file() or source.suffix == model_file.SUFFIX:
        source = model_file.find(source, (model_file.SUFFIX,))
    if source.suffix != model_file.SUFFIX:
        return _from_checkpoint(source, path)
    metadata = model_file.read_metadata(source)
    if path.suffix == source.suffix:
        with atomic_write(path) as temporary:
            temporary.write_bytes(model_file.read_content(source))
    else:
        network = networks.create(metadata.network, len(metadata.labels), **metadata.network_options)
        network.load_state_dict(_weights(source))
        model_file.write(path, network, metadata)
    return metadata


def _best_model(folder: Path) -> Path:
    best = folder / run_folder.BEST
    if best.is_file():
        return best
    stage = run_folder.latest_stage(folder)
    if stage != folder:
        raise FileNotFoundError(
            f"there is no {best}: the last stage of this run has not ended. Continue with fer-train --resume "
            f"{shlex.quote(str(folder))}, "
            f"or export a stage, such as {stage}"
        )
    raise FileNotFoundError(f"there is no {best}: this is not a training run, or its first epoch has not ended")


def _from_checkpoint(source: Path, path: Path) -> ModelMetadata:
    content = checkpoint.read(source)
    if not content["records"]:
        raise FileNotFoundError(f"{source}: no epoch of this run has ended, so there is nothing to export")
    recipe, labels = from_dict(content["recipe"]), tuple(content["labels"])
    network = networks.create(recipe.network, len(labels), **recipe.network_options)
    network.load_state_dict(content["average"])
    network = with_initial_weights(network, content.get("initial", {}), recipe.init_weight)
    record = EpochRecord(**content["records"][-1])
    return write_model(path, recipe, labels, network, record, content.get("provenance"))


def _weights(path: Path) -> dict[str, torch.Tensor]:
    try:
        weights: dict[str, torch.Tensor] = torch.jit.load(
            io.BytesIO(model_file.read(path).network), map_location="cpu"
        ).state_dict()
    except Exception as error:  # torch passes on whatever its parts raise
        raise ModelFileError(f"torch {torch.__version__} cannot load {path}: {error}") from error
    return weights
