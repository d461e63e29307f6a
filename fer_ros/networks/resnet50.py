# SPDX-License-Identifier: Apache-2.0
"""ResNet-50 for gray faces, a baseline of several papers.

Source: He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition", 2016; a block's stride is in
its 3x3 convolution, as in later implementations. With one input channel and 7 classes it has 23,569,223
parameters, 23,516,103 of them trainable.
"""

from __future__ import annotations

import torch
from torch import nn


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions beside a shortcut; returns four times `width` channels."""

    def __init__(self, inputs: int, width: int, stride: int):
        super().__init__()
        outputs = 4 * width
        self.body = nn.Sequential(
            *_conv(inputs, width, 1),
            nn.ReLU(inplace=True),
            *_conv(width, width, 3, stride),
            nn.ReLU(inplace=True),
            *_conv(width, outputs, 1),
        )
        same = inputs == outputs and stride == 1
        self.shortcut = nn.Identity() if same else nn.Sequential(*_conv(inputs, outputs, 1, stride))
        self.activation = nn.ReLU(inplace=True)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return self.activation(self.shortcut(maps) + self.body(maps))


class ResNet50(nn.Module):
    """Map (N, 1, size, size) float32 crops to (N, classes) logits."""

    def __init__(self, classes: int):
        super().__init__()
        self.stem = nn.Sequential(*_conv(1, 64, 7, 2), nn.ReLU(inplace=True), nn.MaxPool2d(3, stride=2, padding=1))
        # The stem's pooling halves the maps already, so the first stage keeps their size.
        self.stages = nn.Sequential(
            _stage(64, 64, blocks=3, stride=1),
            _stage(256, 128, blocks=4, stride=2),
            _stage(512, 256, blocks=6, stride=2),
            _stage(1024, 512, blocks=3, stride=2),
        )
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2048, classes))

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        return self.head(self.stages(self.stem(crops)))


def _stage(inputs: int, width: int, *, blocks: int, stride: int) -> nn.Sequential:
    others = [Bottleneck(4 * width, width, 1) for _ in range(blocks - 1)]
    return nn.Sequential(Bottleneck(inputs, width, stride), *others)


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> tuple[nn.Module, nn.Module]:
    conv = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False)
    return conv, nn.BatchNorm2d(outputs)
