"""Trained weights into model files that a node can serve, and out of them again."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fer_ros import networks
from fer_ros.emotion import model_file
from fer_ros.emotion.model_file import ModelFileError, ModelMetadata
from fer_ros.files import atomic_write
from fer_ros.training import checkpoint, run_folder
from fer_ros.training.recipe import Recipe, from_dict


def write_model(
    path: Path, recipe: Recipe, labels: tuple[str, ...], network: nn.Module, record: dict[str, Any]
) -> ModelMetadata:
    """Writes `network` with everything one must know to use it.

    `record` tells of the epoch the weights come from: its temperature and accuracy, as `fit` measured them.

    Raises:
        ModelFileError: the file would not do what the network does.
        OSError: it cannot be written; nothing is left at `path`.
    """
    metadata = ModelMetadata(
        network=recipe.network,
        network_options=recipe.network_options,
        labels=labels,
        preprocessing=recipe.preprocessing,
        temperature=record["temperature"],
        recipe=recipe.to_dict(),
        scores={"validation": {"accuracy": record["validation_accuracy"], "epoch": record["epoch"]}},
    )
    model_file.write(path, copy.deepcopy(network), metadata)
    return metadata


def load_weights(path: Path, recipe: Recipe, labels: tuple[str, ...], network: nn.Module) -> None:
    """Gives `network` the weights of a TorchScript model file.

    Raises:
        ModelFileError: a model of another network than the recipe's, or of other labels.
    """
    metadata = model_file.read_metadata(path)
    if metadata.network != recipe.network:
        raise ModelFileError(f"{path} is a model of '{metadata.network}', not of '{recipe.network}' as in the recipe")
    theirs, ours = (networks.options_of(each.network, each.network_options) for each in (metadata, recipe))
    if theirs != ours:
        raise ModelFileError(f"{path} was trained with {theirs}, not with {ours} as in the recipe")
    if metadata.labels != labels:
        raise ModelFileError(f"{path} answers {', '.join(metadata.labels)}; the data has {', '.join(labels)}")
    network.load_state_dict(_weights(path))


def export(source: Path, path: Path) -> ModelMetadata:
    """Writes the model file `path`, TorchScript or ONNX by its suffix.

    Args:
        source: a run folder (its best epoch), a checkpoint (its latest epoch), or a TorchScript model file.
        path: where to.

    Raises:
        FileNotFoundError: `source` does not exist, or holds nothing to export.
        CheckpointError, ModelFileError: what is there cannot be used.
        ImportError: ONNX needs a package that is not installed.
    """
    if source.is_dir():
        source = source / run_folder.BEST
        if not source.is_file():
            raise FileNotFoundError(f"there is no {source}: this is no training run, or no epoch of it has ended")
    if source.suffix != model_file.SUFFIX:
        return _from_checkpoint(source, path)
    metadata = model_file.read_metadata(source)
    if path.suffix == source.suffix:
        with atomic_write(path) as temporary:
            shutil.copyfile(source, temporary)
    else:
        network = networks.create(metadata.network, classes=len(metadata.labels), **metadata.network_options)
        network.load_state_dict(_weights(source))
        model_file.write(path, network, metadata)
    return metadata


def _from_checkpoint(source: Path, path: Path) -> ModelMetadata:
    content = checkpoint.read(source)
    if not content["records"]:
        raise FileNotFoundError(f"{source}: no epoch of this run has ended, so there is nothing to export")
    recipe = from_dict(content["recipe"])
    network = networks.create(recipe.network, classes=len(content["labels"]), **recipe.network_options)
    network.load_state_dict(content["average"])
    return write_model(path, recipe, tuple(content["labels"]), network, content["records"][-1])


def _weights(path: Path) -> dict[str, torch.Tensor]:
    try:
        return torch.jit.load(str(path), map_location="cpu").state_dict()
    except RuntimeError as error:
        raise ModelFileError(f"torch {torch.__version__} cannot load {path}: {error}") from error
