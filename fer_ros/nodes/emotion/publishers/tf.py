# SPDX-License-Identifier: Apache-2.0
"""A tf2 frame at each face."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from geometry_msgs.msg import Quaternion, Transform, TransformStamped, Vector3
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage

from fer_ros.nodes.common.qos import create_publisher, reliable
from fer_ros.nodes.emotion.publishers.base import FrameCheck, unique_id
from fer_ros.people.events import Event

if TYPE_CHECKING:
    from rclpy.lifecycle import LifecycleNode

    from fer_ros.nodes.emotion.result import Result

_FACING_THE_CAMERA = Quaternion(x=0.5, y=0.5, z=-0.5, w=0.5)
"""Rotation from a face's frame (REP 155: x out of the face, z to the top of the head) to the camera's optical frame
(REP 103: z forward, y down), of a face that looks straight into the camera. The head pose is not estimated."""


class TfPublisher:
    """Publishes a frame on `/tf` for each face with a position: `face_<face_id>`, see `unique_id`.

    Publishes tf2_msgs/TFMessage itself, so that the Python package tf2_ros is not needed.

    Args:
        node: publishes.
        cameras: names of all cameras of the node.
    """

    def __init__(self, node: LifecycleNode, cameras: Sequence[str]):
        self._node = node
        self._frames = FrameCheck(node, "transforms")
        self._publisher = create_publisher(node, TFMessage, "/tf", reliable(depth=100))

    def has_subscribers(self, camera: str) -> bool:
        """See `Publisher`; every tf2 listener of the robot is a subscriber."""
        return self._publisher.get_subscription_count() > 0

    def publish(self, camera: str, result: Result) -> None:
        """See `Publisher`; the parent of each frame is the frame of the image."""
        located = [(face, face.position) for face in result.faces if face.position]
        if not (located and self.has_subscribers(camera) and self._frames.accepts(camera, result.header)):
            return
        transforms = [
            TransformStamped(
                header=result.header,
                child_frame_id=f"face_{unique_id(self._node, camera, face.id)}",
                transform=Transform(
                    translation=Vector3(x=x, y=y, z=z),
                    rotation=_FACING_THE_CAMERA,
                ),
            )
            for face, (x, y, z) in located
        ]
        self._publisher.publish(TFMessage(transforms=transforms))

    def publish_events(self, camera: str, events: Sequence[Event], header: Header) -> None:
        """See `Publisher`; publishes nothing, since tf2 has no way to remove a frame."""

    def close(self) -> None:
        """See `Publisher`."""
        self._node.destroy_lifecycle_publisher(self._publisher)
