# SPDX-License-Identifier: Apache-2.0
"""Plain networks of 3, 4, 5 and 6 convolution layers.

Source: Yang, Zhang, Zheng, "Recognizing facial emotion leveraging convolutional neural network", which
compares these depths with 2x2 pooling, dropout and batch norm; the widths are not published. Here the layers have
32, 64, 128, 128, 256 and 256 filters. A pooling follows each of the first four, so that maps of 48x48 end at 3x3, and
at 6x6 with three layers.
"""

from __future__ import annotations

import torch
from torch import nn

from fer_ros.networks.registry import CnnLayersOptions

_FILTERS = (32, 64, 128, 128, 256, 256)
_POOLED = 4
"""Layers that a pooling follows."""
_INPUT_SIZE = CnnLayersOptions.input_size


class CnnLayers(nn.Module):
    """Map (N, 1, 48, 48) float32 crops to (N, classes) logits.

    Args:
        classes: number of logits.
        layers: number of convolution layers, 3 to 6.
        dropout: probability of dropping each input of the two dense layers, 0..1.

    Raises:
        ValueError: the number of layers is out of range.
    """

    def __init__(self, classes: int, layers: int = 4, dropout: float = 0.25):
        super().__init__()
        if not 3 <= layers <= len(_FILTERS):
            raise ValueError(f"layers must be from 3 to {len(_FILTERS)}, not {layers}")
        filters = _FILTERS[:layers]
        self.stages = nn.Sequential(
            *(_layer(i, o, k < _POOLED) for k, (i, o) in enumerate(zip((1, *filters), filters, strict=False)))
        )
        side = _INPUT_SIZE >> min(layers, _POOLED)
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(side * side * filters[-1], 128),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(128, classes),
        )

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        return self.head(self.stages(crops))


def _layer(inputs: int, outputs: int, pooled: bool) -> nn.Sequential:
    layer = nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )
    return layer.append(nn.MaxPool2d(2)) if pooled else layer
