# SPDX-License-Identifier: Apache-2.0
"""The result of one image, as objects; each publisher makes its own messages from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from std_msgs.msg import Header

from fer_ros.people.events import Event
from fer_ros.types import FaceResult, Frame


@dataclass(frozen=True, eq=False)
class Result:
    """Everything known about one processed image of one camera."""

    header: Header
    """Of the image message: its stamp, and the camera's optical frame."""
    frame: Frame
    faces: Sequence[FaceResult]
    """Largest first."""
    events: Sequence[Event]
    """Caused by this image."""
    dominant_id: str
    """Id of the dominant face; empty if there is none. It may be hidden in this image."""
    labels: tuple[str, ...]
    """The model's labels, in the order of all scores."""
    model_id: str
    """Of the model that computed the scores."""
    processing_time: float
    """Seconds from the start of processing until this result."""
    bgr: Callable[[], np.ndarray]
    """Returns the image in color, (height, width, 3) uint8 BGR, read-only; converted at the first call."""

    @property
    def image_size(self) -> tuple[int, int]:
        """Width and height of the image in pixels."""
        height, width = self.frame.gray.shape
        return width, height
