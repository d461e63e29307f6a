# SPDX-License-Identifier: Apache-2.0
"""Latency from an image's stamp to the received emotions, CPU time and lost images of whole nodes.

For each case `python -m benchmarks.end_to_end` starts camera and node as separate processes and subscribes to the
results. It prints a table and writes out/bench/end_to_end.json and .png. Some cases are also run with the baseline,
`benchmarks/plain_node.py`.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile

from fer_ros import dds_profile
from fer_ros.msg import FaceEmotionArray

RESULT = Path("out/bench/end_to_end.json")
_DOMAIN = "68"
"""ROS domain of this benchmark."""
_START_TIMEOUT = 60.0
"""Seconds until there must be a result of every camera."""
_SETTLE = 3.0
"""Seconds of warm-up: the first images are scanned whole, and TorchScript still optimizes the network."""


@dataclass(frozen=True)
class Case:
    """A configuration to measure; the others differ from the default in one respect."""

    faces: int = 1
    width: int = 640
    height: int = 480
    rate: float = 30.0
    transport: str = "raw"
    cameras: int = 1
    node: str = "emotion_node"

    @property
    def names(self) -> list[str]:
        """Names of the cameras; a single camera has an empty name."""
        return [""] if self.cameras == 1 else [f"camera{number}" for number in range(self.cameras)]


@dataclass
class Row:
    """Result of a case; times in milliseconds."""

    case: Case
    images: int
    """Images sent by all cameras during the measurement."""
    lost: int
    """Images without a result."""
    latency_p50: float
    latency_p95: float
    latency_p99: float
    cpu: float
    """CPU time of the node per result."""
    faces: float
    """Mean number of faces found per image."""
    memory: float
    """Peak resident memory of the node, MB."""
    stages: dict[str, float]
    """Median wall time by stage, for the images of all cameras that are processed together; empty for plain_node."""


NODES = ("emotion_node", "plain_node")
"""Measured directly after one another, because the speed of a shared machine varies."""
CASES = [
    Case(faces=0),
    *(Case(faces=faces, node=node) for faces in (1, 3) for node in NODES),
    Case(faces=8),
    Case(width=1280, height=720),
    *(Case(width=1920, height=1080, node=node) for node in NODES),
    *(Case(transport="compressed", width=width, height=height) for width, height in ((640, 480), (1920, 1080))),
    *(Case(rate=rate) for rate in (15.0, 60.0)),
    *(Case(cameras=cameras, rate=5.0) for cameras in (1, 2, 4, 8)),
]


@dataclass
class Received:
    """Results of one camera since the last `clear`."""

    numbers: list[int] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    faces: list[int] = field(default_factory=list)

    def clear(self) -> None:
        """Forget all results."""
        self.numbers, self.latencies, self.faces = [], [], []

    def add(self, result: FaceEmotionArray) -> None:
        """Record a result on arrival."""
        stamp = result.header.stamp
        self.latencies.append(1e3 * (time.time() - stamp.sec - 1e-9 * stamp.nanosec))
        self.numbers.append(int(result.header.frame_id))
        self.faces.append(len(result.faces))


@dataclass
class Stages:
    """Latest wall times of the node's stages, from /diagnostics."""

    times: dict[str, float] = field(default_factory=dict)
    """Median milliseconds."""

    def update(self, diagnostics: DiagnosticArray) -> None:
        """Read the times from a message."""
        suffix = " p50 (ms)"
        for entry in diagnostics.status[0].values:
            if entry.key.endswith(suffix):
                self.times[entry.key.removesuffix(suffix)] = float(entry.value)


def measure(case: Case, seconds: float) -> Row:
    """Measure one case for this many seconds.

    Raises:
        RuntimeError: no result arrives.
    """
    received, stages = {name: Received() for name in case.names}, Stages()
    with _subscribed(received, stages), run_process(*_node(case)) as node, run_process(*_cameras(case)):
        _wait_for_all(received, case, node)
        time.sleep(_SETTLE)
        for camera in received.values():
            camera.clear()
        before = cpu_seconds(node.pid)
        time.sleep(seconds)
        spent = cpu_seconds(node.pid) - before
        memory = _peak_memory(node.pid)
    return _row(case, list(received.values()), spent, memory, stages.times)


def _row(case: Case, received: list[Received], spent: float, memory: float, stages: dict[str, float]) -> Row:
    latencies = np.concatenate([camera.latencies for camera in received])
    images = sum(camera.numbers[-1] - camera.numbers[0] + 1 for camera in received)
    p50, p95, p99 = np.percentile(latencies, (50, 95, 99))
    faces = statistics.mean(count for camera in received for count in camera.faces)
    cpu = 1e3 * spent / len(latencies)
    return Row(case, images, images - len(latencies), p50, p95, p99, cpu, faces, memory, stages)


def _node(case: Case) -> tuple[str, list[str]]:
    parameters = [f"image_transport:={case.transport}"]
    if case.cameras > 1:
        parameters.append(f"cameras:={json.dumps(case.names)}")
    module = "fer_ros.nodes.emotion.node" if case.node == "emotion_node" else f"benchmarks.{case.node}"
    return module, ["--ros-args", *(argument for each in parameters for argument in ("-p", each))]


def _cameras(case: Case) -> tuple[str, list[str]]:
    size = ["--width", str(case.width), "--height", str(case.height), "--faces", str(case.faces)]
    how = ["--compressed"] if case.transport == "compressed" else []
    return "benchmarks.camera", ["--cameras", *case.names, *size, "--rate", str(case.rate), *how]


