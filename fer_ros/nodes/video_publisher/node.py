# SPDX-License-Identifier: Apache-2.0
"""Publishes a video, images, a webcam or the built-in synthetic scene as a camera driver does."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.task import Future
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from fer_ros.media.sources import SourceError, images, open_source, scaled
from fer_ros.nodes.common import parameters, stop_signals
from fer_ros.nodes.common.image_clock import warn_without_clock
from fer_ros.nodes.common.image_conversion import to_message
from fer_ros.nodes.common.image_subscription import camera_info_topic
from fer_ros.nodes.common.parameters import parameter
from fer_ros.nodes.common.qos import best_effort, create_publisher
from fer_ros.nodes.common.run import run

_NAME = "video_publisher_node"
_PROGRESS_PERIOD = 5.0
"""Seconds between two log lines about the progress of a long source."""
_WAIT_LOGGED_AFTER = 5.0
"""Seconds of waiting for subscribers after which the log says so."""
_POLL_PERIOD = 0.05
"""Seconds between two looks for subscribers."""
_DISCOVERY_DELAY = 0.2
"""Seconds for a subscription to discover the publisher after the publisher has discovered it; until then it receives no
images."""


@dataclass(frozen=True)
class PublisherSettings:
    """The node's parameters."""

    source: str = parameter(
        "scene",
        "What to publish: path of a video, an image or a folder of images, number or device of a webcam (0, or "
        "/dev/v4l/by-id/...), or 'scene', a built-in moving scene with real faces. Addresses such as rtsp:// are not "
        "taken.",
        any_type=True,
    )
    rate: float = parameter(
        0.0,
        "Images per second. 0 means the rate of the source: that of the video or webcam, 15 for the scene, 5 for a "
        "folder. A webcam may choose another rate.",
        range=(0.0, 1000.0),
    )
    loop: bool = parameter(
        False, "Restart at the end. Otherwise the node exits there with status 0. The scene and webcams have no end."
    )
    width: int = parameter(
        0,
        "Pixels; images are scaled to it. 0 follows from the height, or is the width of the source.",
        range=(0, 16384),
    )
    height: int = parameter(
        0,
        "Pixels; images are scaled to it. 0 follows from the width, or is the height of the source.",
        range=(0, 16384),
    )
    frame_id: str = parameter(
        "camera_optical_frame",
        "Optical frame of the camera (REP 103: x right, y down, z forward), in the header of every message.",
    )
    horizontal_fov: float = parameter(
        0.0,
        "Horizontal field of view in radians, from which camera_info gets the matrix of a camera without distortion. "
        "0 means that of the scene; for every other source the camera is published as uncalibrated.",
        range=(0.0, 3.0),
    )
    wait_for_subscribers: int = parameter(
        0,
        "Start when this many subscriptions to the images are discovered, so that none misses the first image. 0 "
        "starts at once, as a camera does.",
        range=(0, 100),
    )


