# SPDX-License-Identifier: Apache-2.0
"""A camera that changes, stalls, jumps in time and goes away, for the soak test: `python -m benchmarks.soak_camera`.

It prints a JSON line for each phase, and each second in it: {"phase": its name, "valid": whether the phase's images can
be processed, "valid_sent": number of such images so far}. The time of sending, in nanoseconds, is in `header.frame_id`.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import random
import signal
import threading
import time
from array import array

import cv2
import numpy as np
import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from rclpy.signals import SignalHandlerOptions
from rclpy.time import Time
from sensor_msgs.msg import Image

from benchmarks.crowd import crowd

SIZES = ((320, 240), (640, 480), (1280, 720))
RATES = (2.0, 15.0, 30.0, 100.0)
PEOPLE = (0, 1, 3)
_CONVERSIONS = {
    "bgr8": None,
    "rgb8": cv2.COLOR_BGR2RGB,
    "bgra8": cv2.COLOR_BGR2BGRA,
    "mono8": cv2.COLOR_BGR2GRAY,
    "mono16": cv2.COLOR_BGR2GRAY,
}
_HOUR = 3_600 * 10**9
"""Nanoseconds."""
_ANNOUNCED = 1.0
"""Seconds between two lines in a phase."""


def main() -> None:
    """Publish images in phases of random length and kind until the process is stopped."""
    command_line = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    command_line.add_argument("--name", default="camera", help="prefix of the topic (default: %(default)s)")
    command_line.add_argument("--seed", type=int, default=0)
    options = command_line.parse_args()
    # rclpy would shut the context down in the middle of a call that needs it.
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    node = Node(f"soak_{options.name}")
    with contextlib.suppress(ExternalShutdownException):
        _Camera(node, f"{options.name}/image", random.Random(options.seed), stopped).run()
    rclpy.shutdown()


class _Camera:
    def __init__(self, node: Node, topic: str, chance: random.Random, stopped: threading.Event):
        self._node, self._topic, self._chance, self._stopped = node, topic, chance, stopped
        self._publisher = node.create_publisher(Image, topic, qos_profile_sensor_data)
        self._sent = self._valid_sent = 0
        self._offset = 0
        """Of the stamps from the clock, nanoseconds."""

    def run(self) -> None:
        """Run phase after phase; raises ExternalShutdownException when the process is stopped."""
        phases = (self._steady, self._steady, self._steady, self._stalled, self._damaged, self._jumped, self._absent)
        while True:
            self._chance.choice(phases)()

    def _steady(self) -> None:
        self._publish("steady", self._images(), seconds=self._chance.uniform(4, 15))

    def _jumped(self) -> None:
        self._offset = self._chance.choice((-_HOUR, 0, _HOUR))
        self._publish("time jumped", self._images(), seconds=5)

    def _damaged(self) -> None:
        """Send images whose fields contradict each other."""
        (image, *_) = self._images()
        damaged = Image(height=image.height, width=image.width, step=image.step, encoding=image.encoding)
        damaged.data = image.data[: self._chance.randrange(len(image.data) // 2)]
        unknown = Image(height=2, width=2, step=6, encoding="\x1b[31mnone\n", data=array("B", bytes(12)))
        self._publish("damaged", [damaged, unknown], seconds=3, valid=False)

    def _stalled(self) -> None:
        self._announce("stalled", valid=False)
        self._wait(self._chance.uniform(1, 8))

    def _absent(self) -> None:
        self._announce("absent", valid=False)
        self._node.destroy_publisher(self._publisher)
        self._wait(self._chance.uniform(0.5, 5))
        self._publisher = self._node.create_publisher(Image, self._topic, qos_profile_sensor_data)

    def _images(self) -> list[Image]:
        chance = self._chance
        return _messages(chance.choice(SIZES), chance.choice(PEOPLE), chance.choice(list(_CONVERSIONS)))

    def _publish(self, phase: str, images: list[Image], seconds: float, valid: bool = True) -> None:
        self._announce(phase, valid)
        period = 1 / self._chance.choice(RATES)
        end = time.monotonic() + seconds
        announced = time.monotonic()
        while time.monotonic() < end:
            image = images[self._sent % len(images)]
            now = self._node.get_clock().now().nanoseconds
            image.header.frame_id = str(now)
            image.header.stamp = Time(nanoseconds=now + self._offset).to_msg()
            self._publisher.publish(image)
            self._sent += 1
            self._valid_sent += valid
            self._wait(period)
            if time.monotonic() - announced > _ANNOUNCED:
                announced = time.monotonic()
                self._announce(phase, valid)

    def _announce(self, phase: str, valid: bool) -> None:
        print(json.dumps({"phase": phase, "valid": valid, "valid_sent": self._valid_sent}), flush=True)

    def _wait(self, seconds: float) -> None:
        rclpy.spin_once(self._node, timeout_sec=0)
        if self._stopped.wait(seconds):
            raise ExternalShutdownException


@functools.lru_cache(maxsize=4)
def _messages(size: tuple[int, int], people: int, encoding: str) -> list[Image]:
    return [_message(pixels, encoding) for pixels in crowd(*size, people, rate=5)]


def _message(bgr: np.ndarray, encoding: str) -> Image:
    conversion = _CONVERSIONS[encoding]
    pixels = bgr if conversion is None else cv2.cvtColor(bgr, conversion)
    if encoding == "mono16":
        pixels = pixels.astype(np.uint16) * 16  # a camera of 12 bits
    height, width = pixels.shape[:2]
    return Image(
        height=height,
        width=width,
        encoding=encoding,
        step=pixels.strides[0],
        is_bigendian=0,
        data=array("B", pixels.tobytes()),
    )


if __name__ == "__main__":
    main()
