"""How a recipe moves the weights: optimizer, learning rate, penalties and the size of the crops."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from fer_ros.training.recipe import Recipe


def optimizer(recipe: Recipe, network: nn.Module) -> torch.optim.Optimizer:
    """SGD with Nesterov momentum, or Adam (Kingma, Ba 2015), with L2 on convolution and linear weights alone."""
    parameters = list(network.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if recipe.optimizer == "adam":
        return torch.optim.Adam(groups, lr=recipe.learning_rate, betas=(recipe.momentum, 0.999))
    return torch.optim.SGD(groups, lr=0.0, momentum=recipe.momentum, nesterov=recipe.momentum > 0)


def learning_rate(recipe: Recipe, done: float, records: Sequence[dict[str, Any]]) -> float:
    """The rate when the share `done` (0..1) of the run is over and its epochs so far left `records`.

    It depends on nothing else, so a run that is resumed goes on with the rate it had.
    """
    if recipe.schedule == "plateau":
        return recipe.learning_rate * recipe.plateau_factor ** _plateaus(recipe, records)
    if recipe.schedule == "constant":
        return recipe.learning_rate
    if done < recipe.warm_up:
        return recipe.learning_rate * done / recipe.warm_up
    falling = (done - recipe.warm_up) / max(1 - recipe.warm_up, 1e-9)
    return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * falling))


def crop_size(recipe: Recipe, epoch: int) -> int:
    """Side of the crops in `epoch` (from 0), pixels: in steps of 4, as most networks halve their maps twice or more."""
    if not recipe.initial_size:
        return recipe.preprocessing.input_size
    grown = min(1.0, epoch / (0.8 * recipe.epochs))
    more = grown * (recipe.preprocessing.input_size - recipe.initial_size)
    return recipe.initial_size + (int(more) // 4 * 4 if grown < 1 else int(more))


def l1_penalty(recipe: Recipe, network: nn.Module) -> torch.Tensor | float:
    """What the recipe's `l1` adds to the loss: that times the sum of sizes of the dense layers' weights."""
    if not recipe.l1:
        return 0.0
    return recipe.l1 * sum(layer.weight.abs().sum() for layer in network.modules() if isinstance(layer, nn.Linear))


def _plateaus(recipe: Recipe, records: Sequence[dict[str, Any]]) -> int:
    """How often the validation loss has not improved for more than `patience` epochs."""
    lowest, waited, plateaus = math.inf, 0, 0
    for record in records:
        if record["validation_loss"] < lowest:
            lowest, waited = record["validation_loss"], 0
            continue
        waited += 1
        if waited > recipe.patience:
            waited, plateaus = 0, plateaus + 1
    return plateaus
