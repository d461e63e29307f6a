# SPDX-License-Identifier: Apache-2.0
"""Logs why no images arrive: a subscription without images is the most frequent problem in the field."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rclpy.clock import Clock, ClockType
from rclpy.qos import QoSProfile
from rclpy.utilities import get_rmw_implementation_identifier

from fer_ros.image_period import MISSED_PERIODS, ImagePeriod
from fer_ros.nodes.common import graph

if TYPE_CHECKING:
    from rclpy.node import Node

TIMEOUT = 5.0
"""Seconds without an image after which the reason is logged; longer for a camera that is slower than that."""

_RAW, _COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
_COMPRESSED_SUFFIX = "/compressed"
_USE_COMPRESSED = "the parameter image_transport to compressed"
_FAST_DDS, _CYCLONE_DDS = "rmw_fastrtps_cpp", "rmw_cyclonedds_cpp"
_REMEDIES = {
    _FAST_DDS: (
        "Fast DDS drops large best-effort images that exceed the shared memory segment of the *publishing* process: "
        "start that process with "
        "FASTDDS_DEFAULT_PROFILES_FILE=$(ros2 pkg prefix --share fer_ros)/config/fastdds.xml (up to Jazzy the "
        "variable is FASTRTPS_DEFAULT_PROFILES_FILE); its segment_size must exceed the size of an image."
    ),
    _CYCLONE_DDS: (
        "Cyclone DDS drops large best-effort images that exceed the socket's receive buffer: raise the kernel's limit "
        "with `sudo sysctl -w net.core.rmem_max=16777216`, and start the camera and this node with "
        "CYCLONEDDS_URI=file://$(ros2 pkg prefix --share fer_ros)/config/cyclonedds.xml."
    ),
}
_OTHER_LOSS = "Large best-effort images can be dropped by the middleware."
"""Why each middleware drops images, and the remedy."""


class ArrivalCounter:
    """Counts the images that arrive on one topic, also across several subscriptions to it."""

    def __init__(self) -> None:
        self.count = 0
        """Images received."""
        self.last = time.monotonic()
        """`time.monotonic` of the last image, or of the subscription if that is later."""
        self.period = ImagePeriod()
        """Of the images, by their arrival."""

    def restart(self) -> None:
        """Measure the time without an image from now on; called when the topic is subscribed to."""
        self.last = time.monotonic()
        self.period.pause()

    def add(self) -> None:
        """Count one image."""
        self.count += 1
        self.last = time.monotonic()
        self.period.add(self.last)

    @property
    def since_last(self) -> float:
        """Seconds since the last image or the subscription, whichever is later."""
        return time.monotonic() - self.last


class ImageMonitor:
    """Watches one image subscription, and logs once each time that its images stop arriving.

    Args:
        node: logs, and provides the ROS graph.
        name: of the raw images' topic, before remapping.
        unresolved: name that the subscription was created with, before remapping.
        topic: of the subscription, resolved.
        type_name: of its messages, as in "sensor_msgs/msg/Image".
        qos: of the subscription.
        arrivals: counts its images.
    """

    def __init__(
        self,
        node: Node,
        name: str,
        unresolved: str,
        topic: str,
        type_name: str,
        qos: QoSProfile,
        arrivals: ArrivalCounter,
    ):
        self._node = node
        self._name = name
        self._unresolved = unresolved
        self._topic = topic
        self._type_name = type_name
        self._qos = qos
        self._arrivals = arrivals
        self._first_count = self._last_count = arrivals.count
        self._publishers: list[tuple[Any, ...]] = []
        self._waiting_since = time.monotonic()
        self._logged = ""
        # Steady time, not the node's clock: with use_sim_time that one stands still while nothing publishes /clock.
        self._timer = node.create_timer(TIMEOUT / 5, self._check, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def close(self) -> None:
        """Stop watching."""
        self._node.destroy_timer(self._timer)

    def _check(self) -> None:
        if self._arrivals.count > self._last_count:
            self._last_count, self._waiting_since = self._arrivals.count, time.monotonic()
            if self._logged:
                self._node.get_logger().info(f"receiving images on {self._topic}")
                self._logged = ""
            return
        publishers = self._node.get_publishers_info_by_topic(self._unresolved)
        present: list[tuple[Any, ...]] = sorted((p.node_namespace, p.node_name, p.topic_type) for p in publishers)
        if present != self._publishers:
            # A new publisher gets the full time-out; the name of its node may not have been discovered yet.
            self._publishers, self._waiting_since = present, time.monotonic()
        elif time.monotonic() - self._waiting_since >= max(TIMEOUT, MISSED_PERIODS * self._arrivals.period.seconds):
            self._report(publishers)

    def _report(self, publishers: Sequence[Any]) -> None:
        if publishers:
            reason = explain_timeout(
                self._name,
                self._topic,
                self._type_name,
                self._qos,
                publishers,
                self._arrivals.count > self._first_count,
                get_rmw_implementation_identifier(),
            )
        else:
            topics = graph.published_topics(self._node, [_RAW, _COMPRESSED])
            reason = (
                f"waiting for images: no publisher on {self._topic}; {suggest_topic(self._name, self._topic, topics)}"
            )
        if reason != self._logged:
            self._logged = reason
            # Two statements, because rclpy requires each call site to keep its severity.
            if publishers:
                self._node.get_logger().warning(reason)
            else:
                self._node.get_logger().info(reason)


def suggest_topic(name: str, topic: str, topics: Mapping[str, str]) -> str:
    """Return which parameter or remapping lets a subscription without a publisher of its type receive images.

    Args:
        name: of the raw images' topic, before remapping.
        topic: subscribed to, resolved; ends in /compressed if compressed images are expected.
        topics: that other nodes publish images on, and the type of each.
    """
    base = topic.removesuffix(_COMPRESSED_SUFFIX)
    for given in (topic, base):
        if topics.get(given) == _COMPRESSED:
            raw = given.removesuffix(_COMPRESSED_SUFFIX)
            if raw == given:
                return f"{given} has compressed images: publish them on {given}/compressed, and set {_USE_COMPRESSED}"
            return f"{given} has compressed images: set {_USE_COMPRESSED}, and `-r {name}:={raw}`"
    if topics.get(base) == _RAW:
        return f"{base} has raw images: set the parameter image_transport to raw"
    sibling = f"{topic}{_COMPRESSED_SUFFIX}"
    if topics.get(sibling) == _COMPRESSED:
        return f"{sibling} has compressed images: set {_USE_COMPRESSED}"
    others = graph.listed(one for one in topics if "/emotions/image" not in one)
    if others:
        return f"remap the camera's topic with `-r {name}:=/its/topic`; images are published on {others}"
    return (
        f"remap the camera's topic with `-r {name}:=/its/topic`, and list the existing topics with `ros2 topic list -t`"
    )


def explain_timeout(
    name: str,
    topic: str,
    type_name: str,
    qos: QoSProfile,
    publishers: Sequence[Any],
    received_before: bool,
    middleware: str,
) -> str:
    """Return why a subscription receives no images, and the remedy.

    Args:
        name: of the raw images' topic, before remapping.
        topic: resolved.
        type_name: that the subscription expects.
        qos: that the subscription requests.
        publishers: `TopicEndpointInfo` of each publisher on the topic; at least one.
        received_before: whether the subscription has received images.
        middleware: as in the environment variable RMW_IMPLEMENTATION.
    """
    names = graph.publisher_names(publishers)
    of_this_type = [publisher for publisher in publishers if publisher.topic_type == type_name]
    if not of_this_type:
        return (
            f"no image on {topic}: {names} publishes {publishers[0].topic_type} there, this node expects {type_name}; "
            f"{suggest_topic(name, topic, {topic: publishers[0].topic_type})}"
        )
    mismatch = graph.qos_mismatch(of_this_type, qos)
    if mismatch:
        return (
            f"no image on {topic}: {mismatch}; remove the parameters qos_overrides.{topic}.subscription.*, the default "
            "best_effort matches every camera"
        )
    if received_before:
        limit = " than its shared memory (segment_size in fastdds.xml)" if middleware == _FAST_DDS else ""
        return (
            f"no image on {topic} for {TIMEOUT:g} s, although {names} still publishes there: check whether the camera "
            f"is frozen, the recording is paused, or the images have become larger{limit}"
        )
    return (
        f"no image on {topic} for {TIMEOUT:g} s, although {names} publishes there. "
        f"{_REMEDIES.get(middleware, _OTHER_LOSS)} Otherwise the camera itself sends nothing: check with "
        f"`ros2 topic hz {topic}`"
    )
