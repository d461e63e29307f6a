# SPDX-License-Identifier: Apache-2.0
"""Faces of ROS4HRI (REP 155): the list of tracked faces, and topics of each face."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from hri_msgs.msg import Expression, IdsList, NormalizedRegionOfInterest2D
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from fer_ros.msg import FaceEmotion
from fer_ros.nodes.common.image_conversion import to_message
from fer_ros.nodes.common.qos import create_publisher, reliable
from fer_ros.nodes.emotion.publishers.base import unique_id
from fer_ros.people.events import Event, EventKind
from fer_ros.types import Box, FaceResult

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
"""Labels of hri_msgs, which has none for contempt and calm."""

_CROP_SIZE = 128
"""Width and height of the cropped and aligned images in pixels: the default of REP 155."""


class HriPublisher:
    """Publishes `/humans/faces/tracked`, and `/humans/faces/<id>/...` of each face from APPEARED to LOST.

    The id is the face_id, made unique on the robot by `unique_id`.

    Args:
        node: publishes.
        cameras: names of all cameras of the node.
    """

    def __init__(self, node: LifecycleNode, cameras: Sequence[str]):
        self._node = node
        self._tracked = create_publisher(node, IdsList, "/humans/faces/tracked", reliable(depth=1))
        self._faces: dict[str, _FaceTopics] = {}

    def has_subscribers(self, camera: str) -> bool:
        """See `Publisher`; only the list counts, since it announces the other topics."""
        return self._tracked.get_subscription_count() > 0

    def publish(self, camera: str, result: Result) -> None:
        """See `Publisher`."""
        self._publish_tracked(result.header)
        for face in result.faces:
            topics = self._faces.get(unique_id(self._node, camera, face.id))
            if topics:
                topics.publish(face, result)

    def publish_events(self, camera: str, events: Sequence[Event], header: Header) -> None:
        """See `Publisher`; creates the topics of a face on APPEARED and destroys them on LOST."""
        for event in events:
            name = unique_id(self._node, camera, event.face_id)
            if event.kind == EventKind.APPEARED:
                self._faces[name] = _FaceTopics(self._node, name)
            elif event.kind == EventKind.LOST and name in self._faces:
                self._faces.pop(name).close()
        if events:
            self._publish_tracked(header)

    def close(self) -> None:
        """See `Publisher`."""
        for face in self._faces.values():
            face.close()
        self._faces.clear()
        self._node.destroy_lifecycle_publisher(self._tracked)

    def _publish_tracked(self, header: Header) -> None:
        if self._tracked.get_subscription_count():
            self._tracked.publish(IdsList(header=header, ids=list(self._faces)))


class _FaceTopics:
    """The topics of one face."""

    def __init__(self, node: LifecycleNode, name: str):
        self._node = node
        # Neither lifecycle publishers nor with QoS overrides: they are created and destroyed while the node is active,
        # under names that are not known beforehand.
        types = {
            "roi": NormalizedRegionOfInterest2D,
            "cropped": Image,
            "aligned": Image,
            "expression": Expression,
        }
        self._publishers = {
            topic: node.create_publisher(message_type, f"/humans/faces/{name}/{topic}", reliable(depth=1))
            for topic, message_type in types.items()
        }

    def publish(self, face: FaceResult, result: Result) -> None:
        """Publish one face of a result on the topics that have a subscriber."""
        box = face.box.clipped(*result.image_size)
        self._publish_to("roi", lambda: _region(box, result))
        self._publish_to("expression", lambda: _expression(face, result.header))
        self._publish_to("cropped", lambda: to_message(_crop(result.bgr(), box), result.header))
        if face.landmarks:
            roll = face.landmarks.roll
            self._publish_to("aligned", lambda: to_message(_crop(result.bgr(), box, roll), result.header))

    def close(self) -> None:
        """Destroy the ROS publishers."""
        for publisher in self._publishers.values():
            self._node.destroy_publisher(publisher)

    def _publish_to(self, topic: str, create_message: Callable[[], Any]) -> None:
        publisher = self._publishers[topic]
        if publisher.get_subscription_count():
            publisher.publish(create_message())


def _region(box: Box, result: Result) -> NormalizedRegionOfInterest2D:
    width, height = result.image_size
    return NormalizedRegionOfInterest2D(
        header=result.header,
        xmin=box.x / width,
        ymin=box.y / height,
        xmax=box.right / width,
        ymax=box.bottom / height,
        c=math.nan,  # the detection score is no probability; each detector has its own scale
    )


def _expression(face: FaceResult, header: Header) -> Expression:
    return Expression(
        header=header,
        expression=_EXPRESSIONS.get(face.emotion, ""),
        valence=face.valence,
        arousal=face.arousal,
        confidence=face.confidence,
    )


def _crop(bgr: np.ndarray, box: Box, roll: float = 0.0) -> np.ndarray:
    """Return the face in `box`, derotated by `roll` and scaled to fit, centered on black.

    Args:
        bgr: (height, width, 3) uint8.
        box: inside the image.
        roll: degrees clockwise.

    Returns:
        (_CROP_SIZE, _CROP_SIZE, 3) uint8.
    """
    x, y = box.center[0] - 0.5, box.center[1] - 0.5
    rotation = cv2.getRotationMatrix2D((x, y), roll, _CROP_SIZE / max(box.width, box.height))
    middle = (_CROP_SIZE - 1) / 2
    rotation[0, 2] += middle - x
    rotation[1, 2] += middle - y
    return cv2.warpAffine(bgr, rotation, (_CROP_SIZE, _CROP_SIZE))
