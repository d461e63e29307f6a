# SPDX-License-Identifier: Apache-2.0
"""Residual network of full 3x3 convolutions with squeeze-and-excitation, no larger than lite-XceptionFCNet.

Designed for this project from published parts: residual blocks, He, Zhang, Ren, Sun, "Deep Residual Learning for
Image Recognition", 2016; squeeze-and-excitation, Hu, Shen, Sun, "Squeeze-and-Excitation Networks", 2018.
Three stages of two blocks, with 24, 64 and 96 channels on maps of 24x24, 12x12 and 6x6: 469,565 parameters
with 7 classes, 467,677 of them trainable.
"""

from __future__ import annotations

import torch
from torch import nn


class SqueezeExcitation(nn.Module):
    """Scale each channel by a factor computed from the mean of all channels.

    Args:
        channels: of the input and the output.
        reduction: how many times narrower the hidden layer is.
    """

    def __init__(self, channels: int, reduction: int = 8):
        super().__init__()
        self.weights = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, channels // reduction, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels // reduction, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return maps * self.weights(maps)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions and squeeze-and-excitation beside a shortcut; a stride of 2 halves width and height."""

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            SqueezeExcitation(outputs),
        )
        same = inputs == outputs and stride == 1
        self.shortcut = (
            nn.Identity()
            if same
            else nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs))
        )
        self.activation = nn.ReLU(inplace=True)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return self.activation(self.shortcut(maps) + self.body(maps))


class ResSe(nn.Module):
    """Map (N, 1, size, size) float32 crops to (N, classes) logits; it was designed for a size of 48.

    Args:
        classes: number of logits.
        dropout: probability of dropping each of the 96 pooled features before the last layer, 0..1.
    """

    def __init__(self, classes: int, dropout: float = 0.2):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 24, 3, padding=1, bias=False), nn.BatchNorm2d(24), nn.ReLU(inplace=True))
        self.stages = nn.Sequential(_stage(24, 24), _stage(24, 64), _stage(64, 96))
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(dropout), nn.Linear(96, classes))

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        return self.head(self.stages(self.stem(crops)))


def _stage(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(ResidualBlock(inputs, outputs, 2), ResidualBlock(outputs, outputs, 1))
