"""Whether two detectors mean the same faces."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from fer_ros.types import Box

SAME = 0.5
"""Intersection over union from which two boxes are of the same face."""


def shared(first: Sequence[Box], second: Sequence[Box], overlap: float = SAME) -> int:
    """How many boxes of one picture both have: pairs that overlap at least by this, each box used once."""
    if not first or not second:
        return 0
    same = np.array([[one.iou(other) >= overlap for other in second] for one in first])
    return int(same[linear_sum_assignment(same, maximize=True)].sum())
