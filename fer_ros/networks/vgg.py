# SPDX-License-Identifier: Apache-2.0
"""VGG-13 for 64x64 gray faces, a baseline of Rao et al.

Source: the network that Barsoum, Zhang, Canton Ferrer, Zhang, "Training Deep Networks for Facial Expression Recognition
with Crowd-Sourced Label Distribution", 2016, train on FERPlus: 2 convolutions of 64 and of 128 filters, 3 and 3 of 256,
each group followed by a pooling and dropout, and dense layers of 1024, 1024 and the classes. Its 10 convolutions, 4
poolings and 3 dense layers are those of Rao et al.'s "VGG-Net", and with 7 classes it has 8,756,679 parameters. They
print 87,566,680, most likely the same number with one digit too many.
"""

from __future__ import annotations

import torch
from torch import nn

from fer_ros.networks.registry import VggOptions

_STAGES = ((64, 2), (128, 2), (256, 3), (256, 3))
"""Filters and number of convolutions of each stage."""
_STAGE_DROPOUT = 0.25
"""Probability of dropping an output of a stage's pooling."""


class Vgg(nn.Module):
    """Map (N, 1, 64, 64) float32 crops to (N, classes) logits.

    Args:
        classes: number of logits.
        dropout: probability of dropping each output of the two hidden dense layers, 0..1.
    """

    def __init__(self, classes: int, dropout: float = 0.5):
        super().__init__()
        inputs = (1, *(filters for filters, _ in _STAGES))
        self.stages = nn.Sequential(
            *(_stage(i, o, convolutions) for i, (o, convolutions) in zip(inputs, _STAGES, strict=False))
        )
        side = VggOptions.input_size // 2 ** len(_STAGES)
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Linear(side * side * _STAGES[-1][0], 1024),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(1024, 1024),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(1024, classes),
        )

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        return self.head(self.stages(crops))


def _stage(inputs: int, outputs: int, convolutions: int) -> nn.Sequential:
    """Return 3x3 convolutions of one width, a pooling that halves width and height, and dropout."""
    layers: list[nn.Module] = []
    for channels in (inputs, *[outputs] * (convolutions - 1)):
        layers += [nn.Conv2d(channels, outputs, 3, padding=1), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, nn.MaxPool2d(2), nn.Dropout(_STAGE_DROPOUT))
