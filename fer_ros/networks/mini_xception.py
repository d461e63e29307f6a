"""mini-Xception: residual stages of depth-wise separable convolutions on 48x48 gray crops.

Source: Arriaga, Plöger, Valdenegro, "Real-time Convolutional Neural Networks for Emotion and Gender Classification",
2017; the 58,423-parameter network that Rao et al. and Lyu build on. With 7 classes it has exactly 56,951 trainable
parameters and 1,472 batch-norm statistics.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional


class SeparableConv(nn.Sequential):
    """3x3 depth-wise and 1x1 point-wise convolution, same size, then batch norm."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__(
            nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs, bias=False),
            nn.Conv2d(inputs, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )


class XceptionStage(nn.Module):
    """Two separable convolutions and a pooling beside a strided 1x1 shortcut; halves width and height."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride=2, bias=False), nn.BatchNorm2d(outputs))
        self.body = nn.Sequential(
            SeparableConv(inputs, outputs),
            nn.ReLU(inplace=True),
            SeparableConv(outputs, outputs),
            nn.MaxPool2d(3, stride=2, padding=1),
        )

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return self.shortcut(maps) + self.body(maps)


def stem(width: int) -> nn.Sequential:
    """Two 3x3 convolutions without padding: (N, 1, size, size) to (N, width, size - 4, size - 4)."""
    return nn.Sequential(
        nn.Conv2d(1, width, 3, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
        nn.Conv2d(width, width, 3, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
    )


class MiniXception(nn.Module):
    """(N, 1, 48, 48) float32 to (N, classes) logits."""

    def __init__(self, classes: int):
        super().__init__()
        self.stem = stem(8)
        self.stages = nn.Sequential(
            XceptionStage(8, 16), XceptionStage(16, 32), XceptionStage(32, 64), XceptionStage(64, 128)
        )
        self.head = nn.Conv2d(128, classes, 3, padding=1)

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        maps = self.head(self.stages(self.stem(crops)))
        # Not `mean`, which becomes an operation that OpenCV before 4.7 gets wrong for more than one face.
        return functional.adaptive_avg_pool2d(maps, 1).flatten(1)
