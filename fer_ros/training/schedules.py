# SPDX-License-Identifier: Apache-2.0
"""What changes along a run: the learning rate and the size of the crops."""

from __future__ import annotations

import math
from collections.abc import Sequence

from fer_ros.training.recipe import Recipe


def learning_rate(recipe: Recipe, progress: float, validation_losses: Sequence[float]) -> float:
    """Return the learning rate.

    It depends on nothing but the arguments, so that a resumed run continues with the rate it had.

    Args:
        recipe: names the schedule and its settings.
        progress: completed share of the run, 0..1.
        validation_losses: of the completed epochs, in order.
    """
    if recipe.schedule == "plateau":
        return recipe.learning_rate * recipe.plateau_factor ** _plateaus(validation_losses, recipe.patience)
    if recipe.schedule == "constant":
        return recipe.learning_rate
    if progress < recipe.warm_up:
        return recipe.learning_rate * progress / recipe.warm_up
    annealed = (progress - recipe.warm_up) / max(1 - recipe.warm_up, 1e-9)
    return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * annealed))


def crop_size(recipe: Recipe, epoch: int) -> int:
    """Return the side of the crops in `epoch` (from 0), pixels.

    It grows in steps of 4 pixels, because most networks halve their maps at least twice.
    """
    if not recipe.initial_size:
        return recipe.preprocessing.input_size
    share = min(1.0, epoch / (0.8 * recipe.epochs))
    growth = share * (recipe.preprocessing.input_size - recipe.initial_size)
    return recipe.initial_size + (int(growth) // 4 * 4 if share < 1 else int(growth))


def _plateaus(validation_losses: Sequence[float], patience: int) -> int:
    """Count how often the loss failed to improve for more than `patience` epochs."""
    lowest, waited, plateaus = math.inf, 0, 0
    for loss in validation_losses:
        if loss < lowest:
            lowest, waited = loss, 0
            continue
        waited += 1
        if waited > patience:
            waited, plateaus = 0, plateaus + 1
    return plateaus
