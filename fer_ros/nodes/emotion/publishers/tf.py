"""For everything that asks tf2 where something is: a frame at each face."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from geometry_msgs.msg import Point, Quaternion, Transform, TransformStamped, Vector3
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage

from fer_ros.nodes.common import messages
from fer_ros.nodes.common.qos import create_publisher
from fer_ros.nodes.emotion.publishers import unique_id
from fer_ros.people.events import Event

if TYPE_CHECKING:
    from rclpy.lifecycle import LifecycleNode

    from fer_ros.nodes.emotion.result import Result

_FACING_THE_CAMERA = Quaternion(x=0.5, y=0.5, z=-0.5, w=0.5)
"""From a face's frame (REP 155: x out of the face, z to the top of the head) to the camera's optical frame (REP 103: z
forward, y down), of a face that looks straight into the camera. Nobody has measured where the head is turned."""


class Publisher:
    """Publishes on `/tf` a frame `face_<face_id>`, or `face_<camera>_<face_id>`, for each face whose position is known.

    By a tf2_msgs/TFMessage, as tf2_ros does it, so that a robot needs no tf2_ros for Python.

    Args:
        node: publishes.
        cameras: their names.
    """

    def __init__(self, node: LifecycleNode, cameras: Sequence[str]):
        self._node = node
        self._publisher = create_publisher(node, TFMessage, "/tf", depth=100)

    def has_subscribers(self, camera: str) -> bool:
        """Whether anything on the robot listens to tf."""
        return self._publisher.get_subscription_count() > 0

    def publish(self, camera: str, result: Result) -> None:
        """Where the faces of one image are, from the frame of the image, at its time."""
        if not self.has_subscribers(camera):
            return
        transforms = [
            TransformStamped(
                header=result.emotions.header,
                child_frame_id=f"face_{unique_id(camera, face.face_id)}",
                transform=Transform(translation=_vector(face.position), rotation=_FACING_THE_CAMERA),
            )
            for face in result.emotions.faces
            if messages.is_known(face.position)
        ]
        if transforms:
            self._publisher.publish(TFMessage(transforms=transforms))

    def publish_events(self, camera: str, events: Sequence[Event], header: Header) -> None:
        """Nothing: a frame that is not published any more grows old by itself."""

    def close(self) -> None:
        """Leaves `/tf`."""
        self._node.destroy_lifecycle_publisher(self._publisher)


def _vector(point: Point) -> Vector3:
    return Vector3(x=point.x, y=point.y, z=point.z)
