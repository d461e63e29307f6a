# SPDX-License-Identifier: Apache-2.0
"""mini-Xception: residual stages of depth-wise separable convolutions on 48x48 gray crops.

Source: Arriaga, Plöger, Valdenegro, "Real-time Convolutional Neural Networks for Emotion and Gender Classification",
2017, with a width of 8: with 7 classes it has exactly 56,951 trainable parameters and 1,472 batch-norm statistics,
58,423 in all. Rao et al. build on it. Lyu, "Facial Expression Recognition based on Mini_Xception", compares it with a
width of 64 after a first convolution of 32 channels: 2,917,863 parameters, 2,906,151 of them trainable.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional


class SeparableConv(nn.Sequential):
    """3x3 depth-wise and 1x1 point-wise convolution, same size, then batch norm; `bias` adds one to the latter."""

    def __init__(self, inputs: int, outputs: int, *, bias: bool = False):
        super().__init__(
            nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs, bias=False),
            nn.Conv2d(inputs, outputs, 1, bias=bias),
            nn.BatchNorm2d(outputs),
        )


class XceptionStage(nn.Module):
    """Two separable convolutions and a pooling beside a strided 1x1 shortcut; halves width and height."""

    def __init__(self, inputs: int, outputs: int, *, bias: bool = False):
        super().__init__()
        self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride=2, bias=bias), nn.BatchNorm2d(outputs))
        self.body = nn.Sequential(
            SeparableConv(inputs, outputs, bias=bias),
            nn.ReLU(inplace=True),
            SeparableConv(outputs, outputs, bias=bias),
            nn.MaxPool2d(3, stride=2, padding=1),
        )

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return self.shortcut(maps) + self.body(maps)


def stem(first_width: int, width: int, *, bias: bool = False) -> nn.Sequential:
    """Return two 3x3 convolutions without padding: (N, 1, size, size) to (N, width, size - 4, size - 4)."""
    return nn.Sequential(
        nn.Conv2d(1, first_width, 3, bias=bias),
        nn.BatchNorm2d(first_width),
        nn.ReLU(inplace=True),
        nn.Conv2d(first_width, width, 3, bias=bias),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
    )


class MiniXception(nn.Module):
    """Map (N, 1, size, size) float32 crops to (N, classes) logits; the papers use a size of 48.

    Args:
        classes: number of logits.
        width: channels after the stem; each of the four stages doubles them, so the last has 16 times as many.
        first_width: channels of the first convolution; 0: as many as `width`.
    """

    def __init__(self, classes: int, width: int = 8, first_width: int = 0):
        super().__init__()
        self.stem = stem(first_width or width, width)
        self.stages = nn.Sequential(*(XceptionStage(times * width, 2 * times * width) for times in (1, 2, 4, 8)))
        self.head = nn.Conv2d(16 * width, classes, 3, padding=1)

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        maps = self.head(self.stages(self.stem(crops)))
        # Not `mean`: it becomes an ONNX operation that OpenCV before 4.7 computes wrongly for more than one face.
        return functional.adaptive_avg_pool2d(maps, 1).flatten(1)
