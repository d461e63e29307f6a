"""What is said about the images of one camera."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from rclpy.duration import Duration
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from fer_ros.media import drawing
from fer_ros.msg import EmotionEvent, FaceEmotionArray
from fer_ros.nodes.common import messages
from fer_ros.nodes.common.image_conversion import to_jpeg, to_message
from fer_ros.nodes.common.image_subscription import topic_of
from fer_ros.nodes.common.qos import create_publisher
from fer_ros.nodes.emotion.publishers import Publisher
from fer_ros.people.events import Event
from fer_ros.types import FaceResult

if TYPE_CHECKING:
    from rclpy.lifecycle import LifecycleNode


_ACK_TIMEOUT = Duration(seconds=0.5)
"""Most that is waited for those who listen to have heard the last event."""


@dataclass(frozen=True)
class Result:
    """One result image, and all that is known of it."""

    emotions: FaceEmotionArray
    """The answer; its header is the image's own."""
    faces: Sequence[FaceResult]
    """The same faces as in `emotions`, in the same order."""
    events: Sequence[Event]
    """What this image has made happen."""
    gray: np.ndarray
    """(height, width) uint8: the image."""
    picture: Callable[[], np.ndarray]
    """Gives it in color, (height, width, 3) uint8, blue first; converted at the first call, to be left as it is."""


class CameraOutput:
    """Publishes `emotions`, `emotion_events`, and, for those who look at it, `emotions/image`, raw and compressed.

    All of them only while the node is active.

    Args:
        node: publishes.
        camera: name of the camera, under which the topics lie; empty: they lie beside the others of the node.
        publishers: say the same in other languages.
    """

    def __init__(self, node: LifecycleNode, camera: str, publishers: Sequence[Publisher]):
        self._node = node
        self._camera = camera
        self._bridges = publishers
        self._emotions = create_publisher(node, FaceEmotionArray, topic_of(camera, "emotions"), depth=10)
        self._events = create_publisher(node, EmotionEvent, topic_of(camera, "emotion_events"), depth=50)
        self._annotated = create_publisher(node, Image, topic_of(camera, "emotions/image"), depth=1)
        # From the resolved name, as image_transport does it: remapped with the other.
        compressed = f"{self._annotated.topic_name}/compressed"
        self._compressed = create_publisher(node, CompressedImage, compressed, depth=1)
        self._publishers = (self._emotions, self._events, self._annotated, self._compressed)

    @property
    def has_subscribers(self) -> bool:
        """Whether somebody subscribes to any of it, in whatever language."""
        # Not the matched event, which would tell without asking: Humble does not have it.
        return any(publisher.get_subscription_count() for publisher in self._publishers) or any(
            publisher.has_subscribers(self._camera) for publisher in self._bridges
        )

    @property
    def topic(self) -> str:
        """Of the emotions, resolved."""
        return self._emotions.topic_name

    def close(self) -> None:
        """Takes the topics off the graph."""
        # The last event is that somebody was lost; to go at once would take it back.
        self._events.wait_for_all_acked(_ACK_TIMEOUT)
        for publisher in self._publishers:
            self._node.destroy_lifecycle_publisher(publisher)

    def publish(self, result: Result) -> None:
        """All that is to be said about one image."""
        self._emotions.publish(result.emotions)
        self.publish_events(result.events, result.emotions.header)
        self._publish_annotated(result)
        for publisher in self._bridges:
            publisher.publish(self._camera, result)

    def publish_events(self, events: Sequence[Event], header: Header) -> None:
        """What has happened to people, with the header of the image that showed it."""
        for event in events:
            self._events.publish(messages.emotion_event(header, event))
        for publisher in self._bridges:
            publisher.publish_events(self._camera, events, header)

    def _publish_annotated(self, result: Result) -> None:
        raw, compressed = self._annotated.get_subscription_count(), self._compressed.get_subscription_count()
        if not (raw or compressed):
            return
        emotions = result.emotions
        drawn = drawing.draw(result.picture(), result.faces, emotions.dominant_face_id)
        if raw:
            self._annotated.publish(to_message(drawn, emotions.header))
        if compressed:
            self._compressed.publish(to_jpeg(drawn, emotions.header))
