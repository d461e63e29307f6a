# SPDX-License-Identifier: Apache-2.0
"""A small network for 180x180 gray faces of acted emotions.

Source: Ding, Tang, Lu, "Investigation on Light-Weight Deep Learning Model for Emotion Recognition Using
Facial Expressions". The paper gives three 3x3 convolutions, the second and third with four times the filters of the
first, a pooling after each, and 542,136 parameters. With 16, 64 and 64 filters, zero padding, 2x2 pooling and dense
layers of 16 and 8 units the number is exact for the paper's 8 classes. The L1 penalty on the dense layers is set in
the recipe.
"""

from __future__ import annotations

import torch
from torch import nn

from fer_ros.networks.registry import ActedCnnOptions


class ActedCnn(nn.Module):
    """Map (N, 1, 180, 180) float32 crops to (N, classes) logits.

    Args:
        classes: number of logits.
        dropout: probability of dropping each input of the two dense layers, 0..1; the paper compares 0.3 and 0.5.
    """

    def __init__(self, classes: int, dropout: float = 0.3):
        super().__init__()
        self.stages = nn.Sequential(_stage(1, 16), _stage(16, 64), _stage(64, 64))
        side = ActedCnnOptions.input_size // 8
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(side * side * 64, 16),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(16, classes),
        )

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        return self.head(self.stages(crops))


def _stage(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2))
