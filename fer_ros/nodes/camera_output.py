"""What is said about the images of one camera."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from rclpy.qos import QoSHistoryPolicy, QoSProfile, QoSReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from fer_ros import drawing
from fer_ros.frame import FaceEmotion
from fer_ros.msg import EmotionEvent, FaceEmotionArray
from fer_ros.nodes import messages
from fer_ros.nodes.camera_input import topic_of
from fer_ros.nodes.image_conversion import to_message
from fer_ros.people import Event

if TYPE_CHECKING:
    from rclpy.lifecycle import LifecycleNode


@dataclass(frozen=True)
class Answered:
    """One answered image, and all that is known of it."""

    emotions: FaceEmotionArray
    """The answer; its header is the image's own."""
    faces: Sequence[FaceEmotion]
    """The same faces as in `emotions`, in the same order."""
    events: Sequence[Event]
    """What this image has made happen."""
    grey: np.ndarray
    """(height, width) uint8: the image."""
    picture: Callable[[], np.ndarray]
    """Gives it in colour, (height, width, 3) uint8, blue first; converted at the first call, to be left as it is."""


class CameraOutput:
    """Publishes `emotions`, `emotion_events`, and, for those who look at it, `emotions/image`.

    All of them only while the node is active.

    Args:
        node: publishes.
        camera: name of the camera, under which the topics lie; empty: they lie beside the others of the node.
    """

    def __init__(self, node: LifecycleNode, camera: str):
        self._node = node
        self._emotions = self._publisher(FaceEmotionArray, topic_of(camera, "emotions"), depth=10)
        self._events = self._publisher(EmotionEvent, topic_of(camera, "emotion_events"), depth=50)
        self._annotated = self._publisher(Image, topic_of(camera, "emotions/image"), depth=1)

    @property
    def topic(self) -> str:
        """Of the emotions, resolved."""
        return self._emotions.topic_name

    def close(self) -> None:
        """Takes the topics off the graph."""
        for publisher in (self._emotions, self._events, self._annotated):
            self._node.destroy_lifecycle_publisher(publisher)

    def publish(self, answered: Answered) -> None:
        """All that is to be said about one image."""
        self._emotions.publish(answered.emotions)
        self.publish_events(answered.events, answered.emotions.header)
        # Not the matched event, which would tell without asking: Humble does not have it.
        if self._annotated.get_subscription_count():
            self._publish_annotated(answered)

    def publish_events(self, events: Sequence[Event], header: Header) -> None:
        """What has happened to people, with the header of the image that showed it."""
        for event in events:
            self._events.publish(messages.emotion_event(header, event))

    def _publish_annotated(self, answered: Answered) -> None:
        emotions = answered.emotions
        drawn = drawing.draw(answered.picture(), answered.faces, emotions.labels, emotions.dominant_face_id)
        self._annotated.publish(to_message(drawn, emotions.header))

    def _publisher(self, message_type, topic: str, depth: int):
        qos = QoSProfile(reliability=QoSReliabilityPolicy.RELIABLE, history=QoSHistoryPolicy.KEEP_LAST, depth=depth)
        return self._node.create_lifecycle_publisher(
            message_type, topic, qos, qos_overriding_options=QoSOverridingOptions.with_default_policies()
        )