@contextmanager
def run_process(module: str, arguments: list[str]) -> Iterator[subprocess.Popen]:
    """Run a Python module as a process, with its log in the folder of the results."""
    log = RESULT.with_name(f"{module}.log")
    with log.open("w") as output:
        started = subprocess.Popen([sys.executable, "-m", module, *arguments], stdout=output, stderr=output)
    try:
        yield started
    finally:
        started.terminate()
        try:
            started.wait(20)
        except subprocess.TimeoutExpired:
            started.kill()


@contextmanager
def _subscribed(received: dict[str, Received], stages: Stages) -> Iterator[None]:
    """Subscribe to the results and the diagnostics, in a background thread."""
    node = rclpy.create_node("benchmark_listener")
    for name, camera in received.items():
        topic = f"{name}/emotions" if name else "emotions"
        node.create_subscription(FaceEmotionArray, topic, camera.add, QoSProfile(depth=50))
    node.create_subscription(DiagnosticArray, "/diagnostics", stages.update, QoSProfile(depth=1))
    with spinning(node):
        yield


@contextmanager
def spinning(node: Node) -> Iterator[None]:
    """Spin a node in a background thread, and destroy it in the end."""
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    thread = threading.Thread(target=executor.spin, daemon=True)
    thread.start()
    try:
        yield
    finally:
        executor.shutdown()
        thread.join()
        node.destroy_node()


def _wait_for_all(received: dict[str, Received], case: Case, node: subprocess.Popen) -> None:
    deadline = time.monotonic() + _START_TIMEOUT
    while not all(camera.numbers for camera in received.values()):
        if node.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{case}: no result arrived; see {RESULT.parent}/*.log")
        time.sleep(0.1)


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process and its threads so far (proc(5): utime and stime)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _peak_memory(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return float("nan")


_HEAD = (
    "| node | cameras | size | transport | Hz | faces (found) | latency p50, p95, p99, ms | CPU, ms per image "
    "| lost | memory, MB |\n|---|---|---|---|---|---|---|---|---|---|"
)


def as_line(row: Row) -> str:
    """Return one row of the table in Markdown."""
    case = row.case
    return (
        f"| {case.node} | {case.cameras} | {case.width}x{case.height} | {case.transport} | {case.rate:g} "
        f"| {case.faces} ({row.faces:.2f}) | {row.latency_p50:.1f}, {row.latency_p95:.1f}, {row.latency_p99:.1f} "
        f"| {row.cpu:.1f} | {row.lost} of {row.images} | {row.memory:.0f} |"
    )


def stages_table(rows: list[Row]) -> str:
    """Return a table of the median wall time by stage, milliseconds, in Markdown."""
    timed = [row for row in rows if row.stages]
    names = list(timed[0].stages)
    lines = [f"| cameras | size | transport | faces | {' | '.join(names)} |", "|---" * (4 + len(names)) + "|"]
    for row in timed:
        times = " | ".join(f"{row.stages.get(name, math.nan):.2f}" for name in names)
        case = row.case
        lines.append(f"| {case.cameras} | {case.width}x{case.height} | {case.transport} | {case.faces} | {times} |")
    return "\n".join(lines)


def draw(rows: list[Row], path: Path) -> None:
    """Plot CPU time and latency over faces, image size and cameras."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    def along(name: str, **others) -> list[Row]:
        same = {**asdict(Case()), **others}
        return [r for r in rows if all(v == same[k] for k, v in asdict(r.case).items() if k not in name.split())]

    figure, axes = pyplot.subplots(1, 3, figsize=(12, 3.6), layout="constrained")
    for axis, label, chosen, x in (
        (axes[0], "faces", along("faces"), lambda row: row.case.faces),
        (axes[1], "megapixels", along("width height"), lambda row: row.case.width * row.case.height / 1e6),
        (axes[2], "cameras at 5 Hz", along("cameras", rate=5.0), lambda row: row.case.cameras),
    ):
        points = sorted((x(row), row.cpu, row.latency_p50) for row in chosen)
        axis.plot([p[0] for p in points], [p[1] for p in points], "o-", label="CPU per image, ms")
        axis.plot([p[0] for p in points], [p[2] for p in points], "s--", label="latency p50, ms")
        axis.set(xlabel=label, ylim=(0, None))
        axis.grid(alpha=0.3)
    axes[0].legend()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def main() -> None:
    """Measure all cases, print a line for each, and write JSON and plot."""
    command_line = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    command_line.add_argument("--seconds", type=float, default=8.0, help="duration of each case (default: %(default)s)")
    command_line.add_argument("--quick", action="store_true", help="only one face in 640x480, with both nodes")
    options = command_line.parse_args()
    os.environ.update(dds_profile.variables(os.environ))
    os.environ |= {"ROS_DOMAIN_ID": _DOMAIN, "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    rclpy.init()
    rows = []
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n\n{_HEAD}", flush=True)
    for case in [Case(node=node) for node in NODES] if options.quick else CASES:
        rows.append(measure(case, options.seconds))
        print(as_line(rows[-1]), flush=True)
    rclpy.shutdown()
    print(f"\n{stages_table(rows)}")
    content = {"load": os.getloadavg(), "cores": os.cpu_count(), "cases": [asdict(row) for row in rows]}
    RESULT.write_text(json.dumps(content, indent=1) + "\n")
    draw(rows, RESULT.with_suffix(".png"))
    print(f"\nwritten to {RESULT} and {RESULT.with_suffix('.png')}")


if __name__ == "__main__":
    main()
