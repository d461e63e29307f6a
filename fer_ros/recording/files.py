"""Keeps what was recognized: a table of every face, a video of every answered image, and one good picture."""

from __future__ import annotations

import csv
import math
import shutil
import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from fer_ros.media.resize import resize
from fer_ros.recording.synchronizer import Answer
from fer_ros.types import FaceResult

COLUMNS = ("stamp", "face_id", "x", "y", "width", "height", "label")
"""Before one column for each class: seconds, and pixels of the image."""

_UNKNOWN_RATE = 10.0
_SMALLEST = (cv2.IMWRITE_PNG_COMPRESSION, 9)


class RecordingError(Exception):
    """Something could not be written; the message is one line that names the file and the reason."""


class EmotionsCsv:
    """A line for each face of each image, on its way to the disk as soon as `add` returns.

    The scores are those over time, from which the label was decided. The first answer's labels name the columns;
    where a later model has others, what it cannot tell stays empty and what has no column is left out.

    Raises:
        RecordingError: from every method, when the file cannot be written.
    """

    def __init__(self, path: Path):
        self._path = path
        self._labels: tuple[str, ...] | None = None
        with _writing(path):
            # Line by line, so that a crash costs nothing of what was recognized before it.
            self._file = open(path, "w", newline="", encoding="utf-8", buffering=1)  # noqa: SIM115
        self._table = csv.writer(self._file, lineterminator="\n")
        self.emotions: Counter[str] = Counter()
        """How many lines carry each label."""

    def add(self, answer: Answer) -> None:
        with _writing(self._path):
            if self._labels is None:
                self._begin(answer.labels)
            for face in answer.faces:
                self._table.writerow(self._row(answer, face))
                self.emotions[face.emotion] += 1

    def close(self) -> None:
        with _writing(self._path):
            if self._labels is None:
                self._begin(())
            self._file.close()

    def _begin(self, labels: tuple[str, ...]) -> None:
        self._labels = labels
        self._table.writerow([*COLUMNS, *labels])

    def _row(self, answer: Answer, recognized: FaceResult) -> list:
        box = recognized.box
        scores = dict(zip(answer.labels, recognized.smoothed_scores, strict=False))
        return [
            f"{answer.stamp // 10**9}.{answer.stamp % 10**9:09d}",
            recognized.id,
            *(box.x, box.y, box.width, box.height),
            recognized.emotion,
            *(f"{scores[label]:.6f}" if label in scores else "" for label in self._labels),
        ]


class Video:
    """An mp4 file of pictures at the rate they were taken at.

    The rate of a video stands at its beginning, so the first pictures are held back until it is known. Pictures of
    another size than the first are fitted into its frame.

    Raises:
        RecordingError: from every method, when the file cannot be written.
    """

    _HELD_BACK = 20
    _MOST_HELD_BACK = 128 * 2**20
    _LONGEST_SIDE = 1920

    def __init__(self, path: Path):
        self._path = path
        self._held_back: list[tuple[np.ndarray, int]] = []
        self._writer: cv2.VideoWriter | None = None
        with _writing(path):
            path.unlink(missing_ok=True)
            # OpenCV says nothing about why it cannot write a file; this does.
            path.touch()

    def add(self, picture: np.ndarray, stamp: int) -> None:
        """Appends a BGR picture taken at `stamp` nanoseconds."""
        if self._writer is not None:
            self._writer.write(fitted(picture, self._size))
            return
        if not self._held_back:
            self._size = video_size(picture, self._LONGEST_SIDE)
        self._held_back.append((fitted(picture, self._size), stamp))
        held = self._held_back[0][0].nbytes * len(self._held_back)
        if len(self._held_back) >= self._HELD_BACK or held >= self._MOST_HELD_BACK:
            self._begin()

    def close(self) -> None:
        if self._held_back:
            self._begin()
        if self._writer is None:
            self._path.unlink(missing_ok=True)
            return
        self._writer.release()
        # A full disk is not reported either, but leaves a file that cannot be opened.
        if not cv2.VideoCapture(str(self._path)).isOpened():
            raise RecordingError(f"{self._path} is not complete: {_room_beside(self._path)}")

    def _begin(self) -> None:
        rate = frame_rate([stamp for _, stamp in self._held_back])
        self._writer = cv2.VideoWriter(str(self._path), cv2.VideoWriter_fourcc(*"mp4v"), rate, self._size)
        if not self._writer.isOpened():
            raise RecordingError(f"this OpenCV cannot write the video {self._path}: it has no encoder for mp4v")
        for picture, _ in self._held_back:
            self._writer.write(picture)
        self._held_back = []


