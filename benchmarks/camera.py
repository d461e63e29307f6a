# SPDX-License-Identifier: Apache-2.0
"""Camera drivers for the end-to-end benchmark, in one process: `python -m benchmarks.camera --help`.

The number of an image is in `header.frame_id`, so that the receiver of results knows which are missing. Its stamp is
the time at which it is given to DDS.
"""

from __future__ import annotations

import argparse
import contextlib
from array import array
from collections.abc import Sequence

import cv2
import numpy as np
import rclpy
from rclpy.clock import Clock, ClockType
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CompressedImage, Image

from benchmarks.crowd import crowd


class Camera:
    """Publishes images in a loop on `image`, or on `<name>/image`.

    Args:
        node: of the publisher.
        name: of the camera, may be empty.
        images: messages to publish.
        rate: images per second.
    """

    def __init__(self, node: Node, name: str, images: Sequence[Image | CompressedImage], rate: float):
        topic = f"{name}/image" if name else "image"
        kind = type(images[0])
        if kind is CompressedImage:
            topic += "/compressed"
        self._node = node
        self._images = images
        self._number = 0
        self._publisher = node.create_publisher(kind, topic, qos_profile_sensor_data)
        node.create_timer(1 / rate, self._publish, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def _publish(self) -> None:
        if not self._publisher.get_subscription_count():
            return
        image = self._images[self._number % len(self._images)]
        image.header.frame_id = str(self._number)
        image.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(image)
        self._number += 1


def raw(pixels: np.ndarray) -> Image:
    height, width, _ = pixels.shape
    data = array("B", pixels.tobytes())
    return Image(height=height, width=width, encoding="bgr8", step=3 * width, data=data)


def compressed(pixels: np.ndarray) -> CompressedImage:
    _, data = cv2.imencode(".jpg", pixels, (cv2.IMWRITE_JPEG_QUALITY, 90))
    return CompressedImage(format="bgr8; jpeg compressed bgr8", data=array("B", data.tobytes()))


def main() -> None:
    command_line = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    command_line.add_argument("--cameras", nargs="+", default=[""], metavar="NAME")
    command_line.add_argument("--width", type=int, default=640)
    command_line.add_argument("--height", type=int, default=480)
    command_line.add_argument("--faces", type=int, default=1)
    command_line.add_argument("--rate", type=float, default=30.0)
    command_line.add_argument("--compressed", action="store_true")
    options = command_line.parse_args()
    message = compressed if options.compressed else raw
    images = [message(pixels) for pixels in crowd(options.width, options.height, options.faces, options.rate)]
    rclpy.init()
    node = Node("benchmark_camera")
    for name in options.cameras:
        Camera(node, name, images, options.rate)
    # A regular end releases the shared memory of DDS.
    with contextlib.suppress(KeyboardInterrupt, ExternalShutdownException):
        rclpy.spin(node)


if __name__ == "__main__":
    main()
