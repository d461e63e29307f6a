# SPDX-License-Identifier: Apache-2.0
"""Data-parallel training: several processes train one network, each on its shard of every batch.

torchrun starts the processes, on one machine or several, and passes rank and world size in the environment. A process
that torchrun has not started trains alone.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import distributed, nn

T = TypeVar("T")


class DeviceError(ValueError):
    """A device that this machine does not have; the message names it."""


@dataclass(frozen=True)
class ProcessGroup:
    """The processes that train together, as seen from one of them."""

    rank: int
    """Of this process, from 0."""
    size: int
    """Number of processes."""
    device: torch.device
    """Of this process."""

    @property
    def is_main(self) -> bool:
        """Whether this is the process that evaluates, writes files and reports progress."""
        return self.rank == 0

    def shard(self, count: int) -> slice:
        """Return this process's part of a batch of `count` images; the parts of all processes cover the batch."""
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def broadcast(self, content: T) -> T:
        """Return the main process's `content` in every process."""
        if self.size == 1:
            return content
        objects = [content]
        distributed.broadcast_object_list(objects, src=0, device=self.device)
        return objects[0]

    def all_reduce(self, network: nn.Module, weight: float, numbers: Sequence[float]) -> list[float]:
        """Sum the gradients of all processes in place and return the sums of their `numbers`.

        Batch-norm statistics become their weighted mean, so that the networks of all processes stay identical.

        Args:
            network: after the backward pass.
            weight: share of the batch that this process had, 0..1.
            numbers: of this process.
        """
        if self.size == 1:
            return list(numbers)
        gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
        statistics = [buffer for buffer in network.buffers() if buffer.is_floating_point()]
        targets = [*gradients, *statistics]
        parts = [*gradients, *(weight * buffer for buffer in statistics), torch.tensor(numbers, device=self.device)]
        # One message per batch instead of one per layer.
        flat = torch.cat([part.flatten() for part in parts])
        distributed.all_reduce(flat)
        *sums, totals = flat.split([part.numel() for part in parts])
        for target, total in zip(targets, sums, strict=True):
            target.copy_(total.view_as(target))
        summed: list[float] = totals.tolist()
        return summed


SINGLE_PROCESS = ProcessGroup(0, 1, torch.device("cpu"))


def init_process_group(device: str = "auto") -> ProcessGroup:
    """Join the group that torchrun has started this process in, or return a group of this process alone.

    Args:
        device: "cpu", "cuda", or "auto": a GPU if there is one. Several processes on a machine use one GPU each.

    Raises:
        DeviceError: there is no GPU.
    """
    size, has_gpu = int(os.environ.get("WORLD_SIZE", 1)), torch.cuda.is_available()
    if device == "cuda" and not has_gpu:
        raise DeviceError("--device cuda: torch sees no GPU on this machine; use --device cpu or auto")
    chosen = torch.device("cpu")
    if has_gpu and device != "cpu":
        chosen = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
        torch.cuda.set_device(chosen)
    if size > 1:
        distributed.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    return ProcessGroup(int(os.environ.get("RANK", 0)), size, chosen)


def destroy_process_group() -> None:
    """Leave the group that `init_process_group` joined."""
    if distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()
