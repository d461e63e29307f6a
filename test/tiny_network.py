# SPDX-License-Identifier: Apache-2.0
"""A network of another package, which learns the bars of `training_data` in a second.

Like the package's own it has batch norm and dropout, whose state a resumed run has to restore.
"""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from torch import nn

from fer_ros.networks import NETWORKS
from fer_ros.registry import Entry

NAME = "tiny"


@dataclass(frozen=True)
class TinyOptions:
    """Options of the network."""

    width: int = 8
    regularized: bool = True
    """With batch norm and dropout."""


class Tiny(nn.Sequential):
    """Map (N, 1, height, width) float32 crops of any size to (N, classes) logits."""

    def __init__(self, classes: int, width: int, regularized: bool = True):
        layers = {
            "shrink": nn.AdaptiveAvgPool2d(12),
            "conv": nn.Conv2d(1, width, 3, padding=1, bias=False),
            "norm": nn.BatchNorm2d(width) if regularized else nn.Identity(),
            "relu": nn.ReLU(inplace=True),
            "rows": nn.AdaptiveAvgPool2d((12, 1)),
            "flatten": nn.Flatten(),
            "dropout": nn.Dropout(0.1 if regularized else 0.0),
            "head": nn.Linear(12 * width, classes),
        }
        super().__init__(OrderedDict(layers))


@contextlib.contextmanager
def registered() -> Iterator[None]:
    """Register the network from outside of the package."""
    NETWORKS.register(NAME, Entry(lambda options, classes: Tiny(classes, **asdict(options)), TinyOptions))
    try:
        yield
    finally:
        NETWORKS.unregister(NAME)
