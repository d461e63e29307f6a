# SPDX-License-Identifier: Apache-2.0
"""Annotations for Foxglove's image panel, drawn onto the camera's own image: a box and a text for each face."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from foxglove_msgs.msg import Color, ImageAnnotations, Point2, PointsAnnotation, TextAnnotation

from fer_ros.media import drawing
from fer_ros.nodes.common.qos import reliable
from fer_ros.nodes.emotion.publishers.base import CameraPublisher
from fer_ros.types import FaceResult

if TYPE_CHECKING:
    from rclpy.lifecycle import LifecycleNode

    from fer_ros.nodes.emotion.result import Result

_THICKNESS = 1 / 300
"""Of a line, as a fraction of the image's height."""
_FONT_SIZE = 1 / 30
"""As a fraction of the image's height."""


class FoxglovePublisher(CameraPublisher):
    """Publishes foxglove_msgs/ImageAnnotations on `emotions/annotations` of each camera.

    Args:
        node: publishes.
        cameras: names of all cameras of the node.
    """

    def __init__(self, node: LifecycleNode, cameras: Sequence[str]):
        super().__init__(node, cameras)
        self._annotations = self._create_publishers(ImageAnnotations, "emotions/annotations", reliable(depth=10))

    def publish(self, camera: str, result: Result) -> None:
        """See `Publisher`; without faces the message is empty, which clears the previous annotations."""
        if self.has_subscribers(camera):
            self._annotations[camera].publish(_annotations(result))


def _annotations(result: Result) -> ImageAnnotations:
    message = ImageAnnotations(
        points=[_box(face, result) for face in result.faces],
        texts=[_text(face, result) for face in result.faces],
    )
    if hasattr(message, "timestamp"):  # since 3.2.5 (March 2026): the time of annotations without faces
        message.timestamp = result.header.stamp
    return message


def _box(face: FaceResult, result: Result) -> PointsAnnotation:
    box = face.box.clipped(*result.image_size)
    left, top, right, bottom = (float(edge) for edge in (box.x, box.y, box.right, box.bottom))
    return PointsAnnotation(
        timestamp=result.header.stamp,
        type=PointsAnnotation.LINE_LOOP,
        points=[Point2(x=x, y=y) for x, y in ((left, top), (right, top), (right, bottom), (left, bottom))],
        outline_color=_color(face.emotion),
        thickness=max(result.image_size[1] * _THICKNESS, 1.0) * (2 if face.id == result.dominant_id else 1),
    )


def _text(face: FaceResult, result: Result) -> TextAnnotation:
    box = face.box.clipped(*result.image_size)
    return TextAnnotation(
        timestamp=result.header.stamp,
        position=Point2(x=float(box.x), y=float(box.y)),
        text=f"{face.emotion} {face.confidence:.0%}",
        font_size=result.image_size[1] * _FONT_SIZE,
        text_color=Color(r=0.0, g=0.0, b=0.0, a=1.0),
        background_color=_color(face.emotion),
    )


def _color(emotion: str) -> Color:
    blue, green, red = (channel / 255 for channel in drawing.color_of(emotion))
    return Color(r=red, g=green, b=blue, a=1.0)
