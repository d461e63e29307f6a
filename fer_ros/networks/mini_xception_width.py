"""Mini_Xception by width: the plan of mini-Xception with more or fewer channels in every layer.

Source: Lyu, "Facial Expression Recognition based on Mini_Xception", which compares widths of 8 to 128 and 64
to 1024 channels. Width 8 is mini-Xception itself, 58,423 parameters; width 64 has 2,936,711, of which
2,924,935 are trainable.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from fer_ros.networks.mini_xception import XceptionStage, stem


class MiniXceptionWidth(nn.Module):
    """(N, 1, 48, 48) float32 to (N, classes) logits.

    Args:
        width: channels of the first layer; each of the four stages doubles them, so the last has 16 times as many.

    Raises:
        ValueError: the width is no positive number.
    """

    def __init__(self, classes: int, width: int = 64):
        super().__init__()
        if width < 1:
            raise ValueError(f"width must be at least 1, not {width}")
        self.stem = stem(width)
        self.stages = nn.Sequential(*(XceptionStage(width * times, 2 * width * times) for times in (1, 2, 4, 8)))
        self.head = nn.Conv2d(16 * width, classes, 3, padding=1)

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        maps = self.head(self.stages(self.stem(crops)))
        # Not `mean`, which becomes an operation that OpenCV before 4.7 gets wrong for more than one face.
        return functional.adaptive_avg_pool2d(maps, 1).flatten(1)
