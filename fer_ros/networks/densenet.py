# SPDX-License-Identifier: Apache-2.0
"""A small DenseNet, the strongest baseline of Rao et al.

Source: Huang, Liu, van der Maaten, Weinberger, "Densely Connected Convolutional Networks", 2017, its form DenseNet-BC:
a 1x1 bottleneck of four times the growth rate before each 3x3 convolution, and transitions that halve channels, width
and height. Rao et al. call theirs "DenseNet-1", with 36 convolutions, 4 poolings, 1 fully connected layer and 95,263
parameters. Four blocks of four layers with a growth rate of 8, a stem of 64 7x7 filters on three (here equal) channels
with batch norm, biases in every convolution, the default of Keras, and no batch norm before the pooling have exactly
these counts. The stem's stride of 2 is that of the original.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

_BLOCKS = 4
_STEM_FILTERS = 64


class DenseLayer(nn.Module):
    """Append `growth` feature maps to the input."""

    def __init__(self, inputs: int, growth: int):
        super().__init__()
        self.body = nn.Sequential(*_conv(inputs, 4 * growth, 1), *_conv(4 * growth, growth, 3))

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return torch.cat([maps, self.body(maps)], 1)


class DenseNet(nn.Module):
    """Map (N, 1, size, size) float32 crops to (N, classes) logits; size is at least 16.

    Args:
        classes: number of logits.
        growth: feature maps that each layer adds.
        layers: layers in each of the four blocks.

    Raises:
        ValueError: growth or layers is below 1.
    """

    def __init__(self, classes: int, growth: int = 8, layers: int = 4):
        super().__init__()
        if growth < 1 or layers < 1:
            raise ValueError(f"growth and layers must be at least 1, not {growth} and {layers}")
        channels = _STEM_FILTERS
        self.stem = nn.Sequential(
            nn.Conv2d(3, channels, 7, stride=2, padding=3), nn.BatchNorm2d(channels), nn.ReLU(inplace=True)
        )
        stages: list[nn.Module] = []
        for block in range(_BLOCKS):
            transition: list[nn.Module] = []
            if block:
                transition = [*_conv(channels, channels // 2, 1), nn.AvgPool2d(2)]
                channels //= 2
            dense = [DenseLayer(channels + growth * layer, growth) for layer in range(layers)]
            channels += growth * layers
            stages.append(nn.Sequential(*transition, *dense))
        self.stages = nn.Sequential(*stages)
        self.head = nn.Linear(channels, classes)

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        maps = functional.relu(self.stages(self.stem(torch.cat([crops, crops, crops], 1))))
        return self.head(functional.adaptive_avg_pool2d(maps, 1).flatten(1))


def _conv(inputs: int, outputs: int, kernel: int) -> tuple[nn.Module, nn.Module, nn.Module]:
    conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
    return nn.BatchNorm2d(inputs), nn.ReLU(inplace=True), conv
