# SPDX-License-Identifier: Apache-2.0
"""Both profiles, by a detector that finds one: it is run on the image and on its mirror image."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fer_ros.faces.detectors.base import WHOLE_IMAGE, Detector, Query, ScanTile, non_max_suppression
from fer_ros.types import Box, Detection


class MirroredDetector(Detector):
    """Runs a detector on the image and on its mirror image, at twice the cost.

    Args:
        detector: finds faces without landmarks.
    """

    def __init__(self, detector: Detector):
        self._detector = detector

    def size_limits(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """See `Detector`."""
        return self._detector.size_limits(shape)

    def detect(self, image: np.ndarray, query: Query = WHOLE_IMAGE) -> list[Detection]:
        """See `Detector`."""
        width = image.shape[1]
        mirrored_query = replace(query, region=query.region and _mirror(query.region, width))
        return _merge(
            self._detector.detect(image, query), self._detector.detect(_mirror_image(image), mirrored_query), width
        )

    def redetect(self, image: np.ndarray, region: Box, size: int) -> list[Detection]:
        """See `Detector`."""
        width = image.shape[1]
        mirrored = self._detector.redetect(_mirror_image(image), _mirror(region, width), size)
        return _merge(self._detector.redetect(image, region, size), mirrored, width)

    def tiles(self, shape: tuple[int, int], pass_index: int, min_size: int, max_size: int) -> list[ScanTile]:
        """See `Detector`."""
        return self._detector.tiles(shape, pass_index, min_size, max_size)

    def proposals(self, image: np.ndarray, tile: ScanTile) -> list[Detection]:
        """See `Detector`."""
        width = image.shape[1]
        mirrored_tile = replace(tile, region=_mirror(tile.region, width))
        mirrored = self._detector.proposals(_mirror_image(image), mirrored_tile)
        return _merge(self._detector.proposals(image, tile), mirrored, width)


def _merge(detections: list[Detection], mirrored: list[Detection], width: int) -> list[Detection]:
    restored = [replace(detection, box=_mirror(detection.box, width)) for detection in mirrored]
    return non_max_suppression(detections + restored)


def _mirror_image(image: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(image[:, ::-1])


def _mirror(box: Box, width: int) -> Box:
    return replace(box, x=width - box.right)
