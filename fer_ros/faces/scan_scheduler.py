"""Spreads a full scan over frames, so that no frame pays for all of it."""

from __future__ import annotations

import math
from collections import deque

from fer_ros.faces.detectors.base import Detector, ScanTile

_MOST = 0.25
"""Largest share of a scan for the smallest faces in one frame, however slowly frames come."""


class ScanScheduler:
    """Which tiles of the full scan are due in each frame.

    Large faces are near, matter first and are quickly scanned for: twice as large ones are scanned for twice as often.

    Args:
        detector: divides the scan.
        period: seconds in which a scan for the smallest faces is completed. It takes four frames at least.
    """

    def __init__(self, detector: Detector, period: float):
        self._detector = detector
        self._period = period
        self._shape = (0, 0)
        self._octaves: list[_Octave] = []

    def tiles(self, shape: tuple[int, int], elapsed: float) -> list[ScanTile]:
        """What to look at in an image of (height, width) that comes `elapsed` seconds after the last."""
        if shape != self._shape:
            self._shape = shape
            smallest, largest = self._detector.sizes(shape)
            count = max(1, math.ceil(math.log2(max(largest, 1) / max(smallest, 1))))
            self._octaves = [_Octave(self._detector, shape, smallest, number) for number in range(count)]
        share = min(elapsed / self._period, _MOST)
        return [tile for number, octave in enumerate(self._octaves) for tile in octave.next(share * 2**number)]


class _Octave:
    """The scan for faces of one size to twice that size."""

    def __init__(self, detector: Detector, shape: tuple[int, int], smallest: int, number: int):
        self._detector = detector
        self._shape = shape
        self._sizes = range(smallest * 2**number, smallest * 2 ** (number + 1))
        self._turn = 0
        self._waiting: deque[ScanTile] = deque()
        self._of_this_turn = 0
        self._due = 0.0

    def next(self, share: float) -> list[ScanTile]:
        """The next `share` of the scan, 0..1; what does not make a whole tile waits for the next frame."""
        if not self._waiting:
            self._begin_turn()
        self._due += self._of_this_turn * min(share, 1.0)
        tiles: list[ScanTile] = []
        while self._waiting and len(tiles) + 1 <= self._due + 1e-6:
            tiles.append(self._waiting.popleft())
        # At the end of a turn the frame is done: nothing is looked at twice in it.
        self._due = min(self._due - len(tiles), 1.0)
        return tiles

    def _begin_turn(self) -> None:
        scan = self._detector.tiles(self._shape, self._turn, self._sizes.start, self._sizes.stop - 1)
        self._waiting.extend(scan)
        self._of_this_turn = len(self._waiting)
        self._turn += 1
