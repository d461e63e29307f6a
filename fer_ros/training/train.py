# SPDX-License-Identifier: Apache-2.0
"""The training loop: one network, one recipe, from the first epoch to the last."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from fer_ros import networks
from fer_ros.datasets.face_images import FaceImages
from fer_ros.emotion.preprocessing import Preprocessing
from fer_ros.evaluation.calibration import fit_temperature, log_loss
from fer_ros.evaluation.resources import ResourceMeter, Resources
from fer_ros.training import checkpoint, export, run_folder
from fer_ros.training.averaging import update_average, with_initial_weights
from fer_ros.training.checkpoint import TrainingState
from fer_ros.training.distributed import SINGLE_PROCESS, ProcessGroup
from fer_ros.training.epoch_record import EpochRecord
from fer_ros.training.optimizer import create_optimizer, l1_penalty
from fer_ros.training.progress import ProgressReporter, SilentReporter
from fer_ros.training.recipe import Recipe, RecipeError
from fer_ros.training.schedules import crop_size, learning_rate
from fer_ros.training.targets import Targets

_EVALUATION_BATCH = 256


class TrainingError(RuntimeError):
    """Training cannot continue; the message names the cause and the remedy."""


def train(
    recipe: Recipe,
    training: FaceImages,
    validation: FaceImages,
    folder: Path,
    reporter: ProgressReporter | None = None,
    *,
    init_from: Path | None = None,
    teachers: Sequence[str | Path] | None = None,
    provenance: Mapping[str, Any] | None = None,
    group: ProcessGroup = SINGLE_PROCESS,
) -> TrainingState:
    """Train until the last epoch of the recipe, and return the final state.

    Training resumes from the checkpoint in `folder` if there is one. After every epoch `folder` (see `run_folder`)
    holds the model of the best epoch so far on `validation` (see `Recipe.best_by`), its confusion matrix, a checkpoint,
    the metrics and the curves. The same recipe, data and number of threads give the same weights, whether or not a run
    was interrupted.

    In a distributed run every process calls this with the same arguments. All processes see the same batches with the
    same augmentation as a single process would, and keep identical weights; only batch norm uses the statistics of a
    process's own shard. Only the main process writes and reports.

    Args:
        recipe: settings.
        training: images to train on.
        validation: images to choose the best epoch on.
        folder: existing folder for the results.
        reporter: receives progress; None for none.
        init_from: model file with the initial weights; None for random weights. Ignored when training resumes.
        teachers: model files or names of shipped models; None takes `recipe.teachers`, which then must not name stages.
        provenance: identifies the images in the model file; see `ModelMetadata.data`.
        group: the processes that train together.

    Raises:
        TrainingError: the loss or an output of the network is not a finite number any more.
        RecipeError: the batch is too small for the number of processes, a teacher does not fit, or `init_weight` has no
            initial weights.
        FileNotFoundError: a teacher does not exist.
        CheckpointError: the checkpoint is of another recipe or other data.
        ModelFileError: `init_from` or a teacher cannot be used.
        KeyboardInterrupt: passed on; `folder` stays as the last epoch left it.
    """
    if min(recipe.batch_size, len(training)) < 2 * group.size:
        raise RecipeError(
            f"'batch_size' is {recipe.batch_size} and there are {len(training)} images: too few for {group.size} "
            "processes, which need at least two images of each batch"
        )
    state = _initial_state(recipe, training, init_from, group)
    checkpoint.restore(folder, recipe, training, state)
    if recipe.init_weight and not state.initial:
        raise RecipeError("'init_weight' needs initial weights: 'init_from' of the stage, or --init-from")
    if state.epochs_done >= recipe.epochs:
        return state
    targets = Targets(recipe, training, recipe.teachers if teachers is None else teachers)
    if state.epochs_done == 0 and group.is_main:
        checkpoint.save(folder, recipe, training, state, provenance)
    loop = _Loop(recipe, training, targets, state, reporter or SilentReporter(), group)
    while state.epochs_done < recipe.epochs:
        meter = ResourceMeter()
        result = loop.run_epoch()
        used = meter.resources()
        if group.is_main:
            network = with_initial_weights(state.average, state.initial, recipe.init_weight)
            logits = network_logits(network, validation, recipe.preprocessing)
            if not np.isfinite(logits).all():
                raise _divergence(recipe, f"the network's outputs became infinite in epoch {state.epochs_done + 1}")
            record = _record(recipe, state, result, logits, validation, len(training), used)
            state.records.append(record)
            if record.best:
                export.write_model(folder / run_folder.BEST, recipe, training.labels, network, record, provenance)
                run_folder.write_confusion_matrix(folder, logits, validation)
            checkpoint.save(folder, recipe, training, state, provenance)
            run_folder.write_metrics(folder, state.records)
            loop.reporter.epoch(record)
        state.records = group.broadcast(state.records)
    return state


def _initial_state(recipe: Recipe, training: FaceImages, init_from: Path | None, group: ProcessGroup) -> TrainingState:
    torch.manual_seed(recipe.seed)
    try:
        network = networks.create(recipe.network, len(training.labels), **recipe.network_options)
    except ValueError as error:
        raise RecipeError(str(error)) from error
    if init_from:
        export.load_weights(init_from, recipe, training.labels, network)
    network = network.to(group.device, memory_format=_memory_format(group.device))  # type: ignore[call-overload]
    average = copy.deepcopy(network).eval()
    initial = copy.deepcopy(average.state_dict()) if init_from and recipe.init_weight else {}
    return TrainingState(network, average, create_optimizer(recipe, network), initial)


@dataclass(frozen=True)
class _EpochResult:
    """Means over one epoch, and the learning rate at its end."""

    loss: float
    accuracy: float
    learning_rate: float


def _record(
    recipe: Recipe,
    state: TrainingState,
    result: _EpochResult,
    logits: np.ndarray,
    validation: FaceImages,
    images: int,
    used: Resources,
) -> EpochRecord:
    accuracy = float(np.mean(logits.argmax(axis=1) == validation.targets))
    loss = log_loss(logits, validation.targets)
    return EpochRecord(
        epoch=state.epochs_done + 1,
        epochs=recipe.epochs,
        learning_rate=result.learning_rate,
        training_loss=result.loss,
        training_accuracy=result.accuracy,
        validation_loss=loss,
        validation_accuracy=accuracy,
        temperature=fit_temperature(logits, validation.targets),
        images_per_second=images / used.seconds,
        seconds=used.seconds,
        best=state.is_improved_by(accuracy, loss, recipe.best_by),
        user_seconds=used.user_seconds,
        system_seconds=used.system_seconds,
        peak_memory_bytes=used.peak_memory_bytes,
    )


class _Loop:
    """Runs epochs on a state."""

    def __init__(
        self,
        recipe: Recipe,
        training: FaceImages,
        targets: Targets,
        state: TrainingState,
        reporter: ProgressReporter,
        group: ProcessGroup,
    ):
        self.reporter = reporter
        self._recipe = recipe
        self._targets = targets
        self._state = state
        self._group = group
        self._pixels = torch.from_numpy(training.pixels).to(group.device)
        self._labels = torch.from_numpy(training.targets).to(group.device)
        self._steps = len(training) // recipe.batch_size or 1
        self._memory_format = _memory_format(group.device)

    def run_epoch(self) -> _EpochResult:
        """Train on every image once, in random order."""
        recipe, epoch, steps = self._recipe, self._state.epochs_done, self._steps
        # A seed per epoch: a resumed run draws the same numbers as one that was never interrupted.
        torch.manual_seed(recipe.seed_of(epoch + 1))
        order = torch.randperm(len(self._pixels)).to(self._group.device)
        size = crop_size(recipe, epoch)
        self._state.network.train()
        total_loss, correct, seen, rate = 0.0, 0, 0, 0.0
        # An incomplete last batch is dropped: batch norm over a few images would be noise.
        for step, chosen in enumerate(order.split(recipe.batch_size)[:steps]):
            done = epoch * steps + step
            rate = learning_rate(recipe, done / (recipe.epochs * steps), self._state.validation_losses)
            loss, right = self._step(chosen, size, rate)
            if not math.isfinite(loss):
                raise _divergence(recipe, f"the loss became {loss} in epoch {epoch + 1}, batch {step + 1}")
            self._state.optimizer.step()
            update_average(self._state.average, self._state.network, recipe.ema_decay, done)
            seen += len(chosen)
            total_loss += loss * len(chosen)
            correct += right
            self.reporter.batch(epoch + 1, recipe.epochs, seen, min(len(self._pixels), steps * recipe.batch_size))
        return _EpochResult(total_loss / seen, correct / seen, rate)

    def _step(self, chosen: torch.Tensor, size: int, rate: float) -> tuple[float, int]:
        """Compute the gradients of one batch; return its mean loss and the number of correct predictions."""
        recipe, group, network, optimizer = self._recipe, self._group, self._state.network, self._state.optimizer
        for parameters in optimizer.param_groups:
            parameters["lr"] = rate
        shard = group.shard(len(chosen))
        # Every process augments the whole batch, so that all draw the same random numbers as a single process.
        moved = self._moved(chosen, size)
        crops = recipe.preprocessing.normalize(recipe.augmentation.hide(moved)[shard])[:, None]
        targets = self._targets.at(self._state.epochs_done, chosen[shard].cpu(), moved[shard]).to(group.device)
        with torch.autocast(group.device.type, torch.bfloat16, enabled=recipe.bfloat16):
            logits = network(crops.contiguous(memory_format=self._memory_format)).float()
        loss = functional.cross_entropy(logits, targets, label_smoothing=recipe.label_smoothing)
        weight = len(crops) / len(chosen)
        loss = weight * (loss + l1_penalty(recipe, network))
        optimizer.zero_grad()
        loss.backward()
        right = (logits.argmax(dim=1) == self._labels[chosen[shard]]).sum()
        mean_loss, right_of_all = group.all_reduce(network, weight, (loss.item(), right.item()))
        return mean_loss, int(right_of_all)

    def _moved(self, chosen: torch.Tensor, size: int) -> torch.Tensor:
        """Return the (N, size, size) float32 augmented crops of a batch, nothing covered."""
        view = self._targets.view(self._state.epochs_done)
        if view is None:
            return self._recipe.augmentation.move(self._pixels[chosen], size)
        return view.crops[chosen.cpu()].float().to(self._group.device)


def _divergence(recipe: Recipe, what: str) -> TrainingError:
    return TrainingError(
        f"{what}: lower learning_rate (now {recipe.learning_rate:g}); the results of earlier epochs are intact"
    )


def _memory_format(device: torch.device) -> torch.memory_format:
    """Return channels last, which is faster, where it is safe.

    In torch 2.13, with several threads and channels last, the backward pass of a strided 1x1 convolution, as in
    mini-Xception, crashes the process: seen with batches of 15 or 77 on two threads and of 128 on three.
    """
    safe = device.type != "cpu" or torch.get_num_threads() == 1
    return torch.channels_last if safe else torch.contiguous_format


@torch.inference_mode()
def network_logits(network: nn.Module, images: FaceImages, preprocessing: Preprocessing) -> np.ndarray:
    """Return the (N, classes) float32 logits of a network in evaluation mode, one crop per image."""
    device, batches = next(network.parameters()).device, []
    for start in range(0, len(images), _EVALUATION_BATCH):
        crops = list(images.pixels[start : start + _EVALUATION_BATCH])
        batches.append(network(torch.from_numpy(preprocessing.batch(crops)).to(device)))
    logits: np.ndarray = torch.cat(batches).cpu().numpy()
    return logits
