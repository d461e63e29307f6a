# SPDX-License-Identifier: Apache-2.0
"""A small DenseNet for 48x48 gray faces, the strongest baseline of Rao et al.

Source: Huang, Liu, van der Maaten, Weinberger, "Densely Connected Convolutional Networks", 2017, its form
DenseNet-BC for small images: three dense blocks, a 1x1 bottleneck of four times the growth rate before each
3x3 convolution, and transitions that halve channels, width and height. Rao et al. call theirs "DenseNet-1", with 95,263
parameters, without further description. The closest plain form has a growth rate of 10 and five layers a block:
98,779 parameters with 7 classes, 95,515 of them trainable.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional


class DenseLayer(nn.Module):
    """Append `growth` feature maps to the input."""

    def __init__(self, inputs: int, growth: int):
        super().__init__()
        self.body = nn.Sequential(*_conv(inputs, 4 * growth, 1), *_conv(4 * growth, growth, 3))

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return torch.cat([maps, self.body(maps)], 1)


class DenseNet(nn.Module):
    """Map (N, 1, size, size) float32 crops to (N, classes) logits; size is at least 8.

    Args:
        classes: number of logits.
        growth: feature maps that each layer adds.
        layers: layers in each of the three blocks.

    Raises:
        ValueError: growth or layers is below 1.
    """

    def __init__(self, classes: int, growth: int = 10, layers: int = 5):
        super().__init__()
        if growth < 1 or layers < 1:
            raise ValueError(f"growth and layers must be at least 1, not {growth} and {layers}")
        channels = 2 * growth
        self.stem = nn.Conv2d(1, channels, 3, padding=1, bias=False)
        stages: list[nn.Module] = []
        for block in range(3):
            transition: list[nn.Module] = []
            if block:
                transition = [*_conv(channels, channels // 2, 1), nn.AvgPool2d(2)]
                channels //= 2
            dense = [DenseLayer(channels + growth * layer, growth) for layer in range(layers)]
            channels += growth * layers
            stages.append(nn.Sequential(*transition, *dense))
        self.stages = nn.Sequential(*stages)
        self.norm = nn.BatchNorm2d(channels)
        self.head = nn.Linear(channels, classes)

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        maps = functional.relu(self.norm(self.stages(self.stem(crops))))
        return self.head(functional.adaptive_avg_pool2d(maps, 1).flatten(1))


def _conv(inputs: int, outputs: int, kernel: int) -> tuple[nn.Module, nn.Module, nn.Module]:
    conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)
    return nn.BatchNorm2d(inputs), nn.ReLU(inplace=True), conv