class VideoPublisherNode(Node):
    """Publishes `image` (bgr8) and `camera_info`, best effort, each pair with the same header.

    Stamps are the time of the node's clock when the image was read. The rate does not drift: a late image does not
    delay later ones.

    Args:
        options: those of `rclpy.node.Node`.

    Raises:
        ParameterError: a parameter has the wrong type or is out of range.
        SourceError: the source cannot be opened; the timer raises it if the source fails later.
    """

    def __init__(self, **options):
        super().__init__(_NAME, **options)
        parameters.declare(self, PublisherSettings, options.get("cli_args"))
        warn_without_clock(self)
        self._settings = settings = parameters.read(self, PublisherSettings)
        self.finished = Future()
        self._source = open_source(
            settings.source, settings.rate, settings.width, settings.height, self.get_logger().warning
        )
        self._source_images = images(self._source, settings.loop)
        self._images: Any = None  # publishers, created when there are enough subscriptions
        self._camera_infos: Any = None
        self._ready_since = 0.0
        self._waiting_since = time.monotonic()
        self._logged_count = -1
        self._published = 0
        self._started = self._logged = 0.0
        self._rate = settings.rate or self._source.rate
        # A steady clock: with use_sim_time the node's clock stands still until /clock is published.
        self._steady_clock = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = self.create_timer(_POLL_PERIOD, self._start_when_ready, clock=self._steady_clock)

    def close(self) -> None:
        """Log the number of images published, and close the source."""
        if self._published:
            passed = time.monotonic() - self._started
            self.get_logger().info(f"images published: {self._published}, in {passed:.1f} s")
        self._source.close()

    def _publisher(self, message_type, topic: str):
        return create_publisher(self, message_type, topic, best_effort(depth=5))

    def _is_ready(self) -> bool:
        """Return whether there are enough subscriptions; create the publishers only then.

        Earlier, emotion_node would report a camera that publishes no images.
        """
        required, topic = self._settings.wait_for_subscribers, self.resolve_topic_name("image")
        count = self.count_subscribers(topic)
        if not self._images and count >= required:
            self._images = self._publisher(Image, "image")
            self._camera_infos = self._publisher(CameraInfo, camera_info_topic(self))
        if self._images is None or self._images.get_subscription_count() < required:
            self._log_waiting(topic, count)
            return False
        self._ready_since = self._ready_since or time.monotonic()
        return not required or time.monotonic() - self._ready_since >= _DISCOVERY_DELAY

    def _log_waiting(self, topic: str, count: int) -> None:
        if time.monotonic() - self._waiting_since < _WAIT_LOGGED_AFTER or count == self._logged_count:
            return
        self._logged_count = count
        self.get_logger().info(
            f"waiting for subscribers of {topic}: {count} of {self._settings.wait_for_subscribers}. emotion_node "
            "subscribes to it while its results have a subscriber, for instance `ros2 topic echo /emotions`; "
            "wait_for_subscribers:=0 does not wait"
        )

    def _start_when_ready(self) -> None:
        if self._is_ready():
            self.destroy_timer(self._timer)
            self._timer = self.create_timer(1 / self._rate, self._publish_next, clock=self._steady_clock)
            self._publish_next()

    def _publish_next(self) -> None:
        image = next(self._source_images, None)
        if image is None:
            # One period after the last image, so that the middleware has sent that before the process ends.
            self._timer.cancel()
            self.finished.set_result(0)
            return
        header = Header(stamp=self.get_clock().now().to_msg(), frame_id=self._settings.frame_id)
        image = scaled(image, self._settings.width, self._settings.height)
        height, width, _ = image.shape
        self._images.publish(to_message(image, header))
        self._camera_infos.publish(
            camera_info(header, width, height, self._settings.horizontal_fov or self._source.horizontal_fov)
        )
        self._published += 1
        self._log_progress(width, height)

    def _log_progress(self, width: int, height: int) -> None:
        now = time.monotonic()
        if self._published == 1:
            self._started = self._logged = now
            self.get_logger().info(
                f"publishing {self._source.name}, {width}x{height} at {self._rate:g}/s, on {self._images.topic_name}"
            )
        elif self._source.total and not self._settings.loop and now - self._logged >= _PROGRESS_PERIOD:
            self._logged = now
            left = (self._source.total - self._published) * (now - self._started) / (self._published - 1)
            self.get_logger().info(
                f"{self._published} of {self._source.total} images, {self._published / self._source.total:.0%}, "
                f"{left:.0f} s left"
            )


def camera_info(header: Header, width: int, height: int, horizontal_fov: float) -> CameraInfo:
    """Return the calibration of a camera without distortion; with a field of view of 0, an uncalibrated one (REP 104).

    Args:
        header: of the image.
        width: pixels.
        height: pixels.
        horizontal_fov: horizontal field of view, radians.
    """
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
    """Run the node until its source ends or it is interrupted; return 1 if the source fails, otherwise 0."""
    return run(_NAME, VideoPublisherNode, (SourceError,), args, publishes_camera_images=True)


if __name__ == "__main__":
    stop_signals.end(main())
