"""Cameras for the end-to-end benchmark, as a process of their own: `python -m benchmarks.camera --help`.

Every image carries its number in `header.frame_id`, so that whoever gets the answers can tell which are missing, and as
its stamp the time at which it was handed to DDS.
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
    """Publishes pictures over and over on `image`, or on `<name>/image`.

    Args:
        node: publishes.
        name: of the camera; empty for one that has none.
        images: prepared messages.
        rate: images a second.
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


def raw(picture: np.ndarray) -> Image:
    height, width, _ = picture.shape
    data = array("B", picture.tobytes())
    return Image(height=height, width=width, encoding="bgr8", step=3 * width, data=data)


def compressed(picture: np.ndarray) -> CompressedImage:
    _, data = cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, 90))
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
    images = [message(picture) for picture in crowd(options.width, options.height, options.faces, options.rate)]
    rclpy.init()
    node = Node("benchmark_camera")
    for name in options.cameras:
        Camera(node, name, images, options.rate)
    # Ended in this way it gives its shared memory back.
    with contextlib.suppress(KeyboardInterrupt, ExternalShutdownException):
        rclpy.spin(node)


if __name__ == "__main__":
    main()
