# SPDX-License-Identifier: Apache-2.0
"""Matching the boxes of two detectors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from fer_ros.types import Box

MATCH_OVERLAP = 0.5
"""Intersection over union from which two boxes are of one face."""


def count_matches(first: Sequence[Box], second: Sequence[Box], overlap: float = MATCH_OVERLAP) -> int:
    """Return the number of faces that two detectors both found in an image.

    Args:
        first: boxes of one detector.
        second: boxes of the other.
        overlap: intersection over union, 0..1, from which two boxes match; each box is matched once at most.
    """
    if not first or not second:
        return 0
    matches = np.array([[box.iou(other) >= overlap for other in second] for box in first])
    return int(matches[linear_sum_assignment(matches, maximize=True)].sum())
