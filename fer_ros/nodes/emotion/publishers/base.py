# SPDX-License-Identifier: Apache-2.0
"""Interface of the publishers, and the base of those with topics per camera.

A publisher serves all cameras of the node. It is called in the thread that processes images, only while the node is
active, and creates no third-party message without a subscriber.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from rclpy.qos import QoSProfile
from std_msgs.msg import Header

from fer_ros.nodes.common.image_subscription import camera_topic
from fer_ros.nodes.common.names import node_prefix
from fer_ros.nodes.common.qos import create_publisher
from fer_ros.people.events import Event

if TYPE_CHECKING:
    from rclpy.lifecycle import LifecycleNode
    from rclpy.node import Node

    from fer_ros.nodes.emotion.result import Result


class Publisher(Protocol):
    """Publishes the results of all cameras as messages of one type or package."""

    def has_subscribers(self, camera: str) -> bool:
        """Return whether a topic of this camera has a subscriber; without any, the camera is not processed."""

    def publish(self, camera: str, result: Result) -> None:
        """Publish the result of one image; called after `publish_events` with the events of the same image."""

    def publish_events(self, camera: str, events: Sequence[Event], header: Header) -> None:
        """Publish events; `header` is that of the last image. Called also without an image, when tracks are dropped."""

    def close(self) -> None:
        """Destroy the ROS publishers."""


class CameraPublisher:
    """Base of publishers whose topics exist once per camera, under the camera's name.

    Args:
        node: publishes.
        cameras: names of all cameras of the node.
    """

    def __init__(self, node: LifecycleNode, cameras: Sequence[str]):
        self._node = node
        self._cameras = tuple(cameras)
        self._publishers: dict[str, list[Any]] = {camera: [] for camera in cameras}

    def has_subscribers(self, camera: str) -> bool:
        """See `Publisher`."""
        # Not by matched events, which would need no polling: they exist from Jazzy on.
        return any(publisher.get_subscription_count() for publisher in self._publishers[camera])

    def publish_events(self, camera: str, events: Sequence[Event], header: Header) -> None:
        """See `Publisher`; publishes nothing."""

    def close(self) -> None:
        """See `Publisher`."""
        for publishers in self._publishers.values():
            for publisher in publishers:
                self._node.destroy_lifecycle_publisher(publisher)

    def _create_publishers(self, message_type: type, topic: str, qos: QoSProfile) -> dict[str, Any]:
        """Return one ROS publisher per camera, by the name of the camera."""
        return {
            camera: self._create_publisher(camera, message_type, camera_topic(camera, topic), qos)
            for camera in self._cameras
        }

    def _create_publisher(self, camera: str, message_type: type, topic: str, qos: QoSProfile) -> Any:
        publisher = create_publisher(self._node, message_type, topic, qos)
        self._publishers[camera].append(publisher)
        return publisher


def unique_id(node: Node, camera: str, face_id: str) -> str:
    """Return an id that is unique on the robot and valid as a part of a topic or frame name.

    That is the face_id after the name of the camera, the node's namespace, and the node's name if it was renamed.
    """
    return "_".join(filter(None, (node_prefix(node, "emotion_node"), camera, face_id)))


class FrameCheck:
    """Decides whether positions in a camera's frame can be published, and logs once if they cannot.

    Args:
        node: logs.
        outputs: what is not published without a frame, as in "transforms".
    """

    def __init__(self, node: Node, outputs: str):
        self._node = node
        self._outputs = outputs
        self._is_reported = False

    def accepts(self, camera: str, header: Header) -> bool:
        """Return whether the header of an image has a frame_id."""
        if not header.frame_id and not self._is_reported:
            self._is_reported = True
            self._node.get_logger().warning(
                f"no {self._outputs}: the images{f' of camera {camera}' if camera else ''} have an empty frame_id; set "
                "it in the camera's driver"
            )
        return bool(header.frame_id)
