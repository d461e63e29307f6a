# SPDX-License-Identifier: Apache-2.0
"""Stops the nodes at random moments, and reports what each stop took and left behind.

`python -m benchmarks.stops` starts each node as a program and stops it by SIGINT, SIGTERM, SIGHUP, SIGINT twice, or the
life cycle's shutdown; half of the stops come in the first three seconds. A camera and an emotion node run beside them.
It prints one line per stop, writes out/bench/stops.json, and fails unless every stop took less than two seconds, with
exit status 0 or 130, no complaint, and no process, shared memory or incomplete file left.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import rclpy
from ament_index_python.packages import get_package_prefix
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState

from fer_ros import dds_profile
from fer_ros.nodes.common.shared_memory import owned_segments

RESULT = Path("out/bench/stops.json")
NODES = ("emotion_node", "emotion_recorder_node", "video_publisher_node", "trainer_node", "dashboard_node")
_DOMAIN = "66"
"""ROS domain of this benchmark."""
_START = 3.0
"""Seconds in which half of the stops come."""
_WORK = 10.0
"""Seconds until which the others come."""
_LIMIT = 2.0
"""Seconds that a stop may take."""
_POLL_PERIOD = 0.01
"""Seconds."""
_TIMEOUT = 30.0
"""Seconds after which a node that does not end is killed."""
_SIGNALS = {"SIGINT": 1, "SIGTERM": 1, "SIGHUP": 1, "SIGINT twice": 2}
"""How a node is stopped, and the number of signals."""
_READERS: dict[str, Callable[[Path], bool]] = {
    ".csv": lambda path: path.read_text().endswith("\n"),
    ".png": lambda path: cv2.imread(str(path)) is not None,
    ".mp4": lambda path: cv2.VideoCapture(str(path)).read()[0],
}
"""Whether a file of a recording is complete, by its suffix."""
_SHUTDOWN = "shutdown"
"""The transition of a managed node."""


@dataclass
class Stop:
    """One stop."""

    node: str
    by: str
    after: float
    """Seconds from the start of the program to the signal."""
    took: float = 0.0
    """Seconds from the signal to the end of the process."""
    status: int = 0
    complaints: tuple[str, ...] = ()
    """Lines on standard error after the signal, other than information."""
    processes: tuple[str, ...] = ()
    """Of its session, that still run."""
    segments: tuple[str, ...] = ()
    """Shared memory of its Fast DDS participant that still exists."""
    incomplete: tuple[str, ...] = ()
    """Files that cannot be read."""

    @property
    def is_clean(self) -> bool:
        """Whether it meets the requirements."""
        left = (*self.complaints, *self.processes, *self.segments, *self.incomplete)
        return self.took < _LIMIT and self.status in (0, 130) and not left


def main() -> int:
    """Stop nodes as often as asked; return 1 if one stop was not clean."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stops", type=int, default=100, help="number (default: %(default)s)")
    parser.add_argument("--nodes", nargs="+", default=NODES, choices=NODES, help="default: all")
    parser.add_argument("--seed", type=int, default=0, help="of the random moments (default: %(default)s)")
    options = parser.parse_args()
    os.environ.update(ROS_DOMAIN_ID=_DOMAIN, ROS_AUTOMATIC_DISCOVERY_RANGE="LOCALHOST", PYTHONUNBUFFERED="1")
    os.environ.update(dds_profile.variables(os.environ))
    stops = list(_plan(options.stops, options.nodes, random.Random(options.seed)))
    rclpy.init()
    with tempfile.TemporaryDirectory() as folder, _surroundings(Path(folder)):
        for number, stop in enumerate(stops):
            _run(stop, Path(folder, str(number)))
            mark = " " if stop.is_clean else "!"
            print(
                f"{mark} {stop.node:22} {stop.by:13} at {stop.after:5.2f} s: {stop.took:4.2f} s, status {stop.status}"
            )
            for detail in (*stop.complaints, *stop.processes, *stop.segments, *stop.incomplete):
                print(f"    {detail}")
    rclpy.shutdown()
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps([asdict(stop) for stop in stops], indent=1))
    clean = sum(stop.is_clean for stop in stops)
    times = sorted(stop.took for stop in stops)
    print(f"{clean} of {len(stops)} clean; median {times[len(times) // 2]:.2f} s, longest {times[-1]:.2f} s; {RESULT}")
    return 0 if clean == len(stops) else 1


