# SPDX-License-Identifier: Apache-2.0
"""Small animations for web pages, made of videos."""

from __future__ import annotations

from pathlib import Path

import cv2

from fer_ros.files import atomic_write
from fer_ros.media.resize import resize
from fer_ros.media.sources import VideoFile
from fer_ros.recording.files import RecordingError, writing

SUFFIXES = (".webp", ".gif", ".png")
_WIDTH = 360
"""Pixels."""
_RATE = 5.0
"""Images per second."""
_QUALITY = 88
"""Of WebP, 1..100. Below this its encoder leaves blocks of earlier images in smooth areas."""


def check_animation(path: Path) -> None:
    """Check, before the work, that an animation can be written to `path`.

    Raises:
        RecordingError: its suffix is none of `SUFFIXES`, or this OpenCV writes no animations.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise RecordingError(f"an animation is one of {', '.join(SUFFIXES)}, not {path}")
    if not hasattr(cv2, "imwriteanimation"):
        raise RecordingError(f"OpenCV {cv2.__version__} writes no animations; install opencv-python 4.11 or later")


def write_animation(video: Path, path: Path) -> None:
    """Write a video as an animation that repeats, smaller and with fewer images.

    Args:
        video: to be read.
        path: of the animation; `check_animation` tells whether it can be written.

    Raises:
        SourceError: the video cannot be read.
        RecordingError: the animation cannot be written.
    """
    source, frames, due = VideoFile(video), [], 0.0
    while (image := source.read()) is not None:
        if source.stamp >= due:
            height = round(image.shape[0] * _WIDTH / image.shape[1])
            frames.append(resize(image, (_WIDTH, height)))
            due += 1 / _RATE
    source.close()
    animation = cv2.Animation()
    animation.frames = frames
    animation.durations = [round(1000 / _RATE)] * len(frames)
    with writing(path), atomic_write(path) as temporary:
        # OpenCV chooses the format by the suffix, and gives no reason when it cannot write.
        encoded = temporary.with_suffix(path.suffix)
        try:
            if not cv2.imwriteanimation(str(encoded), animation, [cv2.IMWRITE_WEBP_QUALITY, _QUALITY]):
                raise RecordingError(f"cannot write {path}")
            encoded.replace(temporary)
        finally:
            encoded.unlink(missing_ok=True)
