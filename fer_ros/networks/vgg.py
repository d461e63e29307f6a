# SPDX-License-Identifier: Apache-2.0
"""VGG-16 for small gray faces, a baseline of several papers.

Source: Simonyan, Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", 2015, its
configuration D with one input channel, and with batch norm (Ioffe, Szegedy 2015), which it needs to train without
pretraining. Five poolings reduce 48x48 maps to one pixel, so the first dense layer is 49 times smaller than with
224x224: 33,637,447 parameters with 7 classes, 33,628,999 of them trainable.
"""

from __future__ import annotations

import torch
from torch import nn

_STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
"""Filters and number of convolutions of each stage."""


class Vgg(nn.Module):
    """Map (N, 1, size, size) float32 crops to (N, classes) logits; size is at least 32.

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
        self.head = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(512, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(4096, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(4096, classes),
        )

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        return self.head(self.stages(crops))


def _stage(inputs: int, outputs: int, convolutions: int) -> nn.Sequential:
    """Return 3x3 convolutions of one width and a pooling that halves width and height."""
    layers: list[nn.Module] = []
    for channels in (inputs, *[outputs] * (convolutions - 1)):
        layers += [
            nn.Conv2d(channels, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers, nn.MaxPool2d(2))