class BestImage:
    """The picture that shows most: the most faces, among these the surest emotions, among these the middle of it."""

    def __init__(self, path: Path):
        self._path = path
        self._best: tuple[int, float, float] = (-1, 0.0, 0.0)
        self._picture: np.ndarray | None = None

    def offer(self, picture: np.ndarray, answer: Answer) -> None:
        middle = (picture.shape[1] / 2, picture.shape[0] / 2)
        value = (
            len(answer.faces),
            round(sum(face.confidence for face in answer.faces), 1),
            -sum(math.dist(face.box.center, middle) for face in answer.faces),
        )
        if value > self._best:
            self._best, self._picture = value, picture.copy()

    def close(self) -> None:
        """Writes it, if there was any.

        Raises:
            RecordingError: the file cannot be written.
        """
        if self._picture is None:
            return
        with _writing(self._path):
            self._path.write_bytes(cv2.imencode(".png", self._picture, _SMALLEST)[1].tobytes())


class Recording:
    """emotions.csv, annotated.mp4 and annotated.png in `folder`; it is made, and an older recording in it replaced.

    Raises:
        RecordingError: from every method, when something cannot be written.
    """

    def __init__(self, folder: Path):
        with _writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        self._csv = EmotionsCsv(folder / "emotions.csv")
        self._video = Video(folder / "annotated.mp4")
        self._best = BestImage(folder / "annotated.png")
        with _writing(folder / "annotated.png"):
            (folder / "annotated.png").unlink(missing_ok=True)

    @property
    def emotions(self) -> Counter[str]:
        """How many faces were recorded with each label."""
        return self._csv.emotions

    def add_answer(self, answer: Answer) -> None:
        self._csv.add(answer)

    def add_picture(self, picture: np.ndarray, answer: Answer) -> None:
        """Appends the annotated BGR picture of an answer."""
        self._video.add(picture, answer.stamp)
        self._best.offer(picture, answer)

    def close(self) -> None:
        """Completes every file, also when one of them fails."""
        failures = []
        for file in (self._csv, self._video, self._best):
            try:
                file.close()
            except RecordingError as error:  # noqa: PERF203 (three files, and each has its own failure)
                failures.append(str(error))
        if failures:
            raise RecordingError("; ".join(failures))


def frame_rate(stamps: Sequence[int]) -> float:
    """Pictures per second from stamps in nanoseconds, without being misled by a pause or a stamp that repeats."""
    steps = [later - earlier for earlier, later in pairwise(stamps) if later > earlier]
    return min(max(1e9 / statistics.median(steps), 1.0), 240.0) if steps else _UNKNOWN_RATE


def video_size(picture: np.ndarray, longest_side: int) -> tuple[int, int]:
    """Width and height of a video of such pictures: within `longest_side`, and even, as the encoder wants them."""
    height, width = picture.shape[:2]
    scale = min(1.0, longest_side / max(width, height))
    return tuple(max(16, round(side * scale / 2) * 2) for side in (width, height))


def fitted(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The picture within `size` (width, height): its proportions kept, black around it."""
    height, width = picture.shape[:2]
    if (width, height) == size:
        return picture
    scale = min(size[0] / width, size[1] / height)
    inside = (max(1, min(size[0], round(width * scale))), max(1, min(size[1], round(height * scale))))
    frame = np.zeros((size[1], size[0], 3), np.uint8)
    x, y = (size[0] - inside[0]) // 2, (size[1] - inside[1]) // 2
    frame[y : y + inside[1], x : x + inside[0]] = resize(picture, inside)
    return frame


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RecordingError(f"cannot write {path}: {error.strerror or error}") from error


def _room_beside(path: Path) -> str:
    try:
        return f"{shutil.disk_usage(path.parent).free / 2**20:.0f} MB are free on its disk"
    except OSError as error:
        return str(error.strerror)
