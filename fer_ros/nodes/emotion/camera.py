# SPDX-License-Identifier: Apache-2.0
"""One camera of the emotion node: its subscriptions, its gate, its statistics, and the publishing of its results."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from builtin_interfaces.msg import Time
from rclpy.callback_groups import CallbackGroup
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from fer_ros.media.image_header import ImageError
from fer_ros.nodes.common.image_clock import ImageClock, explain_standstill
from fer_ros.nodes.common.image_subscription import ImageSubscription, camera_info_topic, camera_topic
from fer_ros.nodes.common.log_throttle import LogThrottle
from fer_ros.nodes.common.messages import to_nanoseconds
from fer_ros.nodes.emotion.camera_info import CameraInfoSubscriber
from fer_ros.nodes.emotion.camera_statistics import CameraStatistics
from fer_ros.nodes.emotion.image_gate import Decision, ImageGate
from fer_ros.nodes.emotion.parameters import Settings
from fer_ros.nodes.emotion.publishers.base import Publisher
from fer_ros.nodes.emotion.result import Result
from fer_ros.people.camera_model import CameraModel
from fer_ros.people.events import Event

if TYPE_CHECKING:
    from rclpy.lifecycle import LifecycleNode


class Camera:
    """One camera; it is subscribed to from `subscribe` to `unsubscribe`.

    Its tracks are not here but in the `CameraState` of `NodeState`.

    Args:
        node: subscribes and logs.
        name: prefix of its topics; may be empty.
        image_topic: of its images, before remapping.
        group: callback group of the subscriptions.
        publishers: of the node.
    """

    def __init__(
        self, node: LifecycleNode, name: str, image_topic: str, group: CallbackGroup, publishers: Sequence[Publisher]
    ):
        self._node = node
        self.name = name
        self._image_topic = image_topic
        self._group = group
        self._publishers = publishers
        self._images: ImageSubscription | None = None
        self._camera_info: CameraInfoSubscriber | None = None
        self._last_header = Header()
        """Of the last processed image."""
        self._clock = ImageClock()
        self._gate = ImageGate()
        self._throttle = LogThrottle()
        self._standstill_logged = False
        self._idle_since = time.monotonic()
        self.statistics = CameraStatistics()
        """What happened to its images."""

    @property
    def subscribed(self) -> bool:
        """Whether its images are subscribed to and processed."""
        return self._images is not None

    @property
    def idle_for(self) -> float:
        """Seconds for which its images have not been subscribed to, although the node processes images."""
        return 0.0 if self.subscribed else time.monotonic() - self._idle_since

    def restart_idle_time(self) -> None:
        """Count `idle_for` from now on."""
        self._idle_since = time.monotonic()

    @property
    def has_subscribers(self) -> bool:
        """Whether one of its outputs has a subscriber."""
        return any(publisher.has_subscribers(self.name) for publisher in self._publishers)

    @property
    def image_topic(self) -> str:
        """Resolved topic of its images."""
        return self._images.topic if self._images else self._node.resolve_topic_name(self._image_topic)

    @property
    def topics(self) -> str:
        """Resolved topics of its images and results, for a log line."""
        return f"{self.image_topic} -> {self.resolve('emotions')}"

    def subscribe(self, settings: Settings, callback: Callable[[Image | CompressedImage], None]) -> None:
        """Subscribe to the images and the calibration.

        Args:
            settings: of the node.
            callback: called with each image; must return at once and not raise.
        """
        self._images = ImageSubscription(
            self._node,
            self._image_topic,
            settings.image_transport,
            callback,
            self._group,
            arrivals=self.statistics.arrivals,
        )
        self._camera_info = CameraInfoSubscriber(
            self._node,
            camera_info_topic(self._node, self.name, self._image_topic),
            camera_topic(self.name, "camera_info"),
            settings.position.image_rectified,
            self._group,
        )

    def unsubscribe(self) -> None:
        """Unsubscribe from both."""
        if self._images:
            self._images.close()
        if self._camera_info:
            self._camera_info.close()
        self._images = self._camera_info = None
        self._gate.reset()
        self._clock = ImageClock()
        self.restart_idle_time()

    def time_of(self, stamp: Time) -> float:
        """Return the time (s) of the next image: its stamp, or counted by arrival if stamps do not advance."""
        nanoseconds = to_nanoseconds(stamp)
        time_ = self._clock.time(nanoseconds, time.monotonic_ns())
        if self._clock.stands_still and not self._standstill_logged:
            self._standstill_logged = True
            self._node.get_logger().warning(explain_standstill(self.image_topic, nanoseconds))
        self.statistics.stamps_stand_still = self._clock.stands_still
        return time_ * 1e-9

    def decide(self, stamp: float, max_rate: float) -> Decision:
        """Return what happens to an image of this time (s), and count it if it is not processed."""
        decision = self._gate.decide(stamp, time.monotonic(), max_rate)
        if decision == Decision.LATE:
            self.statistics.late += 1
        elif decision == Decision.ABOVE_MAX_RATE:
            self.statistics.above_max_rate += 1
        return decision

    def camera_model(self, image_size: tuple[int, int]) -> CameraModel | None:
        """Return the camera model for images of this width and height in pixels; None if it is missing or invalid."""
        return self._camera_info.camera_model(image_size) if self._camera_info else None

    def publish(self, result: Result) -> None:
        """Publish the result of one image, and count it."""
        self._last_header = result.header
        for publisher in self._publishers:
            publisher.publish_events(self.name, result.events, result.header)
            publisher.publish(self.name, result)
        self.statistics.add_result(result.header.stamp, len(result.faces))

    def publish_lost(self, events: Sequence[Event]) -> None:
        """Publish the events of tracks that were dropped without a new image."""
        for publisher in self._publishers:
            publisher.publish_events(self.name, events, self._last_header)

    def report_unreadable(self, error: ImageError) -> None:
        """Count an image that cannot be read, and log why."""
        self.statistics.unreadable += 1
        if self._throttle.allows(error.kind):
            self._node.get_logger().warning(
                f"cannot read image on {self.image_topic}: {error} (unreadable so far: {self.statistics.unreadable})"
            )

    def resolve(self, topic: str) -> str:
        """Return the resolved name of one of its topics."""
        name: str = self._node.resolve_topic_name(camera_topic(self.name, topic))
        return name
