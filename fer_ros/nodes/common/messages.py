"""From what was recognized to ROS messages, and back. What nobody has computed is NaN or empty."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence

import numpy as np
from builtin_interfaces.msg import Duration, Time
from geometry_msgs.msg import Point
from sensor_msgs.msg import RegionOfInterest
from std_msgs.msg import Header

from fer_ros.msg import EmotionEvent, FaceEmotionArray
from fer_ros.msg import FaceEmotion as FaceEmotionMessage
from fer_ros.people.events import Event
from fer_ros.recording.synchronizer import Answer
from fer_ros.types import Box, FaceResult, Position


def face_emotion_array(
    header: Header,
    image_size: tuple[int, int],
    model_id: str,
    labels: Sequence[str],
    faces: Sequence[FaceResult],
    dominant_face_id: str,
    processing_time: float,
) -> FaceEmotionArray:
    """The answer to one image.

    Args:
        header: the image's own.
        image_size: its width and height, pixels.
        model_id: the model that gave every score in it.
        labels: the order of these scores.
        faces: largest first.
        dominant_face_id: whom to attend to; empty: nobody.
        processing_time: seconds from taking up the image until now.
    """
    return FaceEmotionArray(
        header=header,
        image_width=image_size[0],
        image_height=image_size[1],
        model_id=model_id,
        labels=list(labels),
        faces=[_face_emotion(face, image_size) for face in faces],
        dominant_face_id=dominant_face_id,
        processing_time=duration(processing_time),
    )


def emotion_event(header: Header, event: Event) -> EmotionEvent:
    """What a behavior waits for, with the header of the image that caused it."""
    return EmotionEvent(
        header=header,
        kind=event.kind,
        face_id=event.face_id,
        dominant=event.dominant,
        previous=event.previous,
        current=event.current,
        confidence=event.confidence,
        position=_point(event.position),
    )


def _face_emotion(face: FaceResult, image_size: tuple[int, int]) -> FaceEmotionMessage:
    return FaceEmotionMessage(
        face_id=face.id,
        roi=_region(face.box.clipped(*image_size)),
        detection_score=face.detection_score,
        quality=face.quality,
        emotion=face.emotion,
        confidence=face.confidence,
        scores=_floats(face.scores),
        smoothed_scores=_floats(face.smoothed_scores),
        valence=face.valence,
        arousal=face.arousal,
        position=_point(face.position),
        tracked_for=duration(face.tracked_for),
    )


def _region(box: Box) -> RegionOfInterest:
    return RegionOfInterest(x_offset=box.x, y_offset=box.y, width=box.width, height=box.height)


def _point(position: Position | None) -> Point:
    x, y, z = position or (math.nan, math.nan, math.nan)
    return Point(x=x, y=y, z=z)


def _floats(values: np.ndarray) -> array:
    # rclpy takes an array.array as it is, and checks any other sequence element by element.
    return array("f", np.asarray(values, np.float32).tobytes())


def duration(seconds: float) -> Duration:
    """`seconds` (not negative) as a message."""
    whole, nanoseconds = divmod(round(seconds * 1e9), 1_000_000_000)
    return Duration(sec=whole, nanosec=nanoseconds)


def answer(message: FaceEmotionArray) -> Answer:
    """What a message says, as the node that sent it had it in `face_emotion_array`."""
    stamp, labels = message.header.stamp, tuple(message.labels)
    return Answer(
        stamp=stamp.sec * 1_000_000_000 + stamp.nanosec,
        labels=labels,
        faces=tuple(_recognized(face, labels) for face in message.faces),
        dominant_face_id=message.dominant_face_id,
    )


def _recognized(message: FaceEmotionMessage, labels: tuple[str, ...]) -> FaceResult:
    region, point, tracked = message.roi, message.position, message.tracked_for
    box = Box(region.x_offset, region.y_offset, region.width, region.height)
    tracked_for = tracked.sec + tracked.nanosec * 1e-9
    return FaceResult(
        box=box,
        id=message.face_id,
        detection_score=message.detection_score,
        tracked_for=tracked_for,
        labels=labels,
        scores=np.asarray(message.scores, np.float32),
        # A node that does not smooth leaves these empty.
        smoothed_scores=np.asarray(message.smoothed_scores or message.scores, np.float32),
        emotion=message.emotion,
        confidence=message.confidence,
        quality=message.quality,
        valence=message.valence,
        arousal=message.arousal,
        position=(point.x, point.y, point.z) if is_known(point) else None,
    )


def is_known(position: Point) -> bool:
    """Whether a message says where something is."""
    return not math.isnan(position.x)


def seconds(stamp: Time) -> float:
    """A stamp as seconds since the start of its clock."""
    return stamp.sec + stamp.nanosec * 1e-9
