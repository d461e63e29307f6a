# SPDX-License-Identifier: Apache-2.0
"""Spreads a full scan over many frames, so that no frame takes as long as the full scan."""

from __future__ import annotations

import math
from collections import deque

from fer_ros.faces.detectors.base import Detector, ScanTile

_MAX_SHARE = 0.25
"""Largest share of the scan for the smallest faces in one frame, at any frame rate."""


class ScanScheduler:
    """Chooses the tiles of the full scan to process in each frame.

    Sizes are divided into octaves. Larger faces are closer, more important and cheaper to search for, so that each
    octave is scanned twice as often as the one below it.

    Args:
        detector: divides the scan into tiles.
        period: seconds of one pass for the smallest faces; takes four frames at least.
    """

    def __init__(self, detector: Detector, period: float):
        self._detector = detector
        self._period = period
        self._shape = (0, 0)
        self._octaves: list[_Octave] = []

    def tiles(self, shape: tuple[int, int], elapsed: float) -> list[ScanTile]:
        """Return the tiles to process in a frame.

        Args:
            shape: (height, width) of the image; another shape than that of the last frame restarts the scan.
            elapsed: seconds since the last frame.
        """
        if shape != self._shape:
            self._shape = shape
            smallest, largest = self._detector.size_limits(shape)
            count = max(1, math.ceil(math.log2(max(largest, 1) / max(smallest, 1))))
            self._octaves = [_Octave(self._detector, shape, smallest * 2**number) for number in range(count)]
        share = min(elapsed / self._period, _MAX_SHARE)
        return [tile for number, octave in enumerate(self._octaves) for tile in octave.advance(share * 2**number)]


class _Octave:
    """The scan for faces from one size to twice that size."""

    def __init__(self, detector: Detector, shape: tuple[int, int], smallest: int):
        self._detector = detector
        self._shape = shape
        self._smallest = smallest
        self._passes = 0
        self._pending: deque[ScanTile] = deque()
        self._tiles_per_pass = 0
        self._due = 0.0
        """Tiles, with fractions, that the frames so far have been too short for."""

    def advance(self, share: float) -> list[ScanTile]:
        """Return the next tiles: `share` (0..1) of a pass, with fractions of a tile carried over to the next frame."""
        if not self._pending:
            self._start_pass()
        self._due += self._tiles_per_pass * min(share, 1.0)
        tiles: list[ScanTile] = []
        while self._pending and len(tiles) + 1 <= self._due + 1e-6:
            tiles.append(self._pending.popleft())
        # A frame stops at the end of a pass, so that it scans no tile twice.
        self._due = min(self._due - len(tiles), 1.0)
        return tiles

    def _start_pass(self) -> None:
        self._pending.extend(self._detector.tiles(self._shape, self._passes, self._smallest, 2 * self._smallest - 1))
        self._tiles_per_pass = len(self._pending)
        self._passes += 1
