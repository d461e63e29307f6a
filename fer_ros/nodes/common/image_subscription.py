# SPDX-License-Identifier: Apache-2.0
"""Subscription to the images of one camera."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sensor_msgs.msg import CompressedImage, Image

from fer_ros.nodes.common import qos
from fer_ros.nodes.common.image_monitor import ArrivalCounter, ImageMonitor

if TYPE_CHECKING:
    from rclpy.callback_groups import CallbackGroup
    from rclpy.node import Node


def camera_topic(camera: str, topic: str) -> str:
    """Return the name of a camera's topic; the topics of a camera without a name have no prefix."""
    return f"{camera}/{topic}" if camera else topic


def camera_info_topic(node: Node, camera: str = "", image_topic: str = "") -> str:
    """Return the topic of a camera's calibration: beside that of the images, where drivers have it, unless remapped.

    Args:
        node: has the remappings.
        camera: name of the camera; may be empty.
        image_topic: of the images, before remapping; empty for that of the camera's name.
    """
    own = camera_topic(camera, "camera_info")
    if node.resolve_topic_name(own) != node.resolve_topic_name(own, only_expand=True):
        return own
    images = node.resolve_topic_name(image_topic or camera_topic(camera, "image"))
    return f"{images.rpartition('/')[0]}/camera_info"


class ImageSubscription:
    """Subscribes to a topic of images, counts them, and logs the reason if none arrive.

    Args:
        node: subscribes.
        topic: of the raw images, before remapping.
        transport: "raw" or "compressed".
        callback: called with each image in a thread of the executor; must return at once and not raise.
        group: callback group of the subscription; None means the node's default.
        depth: number of images that are queued; the oldest are dropped.
        arrivals: counts the images; None means a new counter.
        watched: whether missing images are logged from the start, or only from the call of `watch` on.
    """

    def __init__(
        self,
        node: Node,
        topic: str,
        transport: str,
        callback: Callable[[Image | CompressedImage], None],
        group: CallbackGroup | None = None,
        depth: int = 1,
        arrivals: ArrivalCounter | None = None,
        watched: bool = True,
    ):
        self._node = node
        self._callback = callback
        self.arrivals = arrivals or ArrivalCounter()
        """Number of images received, and when the last one was."""
        self.arrivals.restart()
        # The name before remapping: rclpy would remap a resolved name again, and so undo an exchange of two cameras.
        message_type, name = Image, topic
        if transport == "compressed":
            # From the resolved name: remapping `image` does not remap `image/compressed`.
            message_type, name = CompressedImage, f"{node.resolve_topic_name(topic)}/compressed"
        self._profile = qos.best_effort(depth)
        self._name, self._unresolved = topic, name
        self._type_name = f"sensor_msgs/msg/{message_type.__name__}"
        self._subscription = node.create_subscription(
            message_type,
            name,
            self._receive,
            self._profile,
            callback_group=group,
            qos_overriding_options=qos.overriding_options(),
        )
        self._monitor: ImageMonitor | None = None
        if watched:
            self.watch()

    @property
    def topic(self) -> str:
        """Resolved name of the topic."""
        return self._subscription.topic_name

    def watch(self) -> None:
        """Log from now on if images are missing, and why."""
        self._monitor = self._monitor or ImageMonitor(
            self._node, self._name, self._unresolved, self.topic, self._type_name, self._profile, self.arrivals
        )

    def close(self) -> None:
        """Unsubscribe."""
        if self._monitor:
            self._monitor.close()
        self._node.destroy_subscription(self._subscription)

    def _receive(self, image: Image | CompressedImage) -> None:
        self.arrivals.add()
        self._callback(image)
