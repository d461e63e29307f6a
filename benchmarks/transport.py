# SPDX-License-Identifier: Apache-2.0
"""Count the images of a camera driver that arrive with and without the DDS profile: `python -m benchmarks.transport`.

The camera is a separate process that publishes color images at 30 Hz, best effort. RMW_IMPLEMENTATION selects the
middleware. To measure Fast DDS in a container, run this in one, or with as little shared memory:

    sudo unshare --mount sh -c 'mount -t tmpfs -o size=64m tmpfs /dev/shm && . scripts/env.sh && \
        python -m benchmarks.transport'
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import rclpy
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image

from benchmarks.end_to_end import RESULT as END_TO_END
from fer_ros import dds_profile

RESULT = END_TO_END.with_name("transport.json")
SIZES = ((640, 480), (1280, 720), (1920, 1080), (3840, 2160))
_FAST_DDS, _CYCLONE_DDS = "rmw_fastrtps_cpp", "rmw_cyclonedds_cpp"
PROFILES = {_FAST_DDS: ("", "fastdds", "fastdds_large"), _CYCLONE_DDS: ("", "cyclonedds")}
"""By middleware; others have none."""
RATE = 30.0
_DOMAIN = "69"
"""ROS domain of this benchmark."""
_PROFILE_VARIABLES = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE", "CYCLONEDDS_URI")
_RECEIVE_BUFFER = Path("/proc/sys/net/core/rmem_max")
"""The kernel's limit of a socket's receive buffer; not visible in every container."""
_WARM_UP, _DISCOVERY_TIMEOUT = 2.0, 40.0
"""Seconds: after the camera has been discovered, and until it must have been."""


@dataclass(frozen=True)
class Row:
    """Result of one camera."""

    width: int
    height: int
    profile: str
    """Of the camera's process and, with Cyclone DDS, of the subscriber; empty for none."""
    expected: int
    arrived: int
    latency_p50: float
    """From the stamp to the callback, milliseconds; NaN if nothing arrived."""


def environment(profile: str) -> dict[str, str]:
    """Return this process's environment with the DDS profile `profile`, or without one."""
    plain = {name: value for name, value in os.environ.items() if name not in _PROFILE_VARIABLES}
    return {**plain, **dds_profile.variables(plain, profile)} if profile else plain


def measure(width: int, height: int, profile: str, seconds: float) -> Row:
    """Subscribe to a camera for this many seconds."""
    variables = environment(profile)
    if rclpy.get_rmw_implementation_identifier() == _CYCLONE_DDS:
        os.environ.pop("CYCLONEDDS_URI", None)
        os.environ.update(variables)
    rclpy.init()
    node = rclpy.create_node("transport_listener")
    latencies: list[float] = []

    def receive(image: Image) -> None:
        stamp = image.header.stamp
        latencies.append(1e3 * (time.time() - stamp.sec - 1e-9 * stamp.nanosec))

    node.create_subscription(Image, "image", receive, qos_profile_sensor_data)
    size = ["--width", str(width), "--height", str(height), "--rate", str(RATE)]
    camera = subprocess.Popen([sys.executable, "-m", "benchmarks.camera", *size], env=variables)
    try:
        _spin(node, _DISCOVERY_TIMEOUT, until=lambda: node.count_publishers("image"))
        _spin(node, _WARM_UP)
        latencies.clear()
        _spin(node, seconds)
    finally:
        camera.terminate()
        camera.wait()
        node.destroy_node()
        rclpy.shutdown()
    p50 = float(np.median(latencies)) if latencies else float("nan")
    return Row(width, height, profile, round(RATE * seconds), len(latencies), p50)


def _spin(node, seconds: float, until=lambda: False) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not until():
        rclpy.spin_once(node, timeout_sec=0.05)


def main() -> None:
    """Print a line for each camera and write JSON."""
    command_line = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    command_line.add_argument(
        "--seconds", type=float, default=4.0, help="duration of each camera (default: %(default)s)"
    )
    options = command_line.parse_args()
    os.environ.update(dds_profile.variables(os.environ))
    middleware = rclpy.get_rmw_implementation_identifier()
    os.environ |= {"ROS_DOMAIN_ID": _DOMAIN, "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
    os.environ["RMW_IMPLEMENTATION"] = middleware
    shared = shutil.disk_usage("/dev/shm").total // 2**20
    buffer = int(_RECEIVE_BUFFER.read_text()) if _RECEIVE_BUFFER.exists() else 0
    load = os.getloadavg()[0]
    print(f"{middleware}, /dev/shm of {shared} MB, socket buffers up to {buffer} bytes, load {load:.1f}\n")
    print("| image, bgr8 | profile of the camera | arrived | latency p50, ms |\n|---|---|---|---|")
    rows = []
    for width, height in SIZES:
        for profile in PROFILES.get(middleware, ("",)):
            row = measure(width, height, profile, options.seconds)
            rows.append(row)
            print(
                f"| {width}x{height} | {profile or 'none'} | {row.arrived} of {row.expected} | {row.latency_p50:.1f} |",
                flush=True,
            )
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "middleware": middleware,
        "shared_memory_mb": shared,
        "receive_buffer_max": buffer,
        "load": load,
        "cameras": [asdict(row) for row in rows],
    }
    RESULT.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
