# SPDX-License-Identifier: Apache-2.0
"""The optimizer of a recipe and the penalty it adds to the loss."""

from __future__ import annotations

import torch
from torch import nn

from fer_ros.training.recipe import Recipe


def create_optimizer(recipe: Recipe, network: nn.Module) -> torch.optim.Optimizer:
    """Return SGD with Nesterov momentum or Adam (Kingma, Ba 2015); weight decay applies to convolution and linear
    weights only, not to biases and batch norm.
    """
    parameters = list(network.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if recipe.optimizer == "adam":
        return torch.optim.Adam(groups, lr=recipe.learning_rate, betas=(recipe.momentum, 0.999))
    return torch.optim.SGD(groups, lr=0.0, momentum=recipe.momentum, nesterov=recipe.momentum > 0)


def l1_penalty(recipe: Recipe, network: nn.Module) -> torch.Tensor | float:
    """Return `recipe.l1` times the sum of absolute weights of all linear layers."""
    if not recipe.l1:
        return 0.0
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Linear)]
    return recipe.l1 * sum((layer.weight.abs().sum() for layer in layers), torch.zeros(()))
