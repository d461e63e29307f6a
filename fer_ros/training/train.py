"""Trains a network by a recipe: the loop, start to end."""

from __future__ import annotations

import copy
import math
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from fer_ros import networks
from fer_ros.datasets.registry import FaceImages
from fer_ros.emotion.preprocessing import Preprocessing
from fer_ros.evaluation.calibration import fit_temperature, log_loss
from fer_ros.training import checkpoint, export, optimization, run_folder
from fer_ros.training.checkpoint import Progress
from fer_ros.training.distributed import ALONE, Team
from fer_ros.training.optimization import l1_penalty, learning_rate
from fer_ros.training.progress import ProgressReporter
from fer_ros.training.recipe import Recipe, RecipeError
from fer_ros.training.targets import Targets

_EVALUATION_BATCH = 256


class TrainingError(RuntimeError):
    """Training cannot go on; the message says why and what to change."""


def fit(
    recipe: Recipe,
    training: FaceImages,
    validation: FaceImages,
    folder: Path,
    reporter: ProgressReporter,
    init_from: Path | None = None,
    team: Team = ALONE,
) -> Progress:
    """Trains until the recipe's last epoch: from the checkpoint in `folder` if there is one, else from the weights of
    the model file `init_from`, else from nothing.

    After every epoch `folder` (see `run_folder`) holds the best model so far, chosen by accuracy on `validation`, what
    it takes for what, a checkpoint, the metrics and the curves. The same recipe, data and number of threads give the
    same result, stopped and resumed or not.

    Every process of a `team` calls it with the same arguments. They see the same batches, changed in the same way, as
    one process would, and keep the same weights; only batch norm takes its statistics from each process's share of a
    batch. The leader alone writes and reports.

    Raises:
        TrainingError: the loss is no longer a number.
        RecipeError: the network has no such options, a teacher cannot teach it, or the team is too large for a batch.
        FileNotFoundError: there is no such teacher.
        CheckpointError: the checkpoint belongs to another recipe or other data.
        ModelFileError: `init_from` is a model of another network or of other labels.
        KeyboardInterrupt: as it came; `folder` stays as the last epoch left it.
    """
    if min(recipe.batch_size, len(training)) < 2 * team.size:
        raise RecipeError(
            f"'batch_size' is {recipe.batch_size}, of {len(training)} images: too few for {team.size} processes, "
            "of which each takes two or more"
        )
    torch.manual_seed(recipe.seed)
    try:
        network = networks.create(recipe.network, len(training.labels), **recipe.network_options)
    except ValueError as error:
        raise RecipeError(str(error)) from error
    if init_from:
        export.load_weights(init_from, recipe, training.labels, network)
    network = network.to(team.device, memory_format=_memory_format(team.device))
    average = copy.deepcopy(network).eval()
    optimizer = optimization.optimizer(recipe, network)
    targets = Targets(recipe, training)
    progress = checkpoint.resume(folder, recipe, training, network, average, optimizer)
    if progress.epochs_done == 0 and team.leads:
        checkpoint.save(folder, recipe, training, network, average, optimizer, progress)

    for epoch in range(progress.epochs_done, recipe.epochs):
        started = time.monotonic()
        loss, accuracy, rate = _learn_epoch(
            recipe, training, targets, network, average, optimizer, progress, reporter, team
        )
        seconds = time.monotonic() - started
        if team.leads:
            logits = network_logits(average, validation, recipe.preprocessing)
            record = {
                "epoch": epoch + 1,
                "epochs": recipe.epochs,
                "learning_rate": rate,
                "training_loss": loss,
                "training_accuracy": accuracy,
                "validation_loss": log_loss(logits, validation.targets),
                "validation_accuracy": float(np.mean(logits.argmax(axis=1) == validation.targets)),
                "temperature": fit_temperature(logits, validation.targets),
                "images_per_second": len(training) / seconds,
                "seconds": seconds,
            }
            record["best"] = record["validation_accuracy"] > progress.best_accuracy
            progress.records.append(record)
            if record["best"]:
                export.write_model(folder / run_folder.BEST, recipe, training.labels, average, record)
                run_folder.write_confusion_matrix(folder, logits, validation)
            checkpoint.save(folder, recipe, training, network, average, optimizer, progress)
            run_folder.write_metrics(folder, progress.records)
            reporter.epoch(record)
        progress.records = team.told(progress.records)
    return progress


