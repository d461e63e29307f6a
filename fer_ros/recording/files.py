# SPDX-License-Identifier: Apache-2.0
"""Files of a recording: a table of all faces, an annotated video, and one annotated image."""

from __future__ import annotations

import csv
import errno
import math
import os
import shutil
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from fer_ros.files import atomic_write, check_writable
from fer_ros.media.resize import resize
from fer_ros.media.video_container import is_truncated
from fer_ros.recording.synchronizer import ImageResult
from fer_ros.text import seconds
from fer_ros.types import FaceResult

COLUMNS = ("stamp", "face_id", "x", "y", "width", "height", "label")
"""Columns before those of the scores: stamp in seconds, box in pixels of the image."""

_DEFAULT_RATE = 10.0
"""Images per second of a video whose stamps do not increase."""
_LOWEST_RATE = 0.1
"""Images per second; a video of images that are farther apart is played faster."""
_BEST_COMPRESSION = (cv2.IMWRITE_PNG_COMPRESSION, 9)
_CODECS = {".mp4": "mp4v", ".webm": "VP80"}
"""Codec by the suffix of the file."""


class RecordingError(Exception):
    """A file cannot be written; the message names it and the reason."""


class EmotionsCsv:
    """Writes one row for each face of each image, flushed when `add` returns.

    The scores are the smoothed ones. The labels of the first result name their columns; if a later model has other
    labels, columns that it lacks stay empty and labels without a column are left out.

    Args:
        path: CSV file to write; an existing file is replaced.

    Raises:
        RecordingError: by every method, if the file cannot be written.
    """

    def __init__(self, path: Path):
        self._path = path
        self._labels: tuple[str, ...] | None = None
        with writing(path):
            # Line-buffered, so that a crash loses no row.
            self._file = open(path, "w", newline="", encoding="utf-8", buffering=1)  # noqa: SIM115
        self._table = csv.writer(self._file, lineterminator="\n")
        self.emotions: Counter[str] = Counter()
        """Number of rows by emotion."""

    def add(self, result: ImageResult) -> None:
        """Write the rows of a result."""
        with writing(self._path):
            if self._labels is None:
                self._write_header(result.labels)
            for face in result.faces:
                self._table.writerow(self._row(result, face))
                self.emotions[face.emotion] += 1

    def close(self) -> None:
        """Close the file; without a result it holds the fixed columns."""
        with writing(self._path):
            if self._labels is None:
                self._write_header(())
            self._file.close()

    def _write_header(self, labels: tuple[str, ...]) -> None:
        self._labels = labels
        self._table.writerow([*COLUMNS, *labels])

    def _row(self, result: ImageResult, face: FaceResult) -> list[str | int]:
        box = face.box
        scores = dict(zip(result.labels, face.smoothed_scores, strict=False))
        return [
            seconds(result.stamp),
            face.id,
            *(box.x, box.y, box.width, box.height),
            face.emotion,
            *(f"{scores[label]:.6f}" if label in scores else "" for label in self._labels or ()),
        ]