def _plan(count: int, nodes: tuple[str, ...], chance: random.Random) -> Iterator[Stop]:
    """Yield stops in which every node meets every kind, half of them in the first seconds."""
    for number in range(count):
        node = nodes[number % len(nodes)]
        early = number // len(nodes) % 2 == 0
        kinds = [*_SIGNALS, *([_SHUTDOWN] if node == "emotion_node" and not early else [])]
        by = kinds[number // (2 * len(nodes)) % len(kinds)]
        yield Stop(node, by, chance.uniform(0, _START) if early else chance.uniform(_START, _WORK))


def _run(stop: Stop, folder: Path) -> None:
    """Start the node, stop it, and fill in the result."""
    folder.mkdir()
    log = folder / "log"
    with log.open("wb") as errors:
        command = _command(stop.node, folder)
        process = subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,
            preexec_fn=_restore_signals,
        )
    time.sleep(stop.after)
    before = len(log.read_text(errors="replace").splitlines())
    segments = owned_segments(process.pid)
    start, lost = _stop(process, stop.by)
    while process.poll() is None:
        segments |= owned_segments(process.pid)
        if time.monotonic() - start > _TIMEOUT:
            process.kill()
        time.sleep(_POLL_PERIOD)
    stop.status, stop.took = process.returncode, time.monotonic() - start
    lines = log.read_text(errors="replace").splitlines()[before:]
    stop.complaints = (*lost, *(line for line in lines if not line.startswith("[INFO]")))
    listed = subprocess.run(["ps", "-o", "args=", "-s", str(process.pid)], capture_output=True, text=True, check=False)
    stop.processes = tuple(listed.stdout.splitlines())
    stop.segments = tuple(sorted(segment for segment in segments if Path(segment).exists()))
    stop.incomplete = tuple(_incomplete(folder))


def _restore_signals() -> None:
    """Ignore no signal, as a program started from a terminal; this one may run in the background or under nohup."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def _command(node: str, folder: Path) -> list[str]:
    program = str(Path(get_package_prefix("fer_ros"), "lib", "fer_ros", node))
    options = {
        "emotion_node": ["-r", "emotions:=tested/emotions", "-p", "lazy:=false"],
        "emotion_recorder_node": ["-p", f"output:={folder / 'recording'}"],
        "video_publisher_node": ["-r", "image:=tested/image"],
        "trainer_node": ["-p", f"output:={folder / 'runs'}"],
        "dashboard_node": ["-p", "port:=0"],
    }
    return [program, "--ros-args", "-r", "__node:=tested", *options[node]]


def _stop(process: subprocess.Popen[bytes], by: str) -> tuple[float, tuple[str, ...]]:
    """Stop the node; return the time of the first signal or request, and what was lost."""
    if by == _SHUTDOWN:
        return _shut_down()
    start = time.monotonic()
    for number in range(_SIGNALS[by]):
        if number:
            time.sleep(random.uniform(0.05, 0.3))
        process.send_signal(getattr(signal, by.split()[0]))
    return start, ()


def _shut_down() -> tuple[float, tuple[str, ...]]:
    """Request the transition when the node offers it; see `_stop`."""
    node = rclpy.create_node("stops")
    client = node.create_client(ChangeState, "/tested/change_state")
    start = time.monotonic()
    lost: tuple[str, ...] = ("no service",)
    if client.wait_for_service(_TIMEOUT):
        request = ChangeState.Request(transition=Transition(id=Transition.TRANSITION_ACTIVE_SHUTDOWN))
        start = time.monotonic()
        response = client.call_async(request)
        rclpy.spin_until_future_complete(node, response, timeout_sec=_LIMIT)
        lost = () if response.done() else ("no response",)
    node.destroy_node()
    return start, lost


@contextmanager
def _surroundings(folder: Path) -> Iterator[None]:
    """Run a camera and an emotion node for the nodes under test."""
    programs = Path(get_package_prefix("fer_ros"), "lib", "fer_ros")
    with (folder / "surroundings").open("wb") as log:
        running = [
            subprocess.Popen([programs / name, "--ros-args", "-p", parameter], stdout=log, stderr=log)
            for name, parameter in (("video_publisher_node", "source:=scene"), ("emotion_node", "lazy:=false"))
        ]
        try:
            yield
        finally:
            for process in running:
                process.send_signal(signal.SIGINT)
            for process in running:
                process.wait(_TIMEOUT)


def _incomplete(folder: Path) -> Iterator[str]:
    """Yield the files of a stopped node that cannot be read."""
    for path in folder.rglob("*"):
        if path.name.endswith(".partial"):
            yield f"{path} is a temporary file"
        elif (reads := _READERS.get(path.suffix)) and not reads(path):
            yield f"{path} is incomplete"


if __name__ == "__main__":
    sys.exit(main())
