"""Publishes a video, pictures, a webcam or the built-in scene the way a camera driver does."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.task import Future
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from fer_ros.media.sources import SourceError, images, open_source, scaled
from fer_ros.nodes.common import parameters
from fer_ros.nodes.common.image_conversion import to_message
from fer_ros.nodes.common.parameters import parameter
from fer_ros.nodes.common.qos import best_effort
from fer_ros.nodes.common.run import run

_NAME = "video_publisher_node"
_TELLS_EVERY = 5.0
"""Seconds between two lines about how far a long input is."""
_UNTIL_MUTUAL = 0.2
"""Seconds that a subscription, once it has been found, gets to find the publisher. Until then it takes no images."""


@dataclass(frozen=True)
class PublisherSettings:
    """The node's parameters."""

    source: str = parameter(
        "scene",
        "What to publish: the path of a video, a picture or a folder of pictures, the number of a webcam, or 'scene', "
        "a moving scene with a real face that is built in.",
        any_type=True,
    )
    rate: float = parameter(
        0.0,
        "Pictures per second. 0 takes the source's own: that of the video or webcam, 15 for the scene, 5 for a folder. "
        "A webcam is asked for it and may choose another.",
        range=(0.0, 1000.0),
    )
    loop: bool = parameter(
        False, "Start again at the end. When false, the node exits there, with 0. The scene and webcams have no end."
    )
    width: int = parameter(
        0, "Pixels; pictures are scaled to it. 0 follows from the height, or is the source's own.", range=(0, 16384)
    )
    height: int = parameter(
        0, "Pixels; pictures are scaled to it. 0 follows from the width, or is the source's own.", range=(0, 16384)
    )
    frame_id: str = parameter(
        "camera_optical_frame", "Frame of the camera, in the header of every image: x right, y down, z forward."
    )
    horizontal_fov: float = parameter(
        0.0,
        "Horizontal field of view, radians, from which camera_info gets the matrix of a camera without distortion. "
        "0 is that of the scene, and unknown for everything else: the camera is published as uncalibrated.",
        range=(0.0, 3.0),
    )
    wait_for_subscribers: int = parameter(
        0,
        "Begin when so many subscriptions to the images have been found, so that none of them misses the first ones. "
        "A camera does not wait: 0.",
        range=(0, 100),
    )


class VideoPublisherNode(Node):
    """Publishes `image` (bgr8) and `camera_info`, best effort, each pair with the same header.

    Stamps are the node's clock when the picture was read. The rate is kept without drift; a picture that comes too late
    delays none of the later ones.

    Args:
        options: those of `rclpy.node.Node`.

    Raises:
        ParameterError: a parameter has the wrong type or is out of range.
        SourceError: the source cannot be opened; raised by the timer where it breaks off later.
    """

    def __init__(self, **options):
        super().__init__(_NAME, **options)
        parameters.declare(self, PublisherSettings)
        self._settings = settings = parameters.read(self, PublisherSettings)
        self.finished = Future()
        self._source = open_source(
            settings.source, settings.rate, settings.width, settings.height, self.get_logger().warning
        )
        self._pictures = images(self._source, settings.loop)
        self._images = self._camera_infos = None
        self._awaited_since = 0.0
        self._published = 0
        self._started = self._told = 0.0
        self._rate = settings.rate or self._source.rate
        # Not the node's clock: with use_sim_time a camera would stand still until somebody publishes the time.
        self._timer = self.create_timer(
            1 / self._rate, self._publish_next, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )

    def close(self) -> None:
        """Says what was published, and releases the source."""
        if self._published:
            passed = time.monotonic() - self._started
            self.get_logger().info(f"images published: {self._published}, in {passed:.1f} s")
        self._source.close()

    def _publisher(self, message_type, topic: str):
        return self.create_publisher(
            message_type,
            topic,
            best_effort(depth=5),
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )

    def _is_awaited(self) -> bool:
        """Makes the publishers once there are enough subscriptions, so that none of these waits for a silent camera."""
        awaited = self._settings.wait_for_subscribers
        if not self._images and self.count_subscribers(self.resolve_topic_name("image")) >= awaited:
            self._images = self._publisher(Image, "image")
            self._camera_infos = self._publisher(CameraInfo, "camera_info")
        if self._images is None or self._images.get_subscription_count() < awaited:
            return False
        self._awaited_since = self._awaited_since or time.monotonic()
        return not awaited or time.monotonic() - self._awaited_since >= _UNTIL_MUTUAL

    def _publish_next(self) -> None:
        if not self._published and not self._is_awaited():
            return
        picture = next(self._pictures, None)
        if picture is None:
            # Found out one period after the last picture, so that this one has left the process before it ends.
            self._timer.cancel()
            self.finished.set_result(0)
            return
        header = Header(stamp=self.get_clock().now().to_msg(), frame_id=self._settings.frame_id)
        picture = scaled(picture, self._settings.width, self._settings.height)
        height, width, _ = picture.shape
        self._images.publish(to_message(picture, header))
        self._camera_infos.publish(
            camera_info(header, width, height, self._settings.horizontal_fov or self._source.horizontal_fov)
        )
        self._published += 1
        self._tell(width, height)

    def _tell(self, width: int, height: int) -> None:
        now = time.monotonic()
        if self._published == 1:
            self._started = self._told = now
            self.get_logger().info(
                f"publishing {self._source.name}, {width}x{height} at {self._rate:g}/s, on {self._images.topic_name}"
            )
        elif self._source.total and not self._settings.loop and now - self._told >= _TELLS_EVERY:
            self._told = now
            left = (self._source.total - self._published) * (now - self._started) / (self._published - 1)
            self.get_logger().info(
                f"{self._published} of {self._source.total} images, {self._published / self._source.total:.0%}, "
                f"{left:.0f} s left"
            )


def camera_info(header: Header, width: int, height: int, horizontal_fov: float) -> CameraInfo:
    """A camera without distortion that sees `horizontal_fov` radians; with 0 radians, an uncalibrated one (REP-104)."""
    info = CameraInfo(header=header, width=width, height=height)
    if horizontal_fov:
        focal_length = width / 2 / math.tan(horizontal_fov / 2)
        center_x, center_y = (width - 1) / 2, (height - 1) / 2
        info.distortion_model = "plumb_bob"
        info.d = [0.0] * 5
        info.k = [focal_length, 0.0, center_x, 0.0, focal_length, center_y, 0.0, 0.0, 1.0]
        info.r = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
        info.p = [focal_length, 0.0, center_x, 0.0, 0.0, focal_length, center_y, 0.0, 0.0, 0.0, 1.0, 0.0]
    return info


def main(args: Sequence[str] | None = None) -> int:
    """Runs the node until its source ends or it is interrupted; 1 where the source fails."""
    return run(_NAME, VideoPublisherNode, (SourceError,), args)


if __name__ == "__main__":
    sys.exit(main())
