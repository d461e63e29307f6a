# SPDX-License-Identifier: Apache-2.0
"""Markers for RViz and Foxglove: a sphere at each face in the color of its emotion, and a text above it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from builtin_interfaces.msg import Duration
from geometry_msgs.msg import Point, Pose, Vector3
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from fer_ros.image_period import MISSED_PERIODS, ImagePeriod
from fer_ros.media import drawing
from fer_ros.nodes.common.messages import to_duration
from fer_ros.nodes.common.qos import reliable
from fer_ros.nodes.emotion.publishers.base import CameraPublisher, FrameCheck
from fer_ros.people.events import Event, EventKind
from fer_ros.types import FaceResult, Position

if TYPE_CHECKING:
    from rclpy.lifecycle import LifecycleNode

    from fer_ros.nodes.emotion.result import Result

_FACES, _LABELS = "faces", "labels"
"""Namespaces of the spheres and of the texts. RViz lists them, and would keep one for each face for good. The id of a
marker is the number in the face's id."""
_DIAMETER = 0.2
"""Meters; about the size of a head."""
_TEXT_HEIGHT = 0.1
"""Meters, of a capital letter."""
_BLANK_WIDTH = _TEXT_HEIGHT / 2
"""Meters. RViz takes the width of a blank from scale.x."""
_LIFETIME = 1.0
"""Seconds; removes the markers of faces that never had an event, and those of a node that has ended."""


class MarkersPublisher(CameraPublisher):
    """Publishes a visualization_msgs/MarkerArray on `emotions/markers` of each calibrated camera.

    Args:
        node: publishes.
        cameras: names of all cameras of the node.
    """

    def __init__(self, node: LifecycleNode, cameras: Sequence[str]):
        super().__init__(node, cameras)
        self._periods = {camera: ImagePeriod() for camera in cameras}
        self._frames = FrameCheck(node, "markers")
        self._markers = self._create_publishers(MarkerArray, "emotions/markers", reliable(depth=10))

    def publish(self, camera: str, result: Result) -> None:
        """See `Publisher`; faces without a position have no markers."""
        period = self._periods[camera]
        period.add(result.frame.stamp)
        if self.has_subscribers(camera):
            lifetime = to_duration(max(_LIFETIME, MISSED_PERIODS * period.seconds))
            located = [(face, face.position) for face in result.faces if face.position]
            self._send(
                camera, [marker for face, at in located for marker in _markers(face, at, result.header, lifetime)]
            )

    def publish_events(self, camera: str, events: Sequence[Event], header: Header) -> None:
        """See `Publisher`; deletes the markers of lost faces."""
        if events and self.has_subscribers(camera):
            lost = [event.face_id for event in events if event.kind == EventKind.LOST]
            self._send(camera, [marker for face_id in lost for marker in _deletions(face_id, header)])

    def _send(self, camera: str, markers: list[Marker]) -> None:
        if markers and self._frames.accepts(camera, markers[0].header):
            self._markers[camera].publish(MarkerArray(markers=markers))


def _markers(face: FaceResult, position: Position, header: Header, lifetime: Duration) -> Iterator[Marker]:
    x, y, z = position
    blue, green, red = (channel / 255 for channel in drawing.color_of(face.emotion))
    appearance = {"action": Marker.ADD, "lifetime": lifetime, "color": ColorRGBA(r=red, g=green, b=blue, a=1.0)}
    yield Marker(
        header=header,
        ns=_FACES,
        id=_number(face.id),
        type=Marker.SPHERE,
        pose=Pose(position=Point(x=x, y=y, z=z)),
        scale=Vector3(x=_DIAMETER, y=_DIAMETER, z=_DIAMETER),
        **appearance,
    )
    yield Marker(
        header=header,
        ns=_LABELS,
        id=_number(face.id),
        type=Marker.TEXT_VIEW_FACING,
        pose=Pose(position=Point(x=x, y=y - _DIAMETER, z=z)),  # y points down
        scale=Vector3(x=_BLANK_WIDTH, z=_TEXT_HEIGHT),
        text=f"{face.id} {face.emotion} {face.confidence:.0%}",
        **appearance,
    )


def _deletions(face_id: str, header: Header) -> Iterator[Marker]:
    for namespace in (_FACES, _LABELS):
        yield Marker(header=header, ns=namespace, id=_number(face_id), action=Marker.DELETE)


def _number(face_id: str) -> int:
    """Return the 12 of "f12"."""
    return int(face_id[1:])
