# SPDX-License-Identifier: Apache-2.0
"""Calibration of one camera, from its camera_info."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from rclpy.qos import QoSDurabilityPolicy, QoSReliabilityPolicy
from sensor_msgs.msg import CameraInfo

from fer_ros.nodes.common import graph, image_monitor, qos
from fer_ros.nodes.common.log_throttle import LogThrottle
from fer_ros.people.camera_model import CameraModel
from fer_ros.types import Box

if TYPE_CHECKING:
    from rclpy.callback_groups import CallbackGroup
    from rclpy.node import Node
    from rclpy.subscription import Subscription

_CHECK_PERIOD = 1.0
"""Seconds between two looks at the publishers."""
_TYPE_NAME = "sensor_msgs/msg/CameraInfo"


class CameraInfoSubscriber:
    """Subscribes to camera_info and converts it to a camera model; without one, the log says once why.

    Args:
        node: subscribes and logs.
        topic: of the calibration, before remapping.
        name: for which a remapping would change the topic.
        rectified: whether the images are rectified.
        group: callback group of the subscription.
    """

    def __init__(self, node: Node, topic: str, name: str, rectified: bool, group: CallbackGroup):
        self._node = node
        self._name = name
        self._unresolved = topic
        self._rectified = rectified
        self._group = group
        self._info: CameraInfo | None = None
        self._once = LogThrottle(interval=math.inf)
        self._profile = qos.best_effort()
        self._subscription = node.create_subscription(
            CameraInfo,
            topic,
            self._receive,
            self._profile,
            callback_group=group,
            qos_overriding_options=qos.overriding_options(),
        )
        self._latched: Subscription | None = None
        self._subscribed = time.monotonic()
        self._checked = 0.0

    @property
    def topic(self) -> str:
        """Resolved name of the topic."""
        return self._subscription.topic_name

    def close(self) -> None:
        """Unsubscribe."""
        self._node.destroy_subscription(self._subscription)
        if self._latched:
            self._node.destroy_subscription(self._latched)

    def camera_model(self, image_size: tuple[int, int]) -> CameraModel | None:
        """Return the camera model for images of this width and height in pixels; None if it is missing or invalid.

        Called with every image, it also looks for publishers that have latched their message.
        """
        now = time.monotonic()
        if now - self._checked >= _CHECK_PERIOD:
            self._checked = now
            self._check_publishers(now)
        if self._info is None:
            return None
        try:
            model = to_camera_model(self._info, self._rectified)
            model.check(image_size)
        except ValueError as error:
            self._warn("invalid", f"{error} (on {self.topic})")
            return None
        if not model.calibrated:
            matrix = "p" if self._rectified else "k"
            self._inform(
                "uncalibrated", f"{self.topic} is of an uncalibrated camera, its {matrix} is 0: calibrate the camera"
            )
            return None
        return model

    def _check_publishers(self, now: float) -> None:
        publishers = self._node.get_publishers_info_by_topic(self._unresolved)
        # A volatile subscription does not receive what was published before it, and a latched (transient local) one
        # does not match volatile publishers, of which most cameras are.
        volatile = self._profile.durability != QoSDurabilityPolicy.TRANSIENT_LOCAL
        if self._latched is None and volatile and any(_is_latched(publisher.qos_profile) for publisher in publishers):
            self._latched = self._node.create_subscription(
                CameraInfo, self._unresolved, self._receive, qos.reliable(1, latched=True), callback_group=self._group
            )
        elif self._info is None and now - self._subscribed >= image_monitor.TIMEOUT:
            self._explain(publishers)

    def _explain(self, publishers) -> None:
        """Log why there is no camera_info."""
        names = graph.publisher_names(publishers)
        of_this_type = [publisher for publisher in publishers if publisher.topic_type == _TYPE_NAME]
        if not publishers:
            others = graph.listed(graph.published_topics(self._node, [_TYPE_NAME]))
            remedy = f"; camera_info is published on {others}" if others else ""
            self._inform(
                f"no publisher{remedy}",
                f"no publisher on {self.topic}; remap it with `-r {self._name}:=/its/topic`{remedy}",
            )
        elif not of_this_type:
            self._warn(
                "type", f"{names} publishes {publishers[0].topic_type} on {self.topic}, this node expects {_TYPE_NAME}"
            )
        elif mismatch := graph.qos_mismatch(of_this_type, self._profile):
            self._warn("QoS", f"{mismatch}; remove the parameters qos_overrides.{self.topic}.subscription.*")
        else:
            self._warn(
                "silent",
                f"no message on {self.topic}, although {names} publishes there; a driver that publishes it only once "
                "must do so with the durability transient_local",
            )

    # Each kind once; two methods, because rclpy requires each call site to keep its severity.

    def _inform(self, kind: str, reason: str) -> None:
        if self._once.allows(kind):
            self._node.get_logger().info(f"no positions: {reason}")

    def _warn(self, kind: str, reason: str) -> None:
        if self._once.allows(kind):
            self._node.get_logger().warning(f"no positions: {reason}")

    def _receive(self, info: CameraInfo) -> None:
        self._info = info


def _is_latched(offered) -> bool:
    return (
        offered.durability == QoSDurabilityPolicy.TRANSIENT_LOCAL
        and offered.reliability == QoSReliabilityPolicy.RELIABLE
    )


def to_camera_model(info: CameraInfo, rectified: bool) -> CameraModel:
    """Convert a message to a camera model.

    Raises:
        ValueError: the message is invalid; says why.
    """
    return CameraModel(
        width=info.width,
        height=info.height,
        k=tuple(info.k),
        d=tuple(info.d),
        distortion_model=info.distortion_model,
        p=tuple(info.p),
        binning_x=info.binning_x,
        binning_y=info.binning_y,
        roi=Box(info.roi.x_offset, info.roi.y_offset, info.roi.width, info.roi.height),
        rectified=rectified,
    )
