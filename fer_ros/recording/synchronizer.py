# SPDX-License-Identifier: Apache-2.0
"""Synchronize results with the images they were computed from."""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import Any, NamedTuple

from fer_ros.types import FaceResult


@dataclass(frozen=True)
class ImageResult:
    """Faces that were recognized in one image."""

    stamp: int
    """Time of the image, nanoseconds: its stamp, or counted by arrival if the stamps do not advance."""
    labels: tuple[str, ...]
    """Order of every score vector."""
    faces: tuple[FaceResult, ...]
    """Largest first."""
    dominant_face_id: str = ""
    """Empty if there is none."""


class Pair(NamedTuple):
    """A result and its image; None if the image never arrived."""

    image: Any
    result: ImageResult


class Synchronizer:
    """Pairs results and images with equal stamps, in whichever order they arrive.

    In contrast to `message_filters.TimeSynchronizer` it yields every result, in the order of arrival, and without an
    image if that did not arrive.

    Args:
        max_bytes: size of the images that are kept until their results arrive; the oldest are dropped.
        max_results: number of results that are kept until their images arrive; the oldest are given up.
    """

    def __init__(self, max_bytes: int = 256 * 2**20, max_results: int = 10):
        self._max_bytes = max_bytes
        self._max_results = max_results
        self._images: OrderedDict[int, tuple[Any, int]] = OrderedDict()
        self._bytes = 0
        self._results: deque[tuple[int, ImageResult]] = deque()

    @property
    def waiting(self) -> int:
        """Number of results whose image has not arrived yet."""
        return len(self._results)

    def add_image(self, stamp: int, image: Any, size: int) -> list[Pair]:
        """Add an image of `size` bytes, taken at `stamp` nanoseconds; return the pairs that are complete now."""
        self._drop(stamp)
        self._images[stamp] = (image, size)
        self._bytes += size
        while self._bytes > self._max_bytes and len(self._images) > 1:
            self._drop(next(iter(self._images)))
        return self._pop_complete()

    def add_result(self, result: ImageResult, stamp: int | None = None) -> list[Pair]:
        """Add a result; return the pairs that are complete now.

        Args:
            result: is paired with an image.
            stamp: of that image, nanoseconds; None means that of `result`.
        """
        self._results.append((result.stamp if stamp is None else stamp, result))
        return self._pop_complete()

    def flush(self) -> list[Pair]:
        """Return the results that still wait, without images."""
        pairs = [Pair(None, result) for _, result in self._results]
        self._results.clear()
        return pairs

    def _pop_complete(self) -> list[Pair]:
        found = [index for index, (stamp, _) in enumerate(self._results) if stamp in self._images]
        count = found[-1] + 1 if found else len(self._results) - self._max_results
        return [self._pair(*self._results.popleft()) for _ in range(count)]

    def _pair(self, stamp: int, result: ImageResult) -> Pair:
        image, _ = self._images.get(stamp, (None, 0))
        # Images before one with a result were skipped by the emotion node: their results will never arrive.
        while stamp in self._images:
            self._drop(next(iter(self._images)))
        return Pair(image, result)

    def _drop(self, stamp: int) -> None:
        _, size = self._images.pop(stamp, (None, 0))
        self._bytes -= size
