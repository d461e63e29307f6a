# SPDX-License-Identifier: Apache-2.0
"""Averages of weights: over the steps of a run, and with the weights that it started from."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import nn


@torch.no_grad()
def update_average(average: nn.Module, network: nn.Module, decay: float, step: int) -> None:
    """Update the moving average of weights and batch-norm statistics; a smaller decay in the first steps discards the
    initial weights quickly.
    """
    keep = min(decay, (1 + step) / (10 + step))
    pairs = list(zip(average.state_dict().values(), network.state_dict().values(), strict=True))
    floats = [(a, n) for a, n in pairs if a.is_floating_point()]
    torch._foreach_lerp_([a for a, _ in floats], [n for _, n in floats], 1 - keep)


@torch.no_grad()
def with_initial_weights(network: nn.Module, initial: Mapping[str, torch.Tensor], share: float) -> nn.Module:
    """Return the network with its weights averaged with those it started from; without `share`, `network` itself.

    Source: Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022.

    Args:
        network: trained.
        initial: weights and batch-norm statistics at the start, by their names in the network.
        share: of the initial weights in the average, 0..1.
    """
    if not share:
        return network
    averaged = copy.deepcopy(network)
    for name, value in averaged.state_dict().items():
        if value.is_floating_point():
            value.lerp_(initial[name].to(value.device), share)
    return averaged
