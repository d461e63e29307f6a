# SPDX-License-Identifier: Apache-2.0
"""Calibration of one camera, from its camera_info."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensor_msgs.msg import CameraInfo

from fer_ros.nodes.common.log_throttle import LogThrottle
from fer_ros.nodes.common.qos import best_effort
from fer_ros.people.camera_model import CameraModel
from fer_ros.types import Box

if TYPE_CHECKING:
    from rclpy.callback_groups import CallbackGroup
    from rclpy.node import Node


class CameraInfoSubscriber:
    """Subscribes to camera_info and converts it to a camera model; without one there are no positions and no error.

    Args:
        node: subscribes and logs.
        topic: of the calibration.
        rectified: whether the images are rectified.
        group: callback group of the subscription.
    """

    def __init__(self, node: Node, topic: str, rectified: bool, group: CallbackGroup):
        self._node = node
        self._rectified = rectified
        self._throttle = LogThrottle()
        self._info: CameraInfo | None = None
        self._subscription = node.create_subscription(
            CameraInfo, topic, self._receive, best_effort(), callback_group=group
        )

    def close(self) -> None:
        """Unsubscribe."""
        self._node.destroy_subscription(self._subscription)

    def camera_model(self, image_size: tuple[int, int]) -> CameraModel | None:
        """Return the camera model for images of this width and height in pixels; None if it is missing or invalid."""
        if self._info is None:
            return None
        try:
            model = to_camera_model(self._info, self._rectified)
            model.check(image_size)
        except ValueError as error:
            if self._throttle.allows("camera_info"):
                self._node.get_logger().warning(f"no positions: {error} (on {self._subscription.topic_name})")
            return None
        return model

    def _receive(self, info: CameraInfo) -> None:
        self._info = info


def to_camera_model(info: CameraInfo, rectified: bool) -> CameraModel:
    """Convert a message to a camera model.

    Raises:
        ValueError: the message is invalid; says why.
    """
    return CameraModel(
        width=info.width,
        height=info.height,
        k=tuple(info.k),
        d=tuple(info.d),
        distortion_model=info.distortion_model,
        p=tuple(info.p),
        binning_x=info.binning_x,
        binning_y=info.binning_y,
        roi=Box(info.roi.x_offset, info.roi.y_offset, info.roi.width, info.roi.height),
        rectified=rectified,
    )
