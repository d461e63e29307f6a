# SPDX-License-Identifier: Apache-2.0
"""The topics `emotions/image` and `emotions/image/compressed`: each image with the results drawn onto it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sensor_msgs.msg import CompressedImage, Image

from fer_ros.media import drawing
from fer_ros.nodes.common.image_conversion import to_jpeg, to_message
from fer_ros.nodes.common.qos import reliable
from fer_ros.nodes.emotion.publishers.base import CameraPublisher

if TYPE_CHECKING:
    from rclpy.lifecycle import LifecycleNode

    from fer_ros.nodes.emotion.result import Result


class AnnotatedImagePublisher(CameraPublisher):
    """Publishes `emotions/image`, raw and compressed, of each camera; draws only while one of them has a subscriber.

    Args:
        node: publishes.
        cameras: names of all cameras of the node.
    """

    def __init__(self, node: LifecycleNode, cameras: Sequence[str]):
        super().__init__(node, cameras)
        self._raw = self._create_publishers(Image, "emotions/image", reliable(depth=1))
        self._compressed = {
            # From the resolved name, as image_transport does: it is remapped with the raw topic.
            camera: self._create_publisher(camera, CompressedImage, f"{raw.topic_name}/compressed", reliable(depth=1))
            for camera, raw in self._raw.items()
        }

    def publish(self, camera: str, result: Result) -> None:
        """See `Publisher`."""
        raw, compressed = self._raw[camera], self._compressed[camera]
        raw_subscribers, compressed_subscribers = raw.get_subscription_count(), compressed.get_subscription_count()
        if not (raw_subscribers or compressed_subscribers):
            return
        drawn = drawing.draw(result.bgr(), result.faces, result.dominant_id)
        if raw_subscribers:
            raw.publish(to_message(drawn, result.header))
        if compressed_subscribers:
            compressed.publish(to_jpeg(drawn, result.header))
