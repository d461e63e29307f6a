# SPDX-License-Identifier: Apache-2.0
"""A small network for 180x180 gray faces of acted emotions.

Source: Ding, Tang, Lu, "Investigation on Light-Weight Deep Learning Model for Emotion Recognition Using
Facial Expressions". The paper gives three 3x3 convolutions, the second and third with four times the filters of the
first, a pooling after each, dropout between them, and 542,136 parameters. With 16, 64 and 64 filters, zero padding, 2x2
pooling and dense layers of 16 and 8 units the number is exact for the paper's 8 classes. Against overfitting the paper
raises the last two dropouts from 0.3 to 0.5 and adds an L1 penalty on the dense layers, which is set in the recipe.
"""

from __future__ import annotations

import torch
from torch import nn

from fer_ros.networks.registry import ActedCnnOptions


class ActedCnn(nn.Module):
    """Map (N, 1, 180, 180) float32 crops to (N, classes) logits.

    Args:
        classes: number of logits.
        dropout: probability of dropping each output of the first pooling, 0..1.
        later_dropout: the same after the second and the third pooling.
    """

    def __init__(self, classes: int, dropout: float = 0.3, later_dropout: float = 0.3):
        super().__init__()
        self.stages = nn.Sequential(
            _stage(1, 16, dropout), _stage(16, 64, later_dropout), _stage(64, 64, later_dropout)
        )
        side = ActedCnnOptions.input_size // 8
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Linear(side * side * 64, 16),
            nn.ReLU(inplace=True),
            nn.Linear(16, classes),
        )

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        return self.head(self.stages(crops))


def _stage(inputs: int, outputs: int, dropout: float) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, 3, padding=1)
    return nn.Sequential(conv, nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Dropout(dropout))
