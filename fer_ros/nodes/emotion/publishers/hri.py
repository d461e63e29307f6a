"""For ROS4HRI (REP 155): the people that are tracked, and for each of them topics of her own."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from hri_msgs.msg import Expression, IdsList, NormalizedRegionOfInterest2D
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from fer_ros.msg import FaceEmotion, FaceEmotionArray
from fer_ros.nodes.common.image_conversion import to_message
from fer_ros.nodes.common.qos import create_publisher
from fer_ros.nodes.emotion.publishers import unique_id
from fer_ros.people.events import Event, EventKind
from fer_ros.types import Box, Landmarks

if TYPE_CHECKING:
    from rclpy.lifecycle import LifecycleNode

    from fer_ros.nodes.emotion.result import Result

_EXPRESSIONS = {
    FaceEmotion.ANGRY: Expression.ANGRY,
    FaceEmotion.DISGUST: Expression.DISGUSTED,
    FaceEmotion.FEAR: Expression.SCARED,
    FaceEmotion.HAPPY: Expression.HAPPY,
    FaceEmotion.SAD: Expression.SAD,
    FaceEmotion.SURPRISE: Expression.SURPRISED,
    FaceEmotion.NEUTRAL: Expression.NEUTRAL,
}
"""Words of hri_msgs, which has none for contempt and calm."""

_SIDE = 128
"""Width and height of pictures of faces, pixels: the default of REP 155."""


class Publisher:
    """Publishes `/humans/faces/tracked`, and, from APPEARED to LOST, `/humans/faces/<id>/...` of each person.

    The id is the face_id; with several cameras, `<camera>_<face_id>`.

    Args:
        node: publishes.
        cameras: their names.
    """

    def __init__(self, node: LifecycleNode, cameras: Sequence[str]):
        self._node = node
        self._tracked = create_publisher(node, IdsList, "/humans/faces/tracked", depth=1)
        self._faces: dict[str, _Face] = {}

    def has_subscribers(self, camera: str) -> bool:
        """Whether somebody subscribes to the list, without which nobody knows of the other topics."""
        return self._tracked.get_subscription_count() > 0

    def publish(self, camera: str, result: Result) -> None:
        """The list of everybody, and what is known of those in this image."""
        emotions = result.emotions
        self._publish_tracked(emotions.header)
        for message, recognized in zip(emotions.faces, result.faces, strict=True):
            face = self._faces.get(unique_id(camera, message.face_id))
            if face:
                face.publish(message, recognized.landmarks, result)

    def publish_events(self, camera: str, events: Sequence[Event], header: Header) -> None:
        """Makes the topics of whom has appeared, and takes away those of whom is lost."""
        for event in events:
            name = unique_id(camera, event.face_id)
            if event.kind == EventKind.APPEARED:
                self._faces[name] = _Face(self._node, name)
            elif event.kind == EventKind.LOST and name in self._faces:
                self._faces.pop(name).close()
        if events:
            self._publish_tracked(header)

    def close(self) -> None:
        """Takes the topics off the graph."""
        for face in self._faces.values():
            face.close()
        self._faces.clear()
        self._node.destroy_lifecycle_publisher(self._tracked)

    def _publish_tracked(self, header: Header) -> None:
        if self._tracked.get_subscription_count():
            self._tracked.publish(IdsList(header=header, ids=list(self._faces)))


class _Face:
    """The topics of one person."""

    def __init__(self, node: LifecycleNode, name: str):
        self._node = node
        # Not managed by the life cycle, and no QoS by parameter: they come and go while the node is active, and nobody
        # knows their names beforehand.
        types = {
            "roi": NormalizedRegionOfInterest2D,
            "cropped": Image,
            "aligned": Image,
            "expression": Expression,
        }
        self._publishers = {
            topic: node.create_publisher(message_type, f"/humans/faces/{name}/{topic}", 1)
            for topic, message_type in types.items()
        }

    def publish(self, face: FaceEmotion, landmarks: Landmarks | None, result: Result) -> None:
        emotions, header = result.emotions, result.emotions.header
        box = Box(face.roi.x_offset, face.roi.y_offset, face.roi.width, face.roi.height)
        self._offer("roi", lambda: _region(box, emotions))
        self._offer("expression", lambda: _expression(face, header))
        self._offer("cropped", lambda: to_message(_portrait(result.picture(), box), header))
        if landmarks:
            tilt = _tilt(landmarks)
            self._offer("aligned", lambda: to_message(_portrait(result.picture(), box, tilt), header))

    def close(self) -> None:
        for publisher in self._publishers.values():
            self._node.destroy_publisher(publisher)

    def _offer(self, topic: str, make: Callable[[], Any]) -> None:
        publisher = self._publishers[topic]
        if publisher.get_subscription_count():
            publisher.publish(make())


def _region(box: Box, emotions: FaceEmotionArray) -> NormalizedRegionOfInterest2D:
    width, height = emotions.image_width, emotions.image_height
    return NormalizedRegionOfInterest2D(
        header=emotions.header,
        xmin=box.x / width,
        ymin=box.y / height,
        xmax=box.right / width,
        ymax=box.bottom / height,
        c=math.nan,  # a detector's score is on a scale of its own
    )


def _expression(face: FaceEmotion, header: Header) -> Expression:
    return Expression(
        header=header,
        expression=_EXPRESSIONS.get(face.emotion, ""),
        valence=face.valence,
        arousal=face.arousal,
        confidence=face.confidence,
    )


def _tilt(landmarks: Landmarks) -> float:
    """By how many degrees the eyes are turned clockwise from level."""
    (left_x, left_y), (right_x, right_y) = landmarks.left_eye, landmarks.right_eye
    return math.degrees(math.atan2(right_y - left_y, right_x - left_x))


def _portrait(picture: np.ndarray, box: Box, tilt: float = 0.0) -> np.ndarray:
    """The face in `box`, turned back by `tilt`, as large as fits into (_SIDE, _SIDE, 3), in its middle, on black.

    Args:
        picture: (height, width, 3) uint8.
        box: inside it.
        tilt: degrees, clockwise.
    """
    middle = np.array(box.center) - 0.5
    turn = cv2.getRotationMatrix2D(middle.tolist(), tilt, _SIDE / max(box.width, box.height))
    turn[:, 2] += (_SIDE - 1) / 2 - middle
    return cv2.warpAffine(picture, turn, (_SIDE, _SIDE))
