"""Brings answers back together with the images they belong to."""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import Any, NamedTuple

from fer_ros.types import FaceResult


@dataclass(frozen=True)
class Answer:
    """What was recognized in one image."""

    stamp: int
    """Of the image, nanoseconds."""
    labels: tuple[str, ...]
    """The order of every score vector."""
    faces: tuple[FaceResult, ...]
    """Largest first."""
    dominant_face_id: str = ""
    """Empty: nobody."""


class Pair(NamedTuple):
    """An answer and its image; None where that never came."""

    image: Any
    answer: Answer


class Pairing:
    """Pairs answers and images of the same stamp, whichever comes first, in the order of the answers.

    Args:
        most_bytes: images are kept up to this size while their answers are awaited; the oldest go first.
        patience: so many answers wait for their image while no later answer has found its own.
    """

    def __init__(self, most_bytes: int = 256 * 2**20, patience: int = 10):
        self._most_bytes = most_bytes
        self._patience = patience
        self._images: OrderedDict[int, tuple[Any, int]] = OrderedDict()
        self._bytes = 0
        self._answers: deque[Answer] = deque()

    @property
    def waiting(self) -> int:
        """How many answers have not found their image yet."""
        return len(self._answers)

    def add_image(self, stamp: int, image: Any, size: int) -> list[Pair]:
        """Takes an image of `size` bytes; returns the pairs that are decided by it."""
        self._drop(stamp)
        self._images[stamp] = (image, size)
        self._bytes += size
        while self._bytes > self._most_bytes and len(self._images) > 1:
            self._drop(next(iter(self._images)))
        return self._decided()

    def add_answer(self, answer: Answer) -> list[Pair]:
        """Takes an answer; returns the pairs that are decided by it."""
        self._answers.append(answer)
        return self._decided()

    def rest(self) -> list[Pair]:
        """The answers whose image has not come, when nothing more is awaited."""
        rest = [Pair(None, answer) for answer in self._answers]
        self._answers.clear()
        return rest

    def _decided(self) -> list[Pair]:
        found = [index for index, answer in enumerate(self._answers) if answer.stamp in self._images]
        decided = found[-1] + 1 if found else len(self._answers) - self._patience
        return [self._pair(self._answers.popleft()) for _ in range(decided)]

    def _pair(self, answer: Answer) -> Pair:
        image, _ = self._images.get(answer.stamp, (None, 0))
        # What came before an answered image was passed over by the node: its answer will never come.
        while answer.stamp in self._images:
            self._drop(next(iter(self._images)))
        return Pair(image, answer)

    def _drop(self, stamp: int) -> None:
        _, size = self._images.pop(stamp, (None, 0))
        self._bytes -= size
