# SPDX-License-Identifier: Apache-2.0
"""Corpora of acted emotions: KDEF's images, and six frames of each video of RAVDESS, SAVEE and MEAD.

Prepared as by Ding, Tang and Lu ("Investigation on Light-Weight Deep Learning Model for Emotion Recognition Using
Facial Expressions"): the face is detected, here with Viola-Jones, cropped and converted to gray. A fifth of the
recordings is the split public. All frames of a recording are in the same split, and with `by_speaker` all recordings of
a person are: only then does the accuracy predict that for people the model has never seen.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np

from fer_ros.datasets import corpus_naming
from fer_ros.datasets.corpus_naming import Corpus, Recording
from fer_ros.datasets.face_cache import FaceCache, default_folder, with_progress
from fer_ros.datasets.face_images import SPLITS, DataError, FaceImages
from fer_ros.emotion.preprocessing import Preprocessing
from fer_ros.faces.detectors.viola_jones import ViolaJones
from fer_ros.media.image_files import read_image
from fer_ros.media.image_header import ImageError
from fer_ros.types import Box

T = TypeVar("T")

FRAMES = 6
"""Frames of each video."""
_PUBLIC_SHARE = 0.2
_VIDEOS = {".mp4", ".avi"}

_log = logging.getLogger(__name__)


class EmotionCorpusReader:
    """Reads the folder of a corpus.

    Args:
        by_speaker: whether each person is in one split only.
        skip_faulty: whether to leave out, with a warning, files that cannot be read or show no face.
        cache: folder that keeps the faces found; None for `face_cache.default_folder()`.
    """

    def __init__(self, by_speaker: bool = False, skip_faulty: bool = False, cache: Path | None = None):
        self._by_speaker = by_speaker
        self._skip_faulty = skip_faulty
        self._cache = cache or default_folder()

    def matches(self, paths: Sequence[Path]) -> bool:
        return len(paths) == 1 and paths[0].is_dir() and corpus_naming.recognize(paths[0]) is not None

    def read(self, paths: Sequence[Path], image_size: int) -> FaceImages:
        corpus = corpus_naming.recognize(paths[0])
        if corpus is None:
            raise DataError(f"{paths[0]}: no file is named as in a known corpus")
        return read(
            paths[0], corpus, image_size, by_speaker=self._by_speaker, skip_faulty=self._skip_faulty, cache=self._cache
        )


def read(
    root: Path,
    corpus: Corpus,
    image_size: int,
    *,
    by_speaker: bool = False,
    views: tuple[str, ...] | None = None,
    skip_faulty: bool = False,
    cache: Path | None = None,
) -> FaceImages:
    """Return the faces of a corpus, (image_size, image_size) each: one of an image, six of a video.

    Args:
        root: folder of the corpus.
        corpus: see `corpus_naming.recognize`.
        image_size: side of the images, pixels.
        by_speaker: whether each person is in one split only.
        views: codes of the views to read, such as ("S", "HL", "HR") of KDEF; None reads the frontal view.
        skip_faulty: whether to leave out, with a warning, files that cannot be read or show no face.
        cache: folder that keeps the faces found, also those found before an interruption or an error; None for none.

    Raises:
        DataError: names the file and its fault: its name, an unknown emotion, unreadable, no face.
    """
    recordings = corpus.recordings(root, views)
    is_public = _choose_public(recordings, root, by_speaker)
    faces: list[np.ndarray] = []
    targets: list[int] = []
    splits: list[int] = []
    found_faces = _all_faces([recording.path for recording in recordings], root, image_size, cache)
    for recording, public, found in zip(recordings, is_public, found_faces, strict=True):
        if isinstance(found, DataError):
            if not skip_faulty:
                raise found
            _log.warning("left out: %s", found)
            continue
        faces += found
        targets += [corpus.labels.index(recording.label)] * len(found)
        splits += [SPLITS.index("public" if public else "training")] * len(found)
    if not faces:
        raise DataError(f"{root}: none of its {len(recordings)} files could be used")
    return FaceImages(np.stack(faces), np.array(targets, np.int64), corpus.labels, np.array(splits, np.uint8))


def _all_faces(
    paths: Sequence[Path], root: Path, image_size: int, folder: Path | None
) -> Iterator[list[np.ndarray] | DataError]:
    """Yield the faces of each file, or what is wrong with it, with a progress bar on a terminal."""
    cache = FaceCache(root, image_size, folder) if folder else None
    detector = ViolaJones()
    try:
        for path in with_progress(paths, f"{root.name}: finding faces"):
            known = cache.get(path) if cache else None
            try:
                found = _faces(path, detector, image_size) if known is None else known
            except DataError as error:
                yield error
                continue
            if cache and known is None:
                cache.put(path, found)
            yield found
    finally:
        if cache:
            cache.save()


def _choose_public(recordings: list[Recording], root: Path, by_speaker: bool) -> list[bool]:
    """Return which recordings are in the split public: a fifth of each emotion, or of the speakers; deterministic."""
    if by_speaker:
        speakers = {recording.speaker for recording in recordings}
        if len(speakers) < 2:
            raise DataError(f"{root}: has only one speaker, {speakers.pop()}, and cannot be split by speaker")
        public_speakers = _fifth(speakers, str)
        return [recording.speaker in public_speakers for recording in recordings]
    public_paths: set[Path] = set()
    for label in {recording.label for recording in recordings}:
        of_label = [recording.path for recording in recordings if recording.label == label]
        public_paths |= _fifth(of_label, lambda path: path.relative_to(root).as_posix())
    return [recording.path in public_paths for recording in recordings]


def _fifth(items: Iterable[T], name: Callable[[T], str]) -> set[T]:
    """Return a fifth of the items, at least one of two or more, drawn by a digest of their names."""
    shuffled = sorted(items, key=lambda item: hashlib.blake2b(name(item).encode()).digest())
    return set(shuffled[: max(round(_PUBLIC_SHARE * len(shuffled)), len(shuffled) > 1)])


def _faces(path: Path, detector: ViolaJones, image_size: int) -> list[np.ndarray]:
    """Return the face in each frame of a video, or in an image: (image_size, image_size) uint8."""
    images = _frames(path) if path.suffix.lower() in _VIDEOS else [_read_image(path)]
    boxes = {index: box for index, image in enumerate(images) if (box := _largest(detector, image))}
    if not boxes:
        raise DataError(f"{path}: no face found{f' in any of {len(images)} frames' if len(images) > 1 else ''}")
    crop = Preprocessing(input_size=image_size).crop
    # Actors hardly move: a frame without a detection takes the box of the nearest frame that has one.
    nearest = [boxes[min(boxes, key=lambda other: abs(other - index))] for index in range(len(images))]
    return [crop(image, box) for image, box in zip(images, nearest, strict=True)]


def _largest(detector: ViolaJones, gray: np.ndarray) -> Box | None:
    """Return the box of the largest face."""
    return max((found.box for found in detector.detect(gray)), key=lambda box: box.area, default=None)


def _read_image(path: Path) -> np.ndarray:
    try:
        return read_image(path, gray=True)
    except ImageError as error:
        raise DataError(str(error)) from error


def _frames(path: Path) -> list[np.ndarray]:
    """Return six gray frames of a video, evenly spaced, neither the first nor the last."""
    frames, total = _read_frames(path, None)
    if len(frames) < FRAMES <= total:
        # The container's count is a hint: a trimmed video, or one of a variable rate, has another number.
        frames, _ = _read_frames(path, total)
    if total == 0:
        raise DataError(f"{path}: not a readable video")
    if len(frames) < FRAMES:
        raise DataError(f"{path}: only {total} of {FRAMES} frames could be read; the video is too short")
    return frames


def _read_frames(path: Path, total: int | None) -> tuple[list[np.ndarray], int]:
    """Return six frames of a video with `total` frames (None: as many as it claims), and how many it really has."""
    video = cv2.VideoCapture(str(path))
    try:
        if total is None:
            total = max(int(video.get(cv2.CAP_PROP_FRAME_COUNT)), 0) if video.isOpened() else 0
        wanted = {int((index + 0.5) * total / FRAMES) for index in range(FRAMES)}
        frames = []
        number = 0
        # Read sequentially: seeking is inaccurate in many files.
        while video.grab():
            if number in wanted:
                read, frame = video.retrieve()
                if read:
                    frames.append(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY) if frame.ndim == 3 else frame)
            number += 1
            if len(frames) == FRAMES:
                break
    finally:
        video.release()
    return frames, number
