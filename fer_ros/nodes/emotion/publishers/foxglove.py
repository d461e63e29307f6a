"""For Foxglove's image panel, which draws these on the camera's own picture: a box and a word for each face."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from foxglove_msgs.msg import Color, ImageAnnotations, Point2, PointsAnnotation, TextAnnotation
from std_msgs.msg import Header

from fer_ros.media import drawing
from fer_ros.msg import FaceEmotion, FaceEmotionArray
from fer_ros.nodes.common.image_subscription import topic_of
from fer_ros.nodes.common.qos import create_publisher
from fer_ros.people.events import Event

if TYPE_CHECKING:
    from rclpy.lifecycle import LifecycleNode

    from fer_ros.nodes.emotion.result import Result

_THICKNESS = 1 / 300
"""Of a line, and ..."""
_LETTERS = 1 / 30
"""... height of a letter, as parts of the image's height."""


class Publisher:
    """Publishes foxglove_msgs/ImageAnnotations on `emotions/annotations` of each camera.

    Args:
        node: publishes.
        cameras: their names.
    """

    def __init__(self, node: LifecycleNode, cameras: Sequence[str]):
        self._node = node
        self._publishers = {
            camera: create_publisher(node, ImageAnnotations, topic_of(camera, "emotions/annotations"), depth=10)
            for camera in cameras
        }

    def has_subscribers(self, camera: str) -> bool:
        """Whether somebody subscribes to what is said about this camera."""
        return self._publishers[camera].get_subscription_count() > 0

    def publish(self, camera: str, result: Result) -> None:
        """Boxes and words; none without faces, which takes the last ones away."""
        if self.has_subscribers(camera):
            self._publishers[camera].publish(_annotations(result.emotions))

    def publish_events(self, camera: str, events: Sequence[Event], header: Header) -> None:
        """Nothing: the next image has other annotations."""

    def close(self) -> None:
        """Takes the topics off the graph."""
        for publisher in self._publishers.values():
            self._node.destroy_lifecycle_publisher(publisher)


def _annotations(emotions: FaceEmotionArray) -> ImageAnnotations:
    message = ImageAnnotations(
        points=[_box(face, emotions) for face in emotions.faces],
        texts=[_text(face, emotions) for face in emotions.faces],
    )
    if hasattr(message, "timestamp"):  # since 3.2.5, of March 2026; it says whose faces there are none
        message.timestamp = emotions.header.stamp
    return message


def _box(face: FaceEmotion, emotions: FaceEmotionArray) -> PointsAnnotation:
    left, top = float(face.roi.x_offset), float(face.roi.y_offset)
    right, bottom = left + face.roi.width, top + face.roi.height
    return PointsAnnotation(
        timestamp=emotions.header.stamp,
        type=PointsAnnotation.LINE_LOOP,
        points=[Point2(x=x, y=y) for x, y in ((left, top), (right, top), (right, bottom), (left, bottom))],
        outline_color=_color(face.emotion),
        thickness=max(emotions.image_height * _THICKNESS, 1.0) * (2 if _is_dominant(face, emotions) else 1),
    )


def _text(face: FaceEmotion, emotions: FaceEmotionArray) -> TextAnnotation:
    return TextAnnotation(
        timestamp=emotions.header.stamp,
        position=Point2(x=float(face.roi.x_offset), y=float(face.roi.y_offset)),
        text=f"{face.emotion} {face.confidence:.0%}",
        font_size=emotions.image_height * _LETTERS,
        text_color=Color(r=0.0, g=0.0, b=0.0, a=1.0),
        background_color=_color(face.emotion),
    )


def _color(emotion: str) -> Color:
    blue, green, red = (channel / 255 for channel in drawing.color_of(emotion))
    return Color(r=red, g=green, b=blue, a=1.0)


def _is_dominant(face: FaceEmotion, emotions: FaceEmotionArray) -> bool:
    return face.face_id == emotions.dominant_face_id
