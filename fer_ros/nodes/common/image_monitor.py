"""Says why no images come. A camera that is connected and stays dark is the commonest trouble in the field."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rclpy.clock import Clock, ClockType
from rclpy.qos import QoSCompatibility, QoSProfile, qos_check_compatible
from rclpy.utilities import get_rmw_implementation_identifier

if TYPE_CHECKING:
    from rclpy.node import Node

SILENCE = 5.0
"""Seconds without an image after which the reason is looked for."""

_FAST_DDS, _CYCLONE_DDS = "rmw_fastrtps_cpp", "rmw_cyclonedds_cpp"
_LOSSES = {
    _FAST_DDS: (
        "Large best-effort images are lost whole when they exceed the shared memory of the process that *publishes* "
        "them: start that process with "
        "FASTDDS_DEFAULT_PROFILES_FILE=$(ros2 pkg prefix --share fer_ros)/config/fastdds.xml (up to Jazzy the "
        "variable is FASTRTPS_DEFAULT_PROFILES_FILE); its segment_size must exceed an image."
    ),
    _CYCLONE_DDS: (
        "Large best-effort images are lost whole when a socket of this node has no room for them: let the kernel give "
        "more with `sudo sysctl -w net.core.rmem_max=16777216`, and start the camera and this node with "
        "CYCLONEDDS_URI=file://$(ros2 pkg prefix --share fer_ros)/config/cyclonedds.xml."
    ),
}
_OTHER_LOSSES = "Large best-effort images can be lost whole on their way."
"""What middlewares do to images, and the remedy."""


class ImageMonitor:
    """Looks after one image subscription, and logs once for each time that its images stay away.

    Args:
        node: logs and knows the ROS graph.
        name: of the raw images' topic, before remapping.
        topic: of the subscription, resolved.
        type_name: of its messages, as in "sensor_msgs/msg/Image".
        qos: of the subscription.
    """

    def __init__(self, node: Node, name: str, topic: str, type_name: str, qos: QoSProfile):
        self._node = node
        self._name = name
        self._topic = topic
        self._type_name = type_name
        self._qos = qos
        self._arrived = 0
        self._counted = 0
        self._publishers: list[tuple[str, ...]] = []
        self._silent_since = time.monotonic()
        self._said = ""
        # Not the node's clock: with use_sim_time that one stands still when nothing is published.
        self._timer = node.create_timer(SILENCE / 5, self._check, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def image_arrived(self) -> None:
        """To be called for every image."""
        self._arrived += 1

    def close(self) -> None:
        """Stops looking."""
        self._node.destroy_timer(self._timer)

    def _check(self) -> None:
        if self._arrived > self._counted:
            self._counted, self._silent_since = self._arrived, time.monotonic()
            if self._said:
                self._node.get_logger().info(f"images arrive on {self._topic}")
                self._said = ""
            return
        publishers = self._node.get_publishers_info_by_topic(self._topic)
        present = sorted((p.node_namespace, p.node_name, p.topic_type) for p in publishers)
        if present != self._publishers:
            # Whoever has just come has not been silent for long, and its name may not have got around yet.
            self._publishers, self._silent_since = present, time.monotonic()
        elif time.monotonic() - self._silent_since >= SILENCE:
            self._report(publishers)

    def _report(self, publishers: Sequence[Any]) -> None:
        reason = reason_for_silence(
            self._name,
            self._topic,
            self._type_name,
            self._qos,
            publishers,
            bool(self._arrived),
            get_rmw_implementation_identifier(),
        )
        if reason != self._said:
            self._said = reason
            # Two lines, because rclpy wants each call site to keep its severity.
            if publishers:
                self._node.get_logger().warning(reason)
            else:
                self._node.get_logger().info(reason)


def reason_for_silence(
    name: str,
    topic: str,
    type_name: str,
    qos: QoSProfile,
    publishers: Sequence[Any],
    arrived_before: bool,
    middleware: str,
) -> str:
    """Why a subscription hears nothing, and what to do about it.

    Args:
        name: of the raw images' topic, before remapping.
        topic: resolved.
        type_name: what the subscription expects.
        qos: what the subscription requests.
        publishers: `TopicEndpointInfo` of each publisher on the topic.
        arrived_before: whether there have been images.
        middleware: as RMW_IMPLEMENTATION names it.
    """
    if not publishers:
        return (
            f"waiting for images: nobody publishes on {topic}; give the camera's topic with `-r {name}:=/its/topic`, "
            "and see which exist with `ros2 topic list -t`"
        )
    names = ", ".join(sorted({f"{p.node_namespace.rstrip('/')}/{p.node_name}" for p in publishers}))
    of_this_type = [publisher for publisher in publishers if publisher.topic_type == type_name]
    if not of_this_type:
        return (
            f"no image on {topic}: {names} publishes {publishers[0].topic_type} there, this node expects {type_name}; "
            f"set the parameter image_transport to raw or compressed, and remap `{name}` without /compressed"
        )
    misfits = [reason for publisher in of_this_type if (reason := _misfit(publisher.qos_profile, qos))]
    if len(misfits) == len(of_this_type):
        return (
            f"no image on {topic}: what {names} offers is less than this node asks for ({misfits[0]}); "
            f"set the parameters qos_overrides.{topic}.subscription.* back, best_effort suits every camera"
        )
    if arrived_before:
        room = " than its shared memory (segment_size in fastdds.xml)" if middleware == _FAST_DDS else ""
        return (
            f"no image on {topic} for {SILENCE:g} s, though {names} still offers them: is the camera frozen, is the "
            f"recording paused, or have its images become larger{room}?"
        )
    return (
        f"no image on {topic} in {SILENCE:g} s, though {names} publishes there. "
        f"{_LOSSES.get(middleware, _OTHER_LOSSES)} Or the camera itself is silent: ask `ros2 topic hz {topic}`"
    )


def _misfit(offered: QoSProfile, requested: QoSProfile) -> str:
    """Why these two never connect; empty if they do."""
    compatibility, reason = qos_check_compatible(offered, requested)
    return (reason or "incompatible QoS").rstrip("; ") if compatibility == QoSCompatibility.ERROR else ""
