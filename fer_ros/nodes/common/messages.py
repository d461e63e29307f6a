# SPDX-License-Identifier: Apache-2.0
"""Conversions between the library's objects and ROS messages; unknown values are NaN or empty in messages."""

from __future__ import annotations

import math

import numpy as np
from builtin_interfaces.msg import Duration, Time
from geometry_msgs.msg import Point

from fer_ros.msg import FaceEmotion, FaceEmotionArray
from fer_ros.recording.synchronizer import ImageResult
from fer_ros.text import printable
from fer_ros.types import Box, FaceResult, Position

_MAX_FACES = 1000
"""Faces in one message, which is also the largest value of emotion_node's parameter max_faces."""


def to_seconds(stamp: Time) -> float:
    """Return a stamp in seconds since the epoch of its clock."""
    return stamp.sec + stamp.nanosec * 1e-9


def to_nanoseconds(stamp: Time) -> int:
    """Return a stamp in nanoseconds; negative for one before the epoch, which `rclpy.time.Time` refuses."""
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)


def to_duration(seconds: float) -> Duration:
    """Return `seconds`, which are not negative, as a message."""
    whole, nanoseconds = divmod(round(seconds * 1e9), 1_000_000_000)
    return Duration(sec=whole, nanosec=nanoseconds)


def to_point(position: Position | None) -> Point:
    """Return a position in meters as a message; NaN if it is unknown."""
    x, y, z = position or (math.nan, math.nan, math.nan)
    return Point(x=x, y=y, z=z)


def from_point(point: Point) -> Position | None:
    """Return the position in a message; None if it is NaN."""
    return None if math.isnan(point.x) else (point.x, point.y, point.z)


def from_face_emotion_array(message: FaceEmotionArray) -> ImageResult:
    """Return the content of a message of the topic `emotions`, from whichever node it comes.

    Raises:
        ValueError: the message contradicts itself; says in which field.
    """
    labels = tuple(printable(label) for label in message.labels)
    if len(message.faces) > _MAX_FACES:
        raise ValueError(f"it has {len(message.faces)} faces, expected at most {_MAX_FACES}")
    return ImageResult(
        stamp=to_nanoseconds(message.header.stamp),
        labels=labels,
        faces=tuple(_from_face_emotion(face, labels) for face in message.faces),
        dominant_face_id=printable(message.dominant_face_id),
    )


def _from_face_emotion(message: FaceEmotion, labels: tuple[str, ...]) -> FaceResult:
    region, tracked = message.roi, message.tracked_for
    scores = np.asarray(message.scores, np.float32)
    # Empty if the publishing node does not smooth.
    smoothed_scores = np.asarray(message.smoothed_scores or message.scores, np.float32)
    for values in (scores, smoothed_scores):
        if len(values) != len(labels) or not np.isfinite(values).all():
            raise ValueError(
                f"face '{printable(message.face_id)}' has {len(values)} scores, expected {len(labels)} finite ones, "
                "one per label"
            )
    return FaceResult(
        box=Box(region.x_offset, region.y_offset, region.width, region.height),
        id=printable(message.face_id),
        detection_score=message.detection_score,
        tracked_for=tracked.sec + tracked.nanosec * 1e-9,
        labels=labels,
        scores=scores,
        smoothed_scores=smoothed_scores,
        emotion=printable(message.emotion),
        confidence=message.confidence,
        quality=message.quality,
        valence=message.valence,
        arousal=message.arousal,
        position=from_point(message.position),
    )