class Video:
    """Writes images into an mp4 or webm file at their frame rate.

    The header of the file has the frame rate, so the first images are buffered until their stamps give it. Images of
    another size than the first are letterboxed.

    Args:
        path: video file to write; an existing file is replaced.

    Raises:
        RecordingError: by every method, if the file cannot be written.
    """

    _MAX_BUFFERED = 20
    _MAX_BUFFERED_BYTES = 128 * 2**20
    _MAX_SIDE = 1920
    """Pixels; larger images are scaled down."""

    def __init__(self, path: Path):
        self._path = path
        self._buffer: list[tuple[np.ndarray, int]] = []
        self._writer: cv2.VideoWriter | None = None
        self._size = (0, 0)
        with writing(path):
            path.unlink(missing_ok=True)
            # OpenCV gives no reason when it cannot write a file; this does.
            path.touch()

    def add(self, image: np.ndarray, stamp: int) -> None:
        """Append a BGR image, (height, width, 3) uint8, taken at `stamp` nanoseconds."""
        with writing(self._path):
            _check_space(self._path)
        if self._writer is not None:
            self._writer.write(letterbox(image, self._size))
            return
        if not self._buffer:
            self._size = video_size(image, self._MAX_SIDE)
        self._buffer.append((letterbox(image, self._size), stamp))
        size = self._buffer[0][0].nbytes * len(self._buffer)
        if len(self._buffer) >= self._MAX_BUFFERED or size >= self._MAX_BUFFERED_BYTES:
            self._open()

    def close(self) -> None:
        """Complete the file; without an image there is none."""
        if self._buffer:
            self._open()
        if self._writer is None:
            self._path.unlink(missing_ok=True)
            return
        self._writer.release()
        if not _is_complete(self._path):
            raise RecordingError(f"{self._path} is incomplete: {_free_space(self._path)}")

    def _open(self) -> None:
        rate = frame_rate([stamp for _, stamp in self._buffer])
        codec = _CODECS[self._path.suffix]
        self._writer = _open_writer(self._path, rate, self._size)
        if not self._writer.isOpened():
            with writing(self._path):
                check_writable(self._path.parent)
            raise RecordingError(
                f"cannot write {self._path}: this build of OpenCV has no {codec} encoder; "
                "install opencv-python from PyPI"
            )
        for image, _ in self._buffer:
            self._writer.write(image)
        self._buffer = []


class BestImage:
    """Keeps the image with the most faces; with as many, that of the highest confidence, then the most central faces.

    Args:
        path: PNG file to write.
    """

    def __init__(self, path: Path):
        self._path = path
        self._best: tuple[int, float, float] = (-1, 0.0, 0.0)
        self._image: np.ndarray | None = None

    def offer(self, image: np.ndarray, result: ImageResult) -> None:
        """Keep a copy of an annotated BGR image if it is better than all before."""
        center = (image.shape[1] / 2, image.shape[0] / 2)
        rank = (
            len(result.faces),
            round(sum(face.confidence for face in result.faces), 1),
            -sum(math.dist(face.box.center, center) for face in result.faces),
        )
        if rank > self._best:
            self._best, self._image = rank, image.copy()

    def close(self) -> None:
        """Write the image, if there was any.

        Raises:
            RecordingError: the file cannot be written.
        """
        if self._image is None:
            return
        write_png(self._path, self._image, _BEST_COMPRESSION)


class Recording:
    """Writes emotions.csv, annotated.mp4 and annotated.png; touches no file before the first result.

    Args:
        folder: is created with the first result, which also removes an older recording in it.

    Raises:
        RecordingError: by every method, if a file cannot be written.
    """

    def __init__(self, folder: Path):
        try:
            check_writable(folder)
        except OSError as error:
            raise RecordingError(str(error)) from error
        self._folder = folder
        self._files: tuple[EmotionsCsv, Video, BestImage] | None = None

    @property
    def emotions(self) -> Counter[str]:
        """Number of recorded faces by emotion."""
        return self._files[0].emotions if self._files else Counter()

    @property
    def paths(self) -> list[Path]:
        """The files that exist, once there was a result."""
        names = ("annotated.mp4", "annotated.png", "emotions.csv") if self._files else ()
        return [path for name in names if (path := self._folder / name).exists()]

    def add_result(self, result: ImageResult) -> None:
        """Add a result to the table; before its image is added."""
        self._files = self._files or self._open()
        self._files[0].add(result)

    def add_image(self, image: np.ndarray, result: ImageResult) -> None:
        """Append the annotated BGR image of a result to the video."""
        _, video, best = self._files = self._files or self._open()
        video.add(image, result.stamp)
        best.offer(image, result)

    def close(self) -> None:
        """Complete every file, also if one of them fails."""
        failures = []
        for file in self._files or ():
            try:
                file.close()
            except RecordingError as error:  # noqa: PERF203 (each of the three can fail)
                failures.append(str(error))
        if failures:
            raise RecordingError("; ".join(failures))

    def _open(self) -> tuple[EmotionsCsv, Video, BestImage]:
        video, best = self._folder / "annotated.mp4", self._folder / "annotated.png"
        with writing(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
        table = EmotionsCsv(self._folder / "emotions.csv")
        with writing(best):
            best.unlink(missing_ok=True)
        return table, Video(video), BestImage(best)


@cache
def browser_video_suffix() -> str:
    """Return ".webm" if this OpenCV writes VP8, which all browsers play, else ".mp4" (MPEG-4, which few do)."""
    with tempfile.TemporaryDirectory() as folder:
        writer = _open_writer(Path(folder, "probe.webm"), 10.0, (32, 32))
        opened = writer.isOpened()
        writer.release()
    return ".webm" if opened else ".mp4"


def _open_writer(path: Path, rate: float, size: tuple[int, int]) -> cv2.VideoWriter:
    # FFmpeg takes what is in front of a colon for a protocol, unless the path starts with a slash.
    arguments = os.path.abspath(path), cv2.VideoWriter.fourcc(*_CODECS[path.suffix]), rate, size
    # OpenCV writes to standard error that WebM has no tag for VP8, and then writes VP8 correctly.
    with _standard_error_closed():
        return cv2.VideoWriter(*arguments)


@contextmanager
def _standard_error_closed() -> Iterator[None]:
    """Discard what C code writes to standard error."""
    sys.stderr.flush()
    saved, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nothing)


