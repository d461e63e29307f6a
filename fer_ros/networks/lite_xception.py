# SPDX-License-Identifier: Apache-2.0
"""A reconstruction of lite-XceptionFCNet.

Source: Vo, Vo, "Facial Expression Recognition: A Lite Deep Learning Based Approach". The paper gives the maps
(46x46x8, 44x44x8, four residual depth-wise separable stages of 22x22x16, 11x11x32, 6x6x64 and 3x3x128), the end (global
average pooling and a fully connected layer to 7 classes) and "around 488,700 parameters". Those layers alone have about
58,000, so something is missing from the text. Here it is the middle flow of Xception (Chollet 2017): eight residual
blocks of three separable 3x3 convolutions with 128 channels, and a batch norm after them. With biases in every
convolution, the default of Keras, and 7 classes the network has 488,727 parameters. The count does not prove the
reading; of those tried it contradicts the text least.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from fer_ros.networks.mini_xception import SeparableConv, XceptionStage, stem

_MIDDLE_BLOCKS = 8


class MiddleBlock(nn.Module):
    """Three separable convolutions beside the identity, each after a ReLU."""

    def __init__(self, channels: int):
        super().__init__()
        layers = [layer for _ in range(3) for layer in (nn.ReLU(), SeparableConv(channels, channels, bias=True))]
        self.body = nn.Sequential(*layers)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return maps + self.body(maps)


class LiteXception(nn.Module):
    """Map (N, 1, size, size) float32 crops to (N, classes) logits; the paper uses a size of 48."""

    def __init__(self, classes: int):
        super().__init__()
        self.stem = stem(8, 8, bias=True)
        self.stages = nn.Sequential(*(XceptionStage(inputs, 2 * inputs, bias=True) for inputs in (8, 16, 32, 64)))
        self.middle = nn.Sequential(*(MiddleBlock(128) for _ in range(_MIDDLE_BLOCKS)))
        self.norm = nn.BatchNorm2d(128)
        self.head = nn.Linear(128, classes)

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        maps = functional.relu(self.norm(self.middle(self.stages(self.stem(crops)))))
        return self.head(functional.adaptive_avg_pool2d(maps, 1).flatten(1))
