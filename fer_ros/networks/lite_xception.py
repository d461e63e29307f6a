# SPDX-License-Identifier: Apache-2.0
"""lite-XceptionFCNet: mini-Xception's layout with most parameters in the last two stages.

Source: Vo, Vo, "Facial Expression Recognition: A Lite Deep Learning Based Approach". The paper gives the maps
(46x46x8, 44x44x8, residual separable stages of 22x22x16, 11x11x32, 6x6x64 and 3x3x128, then 7 classes) and
"around 488,700 parameters". No direct reading of the text gives that number: two separable convolutions a stage
give about 58,000 parameters, two full ones about 316,000. This implementation is the closest reading found that keeps
every map size: three convolutions a stage, as in the middle flow of Xception (Chollet 2017), separable in the first
two stages and full in the last two, followed by mini-Xception's head. With 7 classes it has 488,583 parameters,
486,631 of them trainable.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional

from fer_ros.networks.mini_xception import SeparableConv, stem


class FullConv(nn.Sequential):
    """3x3 convolution, same size, then batch norm."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__(nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs))


class LiteStage(nn.Module):
    """Three convolutions and a pooling beside a strided 1x1 shortcut; halves width and height.

    Args:
        conv: creates each of the three convolutions from its numbers of input and output channels.
        inputs: channels of the input.
        outputs: channels of the output.
    """

    def __init__(self, conv: Callable[[int, int], nn.Module], inputs: int, outputs: int):
        super().__init__()
        self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride=2, bias=False), nn.BatchNorm2d(outputs))
        self.body = nn.Sequential(
            conv(inputs, outputs),
            nn.ReLU(inplace=True),
            conv(outputs, outputs),
            nn.ReLU(inplace=True),
            conv(outputs, outputs),
            nn.MaxPool2d(3, stride=2, padding=1),
        )

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return self.shortcut(maps) + self.body(maps)


class LiteXception(nn.Module):
    """Map (N, 1, 48, 48) float32 crops to (N, classes) logits."""

    def __init__(self, classes: int):
        super().__init__()
        self.stem = stem(8)
        self.stages = nn.Sequential(
            LiteStage(SeparableConv, 8, 16),
            LiteStage(SeparableConv, 16, 32),
            LiteStage(FullConv, 32, 64),
            LiteStage(FullConv, 64, 128),
        )
        self.head = nn.Conv2d(128, classes, 3, padding=1)

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        maps = self.head(self.stages(self.stem(crops)))
        # Not `mean`: it becomes an ONNX operation that OpenCV before 4.7 computes wrongly for more than one face.
        return functional.adaptive_avg_pool2d(maps, 1).flatten(1)
