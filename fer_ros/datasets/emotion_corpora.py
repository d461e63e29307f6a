"""Reads the data sets of acted emotions: KDEF's pictures, and six frames of each video of RAVDESS, SAVEE and MEAD.

As Ding, Tang and Lu prepare them ("Investigation on Light-Weight Deep Learning Model for Emotion Recognition Using
Facial Expressions"): the face is found and cropped, here by Viola-Jones, and becomes gray. A fifth of the clips is
kept for choosing models. All frames of a clip are on one side, and with `by_speaker` all clips of a person are: only
then does the accuracy say what to expect of people the model has never seen.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np

from fer_ros.datasets.corpus_naming import Clip, Naming
from fer_ros.datasets.face_images import SPLITS, DataError, FaceImages
from fer_ros.emotion.preprocessing import Preprocessing
from fer_ros.faces.detectors.viola_jones import ViolaJones
from fer_ros.types import Box

FRAMES = 6
_HELD_BACK = 0.2
_VIDEOS = {".mp4", ".avi"}

_log = logging.getLogger(__name__)


def read(
    root: Path,
    naming: Naming,
    image_size: int,
    *,
    by_speaker: bool = False,
    views: tuple[str, ...] | None = None,
    skip_faulty: bool = False,
) -> FaceImages:
    """The faces of a data set, (image_size, image_size) each: one of a picture, six of a video.

    Args:
        root: folder of the data set.
        naming: what `acted_naming.recognize` says of it.
        image_size: pixels.
        by_speaker: whether each person is in one split only.
        views: codes of the views to read, such as ("S", "HL", "HR") of KDEF; the front when None.
        skip_faulty: leave out, with a warning, what cannot be read and where no face is found.

    Raises:
        DataError: names the file and what is wrong with it: its name, an unknown emotion, not readable, no face.
    """
    clips = naming.clips(root, views)
    held_back = _held_back(clips, root, by_speaker)
    detector = ViolaJones()
    faces, targets, splits = [], [], []
    for clip, public in zip(clips, held_back, strict=True):
        try:
            found = _faces(clip.path, detector, image_size)
        except DataError as error:
            if not skip_faulty:
                raise
            _log.warning("left out: %s", error)
            continue
        faces += found
        targets += [naming.labels.index(clip.label)] * len(found)
        splits += [SPLITS.index("public" if public else "training")] * len(found)
    if not faces:
        raise DataError(f"{root}: none of its {len(clips)} files could be used")
    return FaceImages(np.stack(faces), np.array(targets, np.int64), naming.labels, np.array(splits, np.uint8))


def _held_back(clips: list[Clip], root: Path, by_speaker: bool) -> list[bool]:
    """Which clips are for choosing models: a fifth of each emotion's, or of the speakers; always the same ones."""
    if by_speaker:
        speakers = {clip.speaker for clip in clips}
        if len(speakers) < 2:
            raise DataError(f"{root}: has one speaker only, {speakers.pop()}, who cannot be on both sides of a split")
        chosen = _fifth(speakers, str)
        return [clip.speaker in chosen for clip in clips]
    chosen = set()
    for label in {clip.label for clip in clips}:
        of_label = [clip.path for clip in clips if clip.label == label]
        chosen |= _fifth(of_label, lambda path: path.relative_to(root).as_posix())
    return [clip.path in chosen for clip in clips]


def _fifth(things: Iterable, name: Callable[..., str]) -> set:
    """A fifth of the things, at least one of two, drawn by a digest of their names."""
    drawn = sorted(things, key=lambda thing: hashlib.blake2b(name(thing).encode()).digest())
    return set(drawn[: max(round(_HELD_BACK * len(drawn)), len(drawn) > 1)])


def _faces(path: Path, detector: ViolaJones, image_size: int) -> list[np.ndarray]:
    """The face in each frame of a video, or in a picture: (image_size, image_size) uint8."""
    images = _frames(path) if path.suffix.lower() in _VIDEOS else [_picture(path)]
    boxes = [_largest(detector, image) for image in images]
    seen = [index for index, box in enumerate(boxes) if box]
    if not seen:
        raise DataError(f"{path}: no face found in {f'any of {len(images)} frames' if len(images) > 1 else 'it'}")
    crop = Preprocessing(input_size=image_size).crop
    # Who acts for a camera hardly moves: where the face is missed, it is where the nearest frame has it.
    nearest = [boxes[min(seen, key=lambda other: abs(other - index))] for index in range(len(images))]
    return [crop(image, box) for image, box in zip(images, nearest, strict=True)]


def _largest(detector: ViolaJones, gray: np.ndarray) -> Box | None:
    return max((found.box for found in detector.detect(gray)), key=lambda box: box.area, default=None)


def _picture(path: Path) -> np.ndarray:
    content = np.fromfile(path, np.uint8)
    gray = cv2.imdecode(content, cv2.IMREAD_GRAYSCALE) if len(content) else None
    if gray is None:
        raise DataError(f"{path}: not a readable picture")
    return gray


def _frames(path: Path) -> list[np.ndarray]:
    """Six gray frames of a video, evenly spaced, none at its very start or end."""
    video = cv2.VideoCapture(str(path))
    try:
        # Read in order: seeking is wrong in many a file.
        total = int(video.get(cv2.CAP_PROP_FRAME_COUNT)) if video.isOpened() else 0
        wanted = {int((index + 0.5) * total / FRAMES) for index in range(FRAMES)}
        frames = []
        for number in range(total):
            if not video.grab():
                break
            if number in wanted:
                read, frame = video.retrieve()
                if read:
                    frames.append(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY) if frame.ndim == 3 else frame)
    finally:
        video.release()
    if total == 0:
        raise DataError(f"{path}: not a readable video")
    if len(frames) < FRAMES:
        raise DataError(
            f"{path}: only {len(frames)} of {FRAMES} frames could be read; the video is cut off or too short"
        )
    return frames
