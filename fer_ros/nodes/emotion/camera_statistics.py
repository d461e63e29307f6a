# SPDX-License-Identifier: Apache-2.0
"""Counts what happens to the images of one camera; evaluated once a second by the diagnostics."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from builtin_interfaces.msg import Time

from fer_ros.nodes.common.image_monitor import ArrivalCounter

_WINDOW = 300
"""Number of latest images of which processing times are kept."""


@dataclass
class CameraStatistics:
    """Counters of the images of one camera since the node was configured."""

    arrivals: ArrivalCounter = field(default_factory=ArrivalCounter)
    """Images received."""
    processed: int = 0
    skipped: int = 0
    """Replaced by a newer image before they were processed."""
    late: int = 0
    """Overtaken by a newer image on their way."""
    above_max_rate: int = 0
    unreadable: int = 0
    stamps_stand_still: bool = False
    """Whether the stamps of the latest images do not advance."""
    faces: int = 0
    """In the last processed image."""
    stamp: Time = field(default_factory=Time)
    """Of the last processed image."""
    times: deque[Mapping[str, float]] = field(default_factory=lambda: deque(maxlen=_WINDOW))
    """Seconds per stage of the latest images; cameras that are processed in one batch share them."""

    def add_result(self, stamp: Time, faces: int) -> None:
        """Count one processed image.

        Args:
            stamp: of the image.
            faces: number of faces in it.
        """
        self.processed += 1
        self.faces = faces
        self.stamp = stamp
