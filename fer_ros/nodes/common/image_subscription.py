"""The images of one camera, as they arrive."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.qos import QoSHistoryPolicy, QoSProfile, QoSReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import CompressedImage, Image

from fer_ros.nodes.common.image_monitor import ImageMonitor

if TYPE_CHECKING:
    from rclpy.node import Node


def topic_of(camera: str, topic: str) -> str:
    """A topic of the camera of this name; a camera without a name has its topics beside the node's others."""
    return f"{camera}/{topic}" if camera else topic


class CameraInput:
    """Subscribes to a topic of images and passes each image on; says why when none come.

    Args:
        node: subscribes.
        topic: of the raw images, before remapping.
        transport: "raw" or "compressed".
        deliver: called with each image, in a thread of the executor; it must return at once and not raise.
        group: the callback group for this; None: the node's own.
        depth: how many images wait for this node, the oldest are dropped; 1: the newest only.
    """

    def __init__(
        self,
        node: Node,
        topic: str,
        transport: str,
        deliver: Callable[[Image | CompressedImage], None],
        group: MutuallyExclusiveCallbackGroup | None = None,
        depth: int = 1,
    ):
        self._node = node
        self._deliver = deliver
        message_type, resolved = Image, node.resolve_topic_name(topic)
        if transport == "compressed":
            # From the resolved name: to remap `image` does not remap `image/compressed`.
            message_type, resolved = CompressedImage, f"{resolved}/compressed"
        # What every camera can serve.
        qos = QoSProfile(reliability=QoSReliabilityPolicy.BEST_EFFORT, history=QoSHistoryPolicy.KEEP_LAST, depth=depth)
        self._subscription = node.create_subscription(
            message_type,
            resolved,
            self._receive,
            qos,
            callback_group=group,
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )
        self._watch = ImageMonitor(node, topic, self.topic, f"sensor_msgs/msg/{message_type.__name__}", qos)

    @property
    def topic(self) -> str:
        """Resolved."""
        return self._subscription.topic_name

    def close(self) -> None:
        """Unsubscribes."""
        self._watch.close()
        self._node.destroy_subscription(self._subscription)

    def _receive(self, image: Image | CompressedImage) -> None:
        self._watch.image_arrived()
        self._deliver(image)
