# SPDX-License-Identifier: Apache-2.0
"""Send hostile messages to a running emotion_node, and a good image after each, which it must answer.

    make fuzz-dds MESSAGES=5000

Half of the messages go to a node for raw images, half to one for compressed images; every third is a calibration.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import rclpy
from program import Program
from rclpy.qos import qos_profile_sensor_data
from robot import Robot, image_message, jpeg_message
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from fuzz import messages

_GOOD = np.full((48, 64, 3), 90, np.uint8)
_BEFORE_GOOD = 0.004
"""Seconds from a hostile image to the good one, so that it is processed and not replaced."""
_DEADLINE = 10.0
_SLOW = 1.0
"""Seconds until the good image is answered, above which it is a finding."""


class Attack:
    """Hostile messages to one node.

    Args:
        robot: in the namespace of the node.
        transport: of the images of the node, "raw" or "compressed".
    """

    def __init__(self, robot: Robot, transport: str):
        is_raw = transport == "raw"
        self._robot = robot
        self._hostile = messages.image if is_raw else messages.compressed_image
        self._good = image_message if is_raw else jpeg_message
        self._camera = robot.matched_camera(*(("image", Image) if is_raw else ("image/compressed", CompressedImage)))
        self._infos = robot.node.create_publisher(CameraInfo, "camera_info", qos_profile_sensor_data)
        robot.wait_until(lambda: self._infos.get_subscription_count() > 0, "the subscription to camera_info")

    def send(self, number: int, draw: random.Random) -> float:
        """Send hostile message `number` and a good image; return the seconds until that was answered.

        Raises:
            AssertionError: it was not.
        """
        if number % 3 == 0:
            self._infos.publish(messages.camera_info(draw))
        else:
            self._camera.publish(self._hostile(draw))
        time.sleep(_BEFORE_GOOD)
        good = self._good(_GOOD, frame_id=f"good {number}")
        good.header.stamp = self._robot.stamp()
        started = time.monotonic()
        self._camera.publish(good)
        results = self._robot.results
        while not any(result.header == good.header for result in list(results)):
            assert time.monotonic() - started < _DEADLINE, f"no result after hostile message {number}"
            time.sleep(0.0005)
        results.clear()
        return time.monotonic() - started


def main() -> int:
    """Return 0, or 1 if a message ended, hung or delayed a node."""
    command = argparse.ArgumentParser(prog="fuzz.dds", description=__doc__)
    command.add_argument("--messages", type=int, default=5000)
    command.add_argument("--seed", type=int, default=0, help="0 draws one")
    options = command.parse_args()
    seed = options.seed or random.randrange(1, 1 << 30)
    print(f"seed {seed}, {options.messages} messages", flush=True)
    rclpy.init()
    failed = False
    for transport in ("raw", "compressed"):
        failed |= _attack(transport, options.messages // 2, random.Random(seed))
    rclpy.try_shutdown()
    return int(failed)


def _attack(transport: str, count: int, draw: random.Random) -> bool:
    with Robot() as robot, tempfile.TemporaryDirectory() as folder:
        arguments = ["-r", f"__ns:={robot.namespace}", "-p", f"image_transport:={transport}", "-p", "backend:=opencv"]
        with Program("emotion_node", "--ros-args", *arguments, log=Path(folder, "log")) as node:
            attack = Attack(robot, transport)
            before = _resident_mb(node.pid)
            started = time.monotonic()
            times = []
            try:
                for number in range(count):
                    times.append(attack.send(number, draw))  # noqa: PERF401
            except AssertionError as error:
                print(f"{transport}: {error}; the node {'runs' if node.runs else 'has ended'}:\n{node.output[-3000:]}")
                return True
            lines, unhandled = node.output.count("\n"), node.output.count("unhandled error")
            median, slowest = 1e3 * float(np.median(times)), max(times)
            print(
                f"{transport}: {count} messages in {time.monotonic() - started:.0f} s; good images answered: all, "
                f"median {median:.1f} ms, slowest {slowest:.2f} s; memory {before} to {_resident_mb(node.pid)} MB; "
                f"{lines} lines logged; {unhandled} unhandled errors",
                flush=True,
            )
            status = node.end(by=2)
    print(f"{transport}: ended with status {status}", flush=True)
    return bool(slowest > _SLOW or unhandled or status)


def _resident_mb(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 >> 20


if __name__ == "__main__":
    sys.exit(main())
