# SPDX-License-Identifier: Apache-2.0
"""Viola-Jones: a boosted cascade of Haar or LBP features, run by OpenCV.

Source: Viola, Jones, "Rapid Object Detection using a Boosted Cascade of Simple Features", 2001.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np

from fer_ros.faces.cascades import find_cascade, load_cascade
from fer_ros.faces.detectors.base import WHOLE_IMAGE, Detector, Query, ScanTile, non_max_suppression
from fer_ros.faces.detectors.common import SizeOptions
from fer_ros.faces.detectors.mirrored import MirroredDetector
from fer_ros.faces.detectors.pyramid import PyramidLevel, group_hits
from fer_ros.registry import option
from fer_ros.types import Box, Detection

_REDETECT_STEP = 1.1
"""Ratio between the three sizes that `redetect` tries."""
_REDETECT_MIN_NEIGHBORS = 1
_POSITIONS_PER_TILE = 8000
"""Positions in one tile, about 1 ms of one core; a full scan of 640x480 visits 530 000."""


@dataclass(frozen=True)
class ViolaJonesOptions(SizeOptions):
    """Options of `ViolaJones`.

    Raises:
        ValueError: a value is out of its range.
    """

    cascade: str = option("haarcascade_frontalface_default", "name of a cascade of OpenCV, or path of its xml file")
    scale_factor: float = option(1.1, "ratio between the sizes searched, above 1; closer to 1 finds more and is slower")
    min_neighbors: int = option(5, "overlapping hits that make a face; more means fewer false faces")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.scale_factor > 1:
            raise ValueError(f"scale_factor must be above 1, not {self.scale_factor}")
        if self.min_neighbors < 0:
            raise ValueError(f"min_neighbors must not be negative, not {self.min_neighbors}")


class ViolaJones(Detector):
    """Finds upright faces with a cascade.

    A full scan runs the cascade at every position and size: in steps of two pixels of the pyramid level where the
    image is reduced by less than 2, of one pixel otherwise. A face gives dozens of overlapping hits, so that a quarter
    of the positions, in steps of two pixels at every level, still hits it: `redetect` and `proposals` rely on that.

    Args:
        options: the cascade and how to run it.

    Raises:
        FileNotFoundError: there is no such cascade; the message lists the folders searched.
        ValueError: the file is not a cascade, or not one for faces.
    """

    def __init__(self, options: ViolaJonesOptions | None = None):
        self._options = options or ViolaJonesOptions()
        self._cascade = load_cascade(find_cascade(self._options.cascade))
        self._window, height = self._cascade.getOriginalWindowSize()
        if self._window != height:
            raise ValueError(
                f"cascade '{self._options.cascade}' has a window of {self._window}x{height} pixels, as those for "
                "bodies have; choose one for faces, whose window is square"
            )

    def size_limits(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """See `Detector`."""
        return self._options.limits(shape)

    def detect(self, image: np.ndarray, query: Query = WHOLE_IMAGE) -> list[Detection]:
        """Return the faces in an image. The score is the weight of the cascade's last stage.

        A region is searched at the positions and sizes of the full scan, so that both return the same boxes.
        `query.threshold_scale` scales `min_neighbors`. See `Detector`.
        """
        smallest, largest = self._options.limits_of(query, image.shape)
        min_neighbors = math.ceil(self._options.min_neighbors * query.threshold_scale)
        if largest < smallest:
            return []
        if query.region is not None:
            factors = _factors(self._window, self._options.scale_factor, smallest, largest)
            hits = [
                hit
                for factor in factors
                for hit in self._hits(PyramidLevel(image.shape, factor, self._window), image, query.region)
            ]
            return group_hits(hits, min_neighbors)
        boxes, _, weights = self._cascade.detectMultiScale3(
            image,
            scaleFactor=self._options.scale_factor,
            minNeighbors=min_neighbors,
            minSize=(smallest, smallest),
            maxSize=(largest, largest),
            outputRejectLevels=True,
        )
        return [
            Detection(Box(*map(int, box)), float(weight)) for box, weight in zip(boxes, np.ravel(weights), strict=True)
        ]

    def redetect(self, image: np.ndarray, region: Box, size: int) -> list[Detection]:
        """Try three sizes on a sparse grid; two hits make a face. See `Detector`."""
        hits = []
        for width in (size / _REDETECT_STEP, size, size * _REDETECT_STEP):
            if width >= self._window:
                level = PyramidLevel(image.shape, width / self._window, self._window)
                hits += self._hits(level, image, region, sparse=True)
        return group_hits(hits, _REDETECT_MIN_NEIGHBORS)

    def tiles(self, shape: tuple[int, int], pass_index: int, min_size: int, max_size: int) -> list[ScanTile]:
        """Return strips with every second size; the sizes between are in the next pass. See `Detector`."""
        factors = _factors(self._window, self._options.scale_factor, min_size, min(max_size, *shape))
        sizes = [round(factor * self._window) for factor in factors]
        # The grid of every second pair of passes is shifted, so that no face that stands still is always missed.
        shifted = pass_index // 2 % 2
        return [
            tile
            for width in sizes[pass_index % 2 :: 2]
            for tile in _strips(shape, self._window, width, shifted * width // self._window)
        ]

    def proposals(self, image: np.ndarray, tile: ScanTile) -> list[Detection]:
        """Return single hits at every second size, on a sparse grid. See `Detector`."""
        hits: list[Detection] = []
        size = float(tile.min_size)
        while size <= tile.max_size:
            level = PyramidLevel(image.shape, size / self._window, self._window)
            hits += self._hits(level, image, tile.region, sparse=True)
            size *= self._options.scale_factor**2
        return non_max_suppression(hits)

    def _hits(self, level: PyramidLevel, image: np.ndarray, region: Box, sparse: bool = False) -> list[Detection]:
        """Return each position of a region that the cascade accepts; `sparse` visits a quarter of the positions."""
        window = (self._window, self._window)
        hits: list[Detection] = []
        for corner, crop in level.crops(image, region, sparse):
            positions, _, weights = self._cascade.detectMultiScale3(
                crop, scaleFactor=2.0, minNeighbors=0, minSize=window, maxSize=window, outputRejectLevels=True
            )
            hits += [
                Detection(level.box(corner[0] + int(position[0]), corner[1] + int(position[1])), float(weight))
                for position, weight in zip(positions, np.ravel(weights), strict=True)
            ]
        return hits


def create_viola_jones(options: ViolaJonesOptions) -> Detector:
    """Return a `ViolaJones`, mirrored where the cascade is for profiles: those of OpenCV know one side only."""
    detector = ViolaJones(options)
    return MirroredDetector(detector) if "profile" in Path(options.cascade).stem else detector


@lru_cache(maxsize=256)
def _factors(window: int, scale_factor: float, smallest: int, largest: int) -> list[float]:
    """Return by how much the full scan reduces the image for each size between two widths of a face."""
    factors, factor = [], 1.0
    while round(window * factor) <= largest:
        if round(window * factor) >= smallest:
            factors.append(factor)
        factor *= scale_factor
    return factors


@lru_cache(maxsize=256)
def _strips(shape: tuple[int, int], window: int, size: int, shift: int) -> list[ScanTile]:
    """Return an image as strips in which a face of `size` pixels has `_POSITIONS_PER_TILE` positions."""
    height, width = shape[0] - shift, shape[1] - shift
    if min(height, width) < size:
        return []
    step = 2 * size / window
    positions = max(1.0, (height - size) / step) * max(1.0, (width - size) / step)
    tops = np.linspace(0, height - size, math.ceil(positions / _POSITIONS_PER_TILE) + 1).astype(int)
    return [
        ScanTile(Box(shift, shift + int(top), width, int(bottom - top) + size), size, size)
        for top, bottom in pairwise(tops)
    ]
