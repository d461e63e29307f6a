"""What is said about the images of one camera."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from rclpy.qos import QoSHistoryPolicy, QoSProfile, QoSReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import Image

from fer_ros import drawing
from fer_ros.frame import FaceEmotion
from fer_ros.msg import EmotionEvent, FaceEmotionArray
from fer_ros.nodes.image_conversion import to_message

if TYPE_CHECKING:
    from rclpy.lifecycle import LifecycleNode


class CameraOutput:
    """Publishes `emotions`, `emotion_events`, and, for those who look at it, `emotions/image`.

    All of them only while the node is active.
    """

    def __init__(self, node: LifecycleNode):
        self._node = node
        self._emotions = self._publisher(FaceEmotionArray, "emotions", depth=10)
        self._events = self._publisher(EmotionEvent, "emotion_events", depth=50)
        self._annotated = self._publisher(Image, "emotions/image", depth=1)

    @property
    def topic(self) -> str:
        """Of the emotions, resolved."""
        return self._emotions.topic_name

    def close(self) -> None:
        """Takes the topics off the graph."""
        for publisher in (self._emotions, self._events, self._annotated):
            self._node.destroy_lifecycle_publisher(publisher)

    def publish(self, emotions: FaceEmotionArray) -> None:
        """The answer to one image."""
        self._emotions.publish(emotions)

    def publish_events(self, events: Iterable[EmotionEvent]) -> None:
        """What has happened to people."""
        for event in events:
            self._events.publish(event)

    def publish_annotated(
        self, emotions: FaceEmotionArray, faces: Sequence[FaceEmotion], picture: Callable[[], np.ndarray]
    ) -> None:
        """The image with its `faces` drawn in, if somebody subscribes; otherwise not even `picture` is called.

        Args:
            emotions: what was published for this image.
            faces: the same faces.
            picture: gives the image as (height, width, 3) uint8, blue first.
        """
        # Not the matched event, which would tell without asking: Humble does not have it.
        if self._annotated.get_subscription_count():
            drawn = drawing.draw(picture(), faces, emotions.labels, emotions.dominant_face_id)
            self._annotated.publish(to_message(drawn, emotions.header))

    def _publisher(self, message_type, topic: str, depth: int):
        qos = QoSProfile(reliability=QoSReliabilityPolicy.RELIABLE, history=QoSHistoryPolicy.KEEP_LAST, depth=depth)
        return self._node.create_lifecycle_publisher(
            message_type, topic, qos, qos_overriding_options=QoSOverridingOptions.with_default_policies()
        )
