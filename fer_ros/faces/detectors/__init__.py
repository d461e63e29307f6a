"""Detectors of faces in a grey image, one file each."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from fer_ros.frame import Detection


class Detector(Protocol):
    """What every detector offers."""

    def detect(self, grey: np.ndarray) -> list[Detection]:
        """The faces in a (height, width) uint8 image, in its pixels."""
        ...
