# SPDX-License-Identifier: Apache-2.0
"""What one epoch of training measured."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class EpochRecord:
    """One row of `metrics.csv`, one entry of a checkpoint, and one `epoch` event of `fer-train --progress json`."""

    epoch: int
    """Counted from 1."""
    epochs: int
    """Epochs of the whole stage."""
    learning_rate: float
    """At the end of the epoch."""
    training_loss: float
    """Mean over the epoch, nats, of the augmented images."""
    training_accuracy: float
    """Mean over the epoch, 0..1, of the augmented images."""
    validation_loss: float
    """Of the averaged weights, nats."""
    validation_accuracy: float
    """Of the averaged weights, 0..1."""
    temperature: float
    """Fitted on the validation images; logits are divided by it."""
    images_per_second: float
    """Training images, without validation."""
    seconds: float
    """Duration of the epoch, without validation."""
    best: bool
    """Whether the epoch is better than all before in what the recipe's `best_by` names."""
    user_seconds: float = 0.0
    """CPU time of the main process in the program, of all threads, without validation."""
    system_seconds: float = 0.0
    """CPU time in the kernel, likewise."""
    peak_memory_bytes: int = 0
    """Highest resident memory of the process so far."""
