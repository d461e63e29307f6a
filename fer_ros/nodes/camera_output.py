"""What is said about the images of one camera."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from rclpy.duration import Duration
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from fer_ros import drawing
from fer_ros.frame import FaceEmotion
from fer_ros.msg import EmotionEvent, FaceEmotionArray
from fer_ros.nodes import messages
from fer_ros.nodes.bridges import Bridge
from fer_ros.nodes.camera_input import topic_of
from fer_ros.nodes.image_conversion import to_jpeg, to_message
from fer_ros.nodes.publishing import create_publisher
from fer_ros.people import Event

if TYPE_CHECKING:
    from rclpy.lifecycle import LifecycleNode


_LAST_WORDS = Duration(seconds=0.5)
"""Most that is waited for those who listen to have heard the last event."""


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
    """Publishes `emotions`, `emotion_events`, and, for those who look at it, `emotions/image`, raw and compressed.

    All of them only while the node is active.

    Args:
        node: publishes.
        camera: name of the camera, under which the topics lie; empty: they lie beside the others of the node.
        bridges: say the same in other languages.
    """

    def __init__(self, node: LifecycleNode, camera: str, bridges: Sequence[Bridge]):
        self._node = node
        self._camera = camera
        self._bridges = bridges
        self._emotions = create_publisher(node, FaceEmotionArray, topic_of(camera, "emotions"), depth=10)
        self._events = create_publisher(node, EmotionEvent, topic_of(camera, "emotion_events"), depth=50)
        self._annotated = create_publisher(node, Image, topic_of(camera, "emotions/image"), depth=1)
        # From the resolved name, as image_transport does it: remapped with the other.
        compressed = f"{self._annotated.topic_name}/compressed"
        self._compressed = create_publisher(node, CompressedImage, compressed, depth=1)
        self._publishers = (self._emotions, self._events, self._annotated, self._compressed)

    @property
    def is_heard(self) -> bool:
        """Whether somebody subscribes to any of it, in whatever language."""
        # Not the matched event, which would tell without asking: Humble does not have it.
        return any(publisher.get_subscription_count() for publisher in self._publishers) or any(
            bridge.is_heard(self._camera) for bridge in self._bridges
        )

    @property
    def topic(self) -> str:
        """Of the emotions, resolved."""
        return self._emotions.topic_name

    def close(self) -> None:
        """Takes the topics off the graph."""
        # The last event is that somebody was lost; to go at once would take it back.
        self._events.wait_for_all_acked(_LAST_WORDS)
        for publisher in self._publishers:
            self._node.destroy_lifecycle_publisher(publisher)

    def publish(self, answered: Answered) -> None:
        """All that is to be said about one image."""
        self._emotions.publish(answered.emotions)
        self.publish_events(answered.events, answered.emotions.header)
        self._publish_annotated(answered)
        for bridge in self._bridges:
            bridge.publish(self._camera, answered)

    def publish_events(self, events: Sequence[Event], header: Header) -> None:
        """What has happened to people, with the header of the image that showed it."""
        for event in events:
            self._events.publish(messages.emotion_event(header, event))
        for bridge in self._bridges:
            bridge.publish_events(self._camera, events, header)

    def _publish_annotated(self, answered: Answered) -> None:
        raw, compressed = self._annotated.get_subscription_count(), self._compressed.get_subscription_count()
        if not (raw or compressed):
            return
        emotions = answered.emotions
        drawn = drawing.draw(answered.picture(), answered.faces, emotions.labels, emotions.dominant_face_id)
        if raw:
            self._annotated.publish(to_message(drawn, emotions.header))
        if compressed:
            self._compressed.publish(to_jpeg(drawn, emotions.header))