def _learn_epoch(
    recipe: Recipe,
    training: FaceImages,
    targets: Targets,
    network: nn.Module,
    average: nn.Module,
    optimizer: torch.optim.Optimizer,
    progress: Progress,
    reporter: ProgressReporter,
    team: Team,
) -> tuple[float, float, float]:
    """One pass over the data in random order; mean loss, accuracy on the changed images, last learning rate."""
    epoch = progress.epochs_done
    # Every epoch has a seed of its own, so that a resumed run draws the same numbers as one that never stopped.
    torch.manual_seed(recipe.seed * 1_000_003 + epoch + 1)
    order = torch.randperm(len(training)).to(team.device)
    steps = len(training) // recipe.batch_size or 1
    pixels, hard_labels, soft_labels = (
        tensor.to(team.device)
        for tensor in (torch.from_numpy(training.pixels), torch.from_numpy(training.targets), targets.at(epoch))
    )
    size, memory_format = optimization.crop_size(recipe, epoch), _memory_format(team.device)
    network.train()
    total_loss = correct = seen = 0
    # A last batch of a few images is left for another epoch: batch norm on so few would be noise.
    for step, chosen in enumerate(order.split(recipe.batch_size)[:steps]):
        rate = learning_rate(recipe, (epoch * steps + step) / (recipe.epochs * steps), progress.records)
        for group in optimizer.param_groups:
            group["lr"] = rate
        mine = team.share(len(chosen))
        # Every process changes the whole batch, so that all draw the same numbers, as many as one alone.
        crops = recipe.preprocessing.normalize(recipe.augmentation(pixels[chosen], size)[mine])[:, None]
        with torch.autocast(team.device.type, torch.bfloat16, enabled=recipe.bfloat16):
            logits = network(crops.contiguous(memory_format=memory_format)).float()
        loss = functional.cross_entropy(logits, soft_labels[chosen[mine]], label_smoothing=recipe.label_smoothing)
        share = len(crops) / len(chosen)
        loss = share * (loss + l1_penalty(recipe, network))
        optimizer.zero_grad()
        loss.backward()
        right = (logits.argmax(dim=1) == hard_labels[chosen[mine]]).sum()
        mean_loss, right = team.add_up(network, share, (loss.item(), right.item()))
        if not math.isfinite(mean_loss):
            raise TrainingError(
                f"the loss became {mean_loss} in epoch {epoch + 1}, batch {step + 1}: lower learning_rate "
                f"(now {recipe.learning_rate:g}); what earlier epochs wrote is intact"
            )
        optimizer.step()
        _update_average(average, network, recipe.ema_decay, epoch * steps + step)
        seen += len(chosen)
        total_loss += mean_loss * len(chosen)
        correct += int(right)
        reporter.batch(epoch + 1, recipe.epochs, seen, min(len(training), steps * recipe.batch_size))
    return total_loss / seen, correct / seen, rate


def _memory_format(device: torch.device) -> torch.memory_format:
    """The layout in which training is fastest, where it is safe.

    With torch 2.13, several threads and channels last, the backward pass of a 1x1 convolution with a stride, as in
    mini-Xception, ends the process: batches of 15 or 77 by two threads, of 128 by three.
    """
    safe = device.type != "cpu" or torch.get_num_threads() == 1
    return torch.channels_last if safe else torch.contiguous_format


@torch.inference_mode()
def network_logits(network: nn.Module, images: FaceImages, preprocessing: Preprocessing) -> np.ndarray:
    """(N, classes) float32 outputs of a network in evaluation mode, single crop."""
    device = next(network.parameters()).device
    batches = [
        network(torch.from_numpy(preprocessing.batch(images.pixels[start : start + _EVALUATION_BATCH])).to(device))
        for start in range(0, len(images), _EVALUATION_BATCH)
    ]
    return torch.cat(batches).cpu().numpy()


@torch.no_grad()
def _update_average(average: nn.Module, network: nn.Module, decay: float, step: int) -> None:
    """Exponential average of weights and batch-norm statistics; the first steps count more, so that it starts warm."""
    keep = min(decay, (1 + step) / (10 + step))
    pairs = list(zip(average.state_dict().values(), network.state_dict().values(), strict=True))
    floats = [(a, n) for a, n in pairs if a.is_floating_point()]
    torch._foreach_lerp_([a for a, _ in floats], [n for _, n in floats], 1 - keep)