def frame_rate(stamps: Sequence[int]) -> float:
    """Return images per second from stamps in nanoseconds; robust to pauses and repeated stamps."""
    steps = [later - earlier for earlier, later in pairwise(stamps) if later > earlier]
    return min(max(1e9 / statistics.median(steps), _LOWEST_RATE), 240.0) if steps else _DEFAULT_RATE


def video_size(image: np.ndarray, max_side: int) -> tuple[int, int]:
    """Return width and height of a video of such images: at most `max_side`, and even, as the encoder requires."""
    height, width = image.shape[:2]
    scale = min(1.0, max_side / max(width, height))

    def scaled(side: int) -> int:
        return int(max(16, round(side * scale / 2) * 2))

    return scaled(width), scaled(height)


def letterbox(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize a BGR image into `size` (width, height), keeping its aspect ratio, with black borders."""
    height, width = image.shape[:2]
    if (width, height) == size:
        return image
    scale = min(size[0] / width, size[1] / height)
    inside = (max(1, min(size[0], round(width * scale))), max(1, min(size[1], round(height * scale))))
    frame = np.zeros((size[1], size[0], 3), np.uint8)
    x, y = (size[0] - inside[0]) // 2, (size[1] - inside[1]) // 2
    frame[y : y + inside[1], x : x + inside[0]] = resize(image, inside)
    return frame


def write_png(path: Path, image: np.ndarray, options: Sequence[int] = ()) -> None:
    """Write an image, or nothing.

    Args:
        path: of the file; an existing one is replaced.
        image: BGR or gray, uint8.
        options: of `cv2.imencode`.

    Raises:
        RecordingError: the file cannot be written.
    """
    with writing(path), atomic_write(path) as temporary:
        temporary.write_bytes(cv2.imencode(".png", image, options)[1].tobytes())


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Context manager that turns an OSError into a RecordingError which names `path`."""
    try:
        yield
    except OSError as error:
        raise RecordingError(f"cannot write {path}: {error.strerror or error}") from error


def _check_space(path: Path) -> None:
    """Raise OSError if the disk is full: OpenCV only prints a line for each image that it cannot write."""
    disk = os.statvfs(path.parent)
    if disk.f_blocks and not disk.f_bavail:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _is_complete(path: Path) -> bool:
    """Return whether OpenCV could write a video to its end.

    Of an incomplete mp4 file it finds no index; in an incomplete webm file the number of images is missing, which is
    written last, or the file is shorter than its header says.
    """
    video = cv2.VideoCapture(os.path.abspath(path))
    return video.isOpened() and video.get(cv2.CAP_PROP_FRAME_COUNT) > 0 and not is_truncated(path)


def _free_space(path: Path) -> str:
    try:
        return f"its disk has {shutil.disk_usage(path.parent).free / 2**20:.0f} MB of free space"
    except OSError as error:
        return str(error.strerror)
