"""What is known of the camera that takes the images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rclpy.qos import QoSHistoryPolicy, QoSProfile, QoSReliabilityPolicy
from sensor_msgs.msg import CameraInfo

from fer_ros.nodes.common.log_throttle import LogThrottle
from fer_ros.people.camera_model import CameraModel
from fer_ros.types import Box

if TYPE_CHECKING:
    from rclpy.callback_groups import CallbackGroup
    from rclpy.node import Node


class Calibration:
    """Makes a camera model of the CameraInfo it subscribes to; without one there are no positions, and no error.

    Args:
        node: subscribes and logs.
        topic: where it is published.
        rectified: whether the images have gone through rectification.
        group: the callback group of the subscription.
    """

    def __init__(self, node: Node, topic: str, rectified: bool, group: CallbackGroup):
        self._node = node
        self._rectified = rectified
        self._throttle = LogThrottle()
        self._info: CameraInfo | None = None
        # What every camera can serve.
        qos = QoSProfile(reliability=QoSReliabilityPolicy.BEST_EFFORT, history=QoSHistoryPolicy.KEEP_LAST, depth=1)
        self._subscription = node.create_subscription(CameraInfo, topic, self._take, qos, callback_group=group)

    def close(self) -> None:
        """Unsubscribes."""
        self._node.destroy_subscription(self._subscription)

    def camera(self, image_size: tuple[int, int]) -> CameraModel | None:
        """The camera of images of this width and height, pixels; None where its calibration is missing or wrong."""
        if self._info is None:
            return None
        try:
            model = camera_model(self._info, self._rectified)
            model.check(image_size)
        except ValueError as error:
            if self._throttle.allows(str(error)):
                self._node.get_logger().warning(f"no positions: {error} (on {self._subscription.topic_name})")
            return None
        return model

    def _take(self, info: CameraInfo) -> None:
        self._info = info


def camera_model(info: CameraInfo, rectified: bool) -> CameraModel:
    """A message as a camera model.

    Raises:
        ValueError: it makes no sense; says why.
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
