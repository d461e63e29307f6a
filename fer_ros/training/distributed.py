"""Processes that train one network together, each on its share of every batch.

torchrun starts them, on one machine or on several, and tells each by its environment who it is. A process that it has
not started is a team of one.
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
    """A device that this machine does not have; the message says which."""


@dataclass(frozen=True)
class Team:
    """One process, and its place among those that train with it."""

    rank: int
    size: int
    device: torch.device

    @property
    def leads(self) -> bool:
        """Whether this is the one that judges, writes and reports."""
        return self.rank == 0

    def share(self, count: int) -> slice:
        """The process's part of a batch of `count` images; all parts together are the batch."""
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def told(self, content: T) -> T:
        """What the leader gives as `content`, in every process."""
        if self.size == 1:
            return content
        box = [content]
        distributed.broadcast_object_list(box, src=0, device=self.device)
        return box[0]

    def add_up(self, network: nn.Module, share: float, numbers: Sequence[float]) -> list[float]:
        """The sums of each process's `numbers`, and in `network` the sums of their gradients.

        Running statistics of batch norm become their mean, so that the weights of all processes stay the same.

        Args:
            network: after the backward pass.
            share: how much of the batch was this process's, 0..1.
            numbers: of this process.
        """
        if self.size == 1:
            return list(numbers)
        gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
        statistics = [buffer for buffer in network.buffers() if buffer.is_floating_point()]
        summed = [*gradients, *statistics]
        own = [*gradients, *(share * buffer for buffer in statistics), torch.tensor(numbers, device=self.device)]
        # One message a batch, whatever the number of layers.
        flat = torch.cat([part.flatten() for part in own])
        distributed.all_reduce(flat)
        *sums, totals = flat.split([part.numel() for part in own])
        for target, total in zip(summed, sums, strict=True):
            target.copy_(total.view_as(target))
        return totals.tolist()


ALONE = Team(0, 1, torch.device("cpu"))


def join(device: str = "auto") -> Team:
    """The team that torchrun has put this process into, or a team of one.

    Args:
        device: cpu, cuda, or auto: cuda where there is a GPU. Several processes on a machine take one GPU each.

    Raises:
        DeviceError: there is no GPU.
    """
    size, has_gpu = int(os.environ.get("WORLD_SIZE", 1)), torch.cuda.is_available()
    if device == "cuda" and not has_gpu:
        raise DeviceError("--device cuda: torch sees no GPU on this machine")
    place = torch.device("cpu")
    if has_gpu and device != "cpu":
        place = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
        torch.cuda.set_device(place)
    if size > 1:
        distributed.init_process_group("nccl" if place.type == "cuda" else "gloo")
    return Team(int(os.environ.get("RANK", 0)), size, place)


def leave() -> None:
    """Ends what `join` has begun."""
    if distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()
