"""For rviz and Foxglove: a ball where each face is, in the color of its emotion, and the word above it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from builtin_interfaces.msg import Duration
from geometry_msgs.msg import Point, Pose, Vector3
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from fer_ros.media import drawing
from fer_ros.msg import FaceEmotion
from fer_ros.nodes.common import messages
from fer_ros.nodes.common.image_subscription import topic_of
from fer_ros.nodes.common.qos import create_publisher
from fer_ros.people.events import Event, EventKind

if TYPE_CHECKING:
    from rclpy.lifecycle import LifecycleNode

    from fer_ros.nodes.emotion.result import Result

_BALL, _WORD = 0, 1
"""The two markers of a face; their namespace is its face_id."""
_DIAMETER = 0.2
"""Meters; about a head."""
_LETTERS = 0.1
"""Meters that capitals are high."""
_LIFETIME = Duration(sec=1)
"""For faces that come and go before they count as persons, and for a node that ends."""


class Publisher:
    """Publishes a visualization_msgs/MarkerArray on `emotions/markers` of each camera that is calibrated.

    Args:
        node: publishes.
        cameras: their names.
    """

    def __init__(self, node: LifecycleNode, cameras: Sequence[str]):
        self._node = node
        self._publishers = {
            camera: create_publisher(node, MarkerArray, topic_of(camera, "emotions/markers"), depth=10)
            for camera in cameras
        }

    def has_subscribers(self, camera: str) -> bool:
        """Whether somebody subscribes to what is said about this camera."""
        return self._publishers[camera].get_subscription_count() > 0

    def publish(self, camera: str, result: Result) -> None:
        """Markers of the faces whose position is known."""
        if self.has_subscribers(camera):
            faces = [face for face in result.emotions.faces if messages.is_known(face.position)]
            self._send(camera, [marker for face in faces for marker in _markers(face, result.emotions.header)])

    def publish_events(self, camera: str, events: Sequence[Event], header: Header) -> None:
        """Takes away the markers of whom is lost."""
        if self.has_subscribers(camera):
            lost = [event.face_id for event in events if event.kind == EventKind.LOST]
            self._send(camera, [marker for face_id in lost for marker in _deletions(face_id, header)])

    def close(self) -> None:
        """Takes the topics off the graph."""
        for publisher in self._publishers.values():
            self._node.destroy_lifecycle_publisher(publisher)

    def _send(self, camera: str, markers: list[Marker]) -> None:
        if markers:
            self._publishers[camera].publish(MarkerArray(markers=markers))


def _markers(face: FaceEmotion, header: Header) -> Iterator[Marker]:
    place = face.position
    above = Point(x=place.x, y=place.y - _DIAMETER, z=place.z)  # y points down
    blue, green, red = (channel / 255 for channel in drawing.color_of(face.emotion))
    looks = {"action": Marker.ADD, "lifetime": _LIFETIME, "color": ColorRGBA(r=red, g=green, b=blue, a=1.0)}
    yield Marker(
        header=header,
        ns=face.face_id,
        id=_BALL,
        type=Marker.SPHERE,
        pose=Pose(position=place),
        scale=Vector3(x=_DIAMETER, y=_DIAMETER, z=_DIAMETER),
        **looks,
    )
    yield Marker(
        header=header,
        ns=face.face_id,
        id=_WORD,
        type=Marker.TEXT_VIEW_FACING,
        pose=Pose(position=above),
        scale=Vector3(z=_LETTERS),
        text=f"{face.face_id} {face.emotion} {face.confidence:.0%}",
        **looks,
    )


def _deletions(face_id: str, header: Header) -> Iterator[Marker]:
    for which in (_BALL, _WORD):
        yield Marker(header=header, ns=face_id, id=which, action=Marker.DELETE)
