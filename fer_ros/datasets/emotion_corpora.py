# SPDX-License-Identifier: Apache-2.0
"""Corpora of acted emotions: KDEF's images, and six frames of each video of RAVDESS, SAVEE and MEAD.

Prepared as by Ding, Tang and Lu ("Investigation on Light-Weight Deep Learning Model for Emotion Recognition Using
Facial Expressions"): the face is detected, by default with Viola-Jones, cropped and converted to gray. A fifth is the
split public: of the recordings of each emotion by default, with all frames and views of a performance in one split; of
the persons with `by_speaker`, which alone predicts the accuracy for people the model has never seen; of the images with
`by_image`, as in the paper.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from fer_ros.datasets import corpus_naming
from fer_ros.datasets.corpus_naming import Corpus, Recording
from fer_ros.datasets.face_cache import FaceCache, default_folder
from fer_ros.datasets.face_finder import FaceFinder
from fer_ros.datasets.face_images import SPLITS, DataError, FaceImages
from fer_ros.datasets.options import EmotionCorporaOptions
from fer_ros.media.image_files import read_image
from fer_ros.media.image_header import ImageError
from fer_ros.progress_bar import with_progress

FRAMES = 6
"""Frames of each video."""
_PUBLIC_SHARE = 0.2
_VIDEOS = {".mp4", ".avi"}
_BY_IMAGE = (
    "%s: split by image: frames of one recording, which hardly differ, are in both splits, so the accuracy is higher "
    "than on new recordings; leave out --by-image, or give --by-speaker, for one that holds for those"
)

_log = logging.getLogger(__name__)


class EmotionCorpusReader:
    """Reads the folder of a corpus."""

    def __init__(self, options: EmotionCorporaOptions):
        self._options = options
        self._cache = Path(options.cache).expanduser() if options.cache else default_folder()

    def matches(self, paths: Sequence[Path]) -> bool:
        return len(paths) == 1 and paths[0].is_dir() and corpus_naming.recognize(paths[0]) is not None

    def read(self, paths: Sequence[Path], image_size: int) -> FaceImages:
        corpus = corpus_naming.recognize(paths[0])
        if corpus is None:
            raise DataError(f"{paths[0]}: no file is named as in a known corpus")
        return read(paths[0], corpus, image_size, self._options, self._cache)


def read(
    root: Path,
    corpus: Corpus,
    image_size: int,
    options: EmotionCorporaOptions | None = None,
    cache: Path | None = None,
) -> FaceImages:
    """Return the faces of a corpus, (image_size, image_size) each: one of an image, six of a video.

    Args:
        root: folder of the corpus.
        corpus: see `corpus_naming.recognize`.
        image_size: side of the images, pixels.
        options: which recordings to read, how to find the faces, and how to split them.
        cache: folder that keeps the faces found, also those found before an interruption or an error; None for none.

    Raises:
        DataError: names the file and its fault: its name, an unknown emotion, unreadable, black, no face; or the
            options exclude each other or do not fit the corpus.
    """
    options = options or EmotionCorporaOptions()
    if options.by_image and options.by_speaker:
        raise DataError("--by-image and --by-speaker exclude each other")
    recordings = corpus.recordings(root, options)
    # Before the faces, which take long: the draw may fail.
    public = _draw_public(recordings, root, options)
    finder = FaceFinder(image_size, options.detector or "viola_jones", options.align)
    face_cache = FaceCache(root, image_size, cache, finder.method) if cache else None
    faces: list[np.ndarray] = []
    targets: list[int] = []
    splits: list[int] = []
    found_faces = _all_faces([recording.path for recording in recordings], root, finder, face_cache)
    for recording, found in zip(recordings, found_faces, strict=True):
        if isinstance(found, DataError):
            if not options.skip_faulty:
                raise found
            _log.warning("left out: %s", found)
            continue
        faces += found
        targets += [corpus.labels.index(recording.label)] * len(found)
        names = _draw_names(recording, root, options)[: len(found)]
        splits += [SPLITS.index("public" if name in public else "training") for name in names]
    if not faces:
        raise DataError(f"{root}: none of its {len(recordings)} files could be used")
    return FaceImages(np.stack(faces), np.array(targets, np.int64), corpus.labels, np.array(splits, np.uint8))


def _all_faces(
    paths: Sequence[Path], root: Path, finder: FaceFinder, cache: FaceCache | None
) -> Iterator[list[np.ndarray] | DataError]:
    """Yield the faces of each file, or what is wrong with it, with a progress bar on a terminal."""
    try:
        for path in with_progress(paths, f"{root.name}: finding faces"):
            known = cache.get(path) if cache else None
            try:
                found = _faces(path, finder) if known is None else known
            except DataError as error:
                yield error
                continue
            if cache and known is None:
                cache.put(path, found)
            yield found
    finally:
        if cache:
            cache.save()


def _draw_public(recordings: Sequence[Recording], root: Path, options: EmotionCorporaOptions) -> set[str]:
    """Return the names (see `_draw_names`) that are drawn for the split public, a fifth of them; deterministic.

    Speakers are drawn from all, images and performances from those of each emotion.
    """
    if options.by_image:
        _log.warning(_BY_IMAGE, root)
    speakers = {recording.speaker for recording in recordings}
    if options.by_speaker and len(speakers) < 2:
        raise DataError(f"{root}: has only one speaker, {speakers.pop()}, and cannot be split by speaker")
    groups: dict[str, set[str]] = {}
    for recording in recordings:
        group = "" if options.by_speaker else recording.label
        groups.setdefault(group, set()).update(_draw_names(recording, root, options))
    return set().union(*map(_fifth, groups.values()))


def _draw_names(recording: Recording, root: Path, options: EmotionCorporaOptions) -> list[str]:
    """Return for each frame of a recording what decides its split: the same for frames that must not be separated."""
    frames = FRAMES if recording.path.suffix.lower() in _VIDEOS else 1
    if options.by_speaker:
        return [recording.speaker] * frames
    if options.by_image:
        return [f"{recording.path.relative_to(root).as_posix()} {number}" for number in range(frames)]
    return [recording.performance] * frames


def _fifth(names: Iterable[str]) -> set[str]:
    """Return a fifth of the names, at least one of two or more, drawn by their digests."""
    shuffled = sorted(names, key=lambda name: hashlib.blake2b(name.encode(errors="surrogateescape")).digest())
    return set(shuffled[: max(round(_PUBLIC_SHARE * len(shuffled)), len(shuffled) > 1)])


def _faces(path: Path, finder: FaceFinder) -> list[np.ndarray]:
    """Return the face in each frame of a video, or in an image: (image_size, image_size) uint8."""
    images = _frames(path) if path.suffix.lower() in _VIDEOS else [_read_image(path)]
    try:
        return finder.faces(images)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


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
