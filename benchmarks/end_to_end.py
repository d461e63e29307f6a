"""From a camera's stamp to the emotion received: latency, CPU and lost images of whole nodes, in one run.

`python -m benchmarks.end_to_end` starts camera and node as processes of their own for each case, listens to the
answers, prints a table and writes out/bench/end_to_end.json and .png. Some cases are also run with the plain way of
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
from rclpy.qos import QoSProfile

from fer_ros import dds_profile
from fer_ros.msg import FaceEmotionArray

RESULT = Path("out/bench/end_to_end.json")
_DOMAIN = "68"
"""Of this benchmark alone."""
_START = 60.0
"""Seconds that processes get until every camera has been answered."""
_SETTLE = 3.0
"""Seconds that are not counted: the first images are scanned whole, and the network is still being compiled."""


@dataclass(frozen=True)
class Case:
    """What is measured; the defaults are the case that the others are compared with."""

    faces: int = 1
    width: int = 640
    height: int = 480
    rate: float = 30.0
    transport: str = "raw"
    cameras: int = 1
    way: str = "emotion_node"

    @property
    def names(self) -> list[str]:
        """Of the cameras; one alone has none."""
        return [""] if self.cameras == 1 else [f"camera{number}" for number in range(self.cameras)]


@dataclass
class Row:
    """What came of it. Times in milliseconds."""

    case: Case
    images: int
    """Sent while it was measured, by all cameras."""
    lost: int
    """Of these, not answered."""
    latency_p50: float
    latency_p95: float
    latency_p99: float
    cpu: float
    """CPU time of the node for each image answered."""
    faces: float
    """Found in an image, on average."""
    memory: float
    """Most of the node's resident memory, MB."""
    stages: dict[str, float]
    """Median wall time of each stage of the node's work, of all cameras answered together; none of a plain node."""


WAYS = ("emotion_node", "plain_node")
"""Where both are measured they follow one another: a machine is not as quick in one minute as in another."""
CASES = [
    Case(faces=0),
    *(Case(faces=faces, way=way) for faces in (1, 3) for way in WAYS),
    Case(faces=8),
    Case(width=1280, height=720),
    *(Case(width=1920, height=1080, way=way) for way in WAYS),
    *(Case(transport="compressed", width=width, height=height) for width, height in ((640, 480), (1920, 1080))),
    *(Case(rate=rate) for rate in (15.0, 60.0)),
    *(Case(cameras=cameras, rate=5.0) for cameras in (1, 2, 4, 8)),
]


@dataclass
class Answers:
    """What was heard from one camera since it was last cleared."""

    numbers: list[int] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    faces: list[int] = field(default_factory=list)

    def take(self, answer: FaceEmotionArray) -> None:
        """Notes an answer, as it arrives."""
        stamp = answer.header.stamp
        self.latencies.append(1e3 * (time.time() - stamp.sec - 1e-9 * stamp.nanosec))
        self.numbers.append(int(answer.header.frame_id))
        self.faces.append(len(answer.faces))


@dataclass
class Stages:
    """What the node last said, on /diagnostics, of how long each of its stages takes."""

    times: dict[str, float] = field(default_factory=dict)
    """Median milliseconds."""

    def take(self, diagnostics: DiagnosticArray) -> None:
        """Notes a report, as it arrives."""
        ending = " p50 (ms)"
        for entry in diagnostics.status[0].values:
            if entry.key.endswith(ending):
                self.times[entry.key.removesuffix(ending)] = float(entry.value)


def measure(case: Case, seconds: float) -> Row:
    """Runs one case for so long.

    Raises:
        RuntimeError: no answer comes.
    """
    answers, stages = {name: Answers() for name in case.names}, Stages()
    with _listening(answers, stages), _process(*_node(case)) as node, _process(*_cameras(case)):
        _await_all(answers, case, node)
        time.sleep(_SETTLE)
        for heard in answers.values():
            heard.__init__()
        before = _cpu_seconds(node.pid)
        time.sleep(seconds)
        spent = _cpu_seconds(node.pid) - before
        memory = _peak_memory(node.pid)
    return _row(case, list(answers.values()), spent, memory, stages.times)


def _row(case: Case, answers: list[Answers], spent: float, memory: float, stages: dict[str, float]) -> Row:
    latencies = np.concatenate([heard.latencies for heard in answers])
    images = sum(heard.numbers[-1] - heard.numbers[0] + 1 for heard in answers)
    p50, p95, p99 = np.percentile(latencies, (50, 95, 99))
    faces = statistics.mean(count for heard in answers for count in heard.faces)
    cpu = 1e3 * spent / len(latencies)
    return Row(case, images, images - len(latencies), p50, p95, p99, cpu, faces, memory, stages)


def _node(case: Case) -> tuple[str, list[str]]:
    parameters = [f"image_transport:={case.transport}"]
    if case.cameras > 1:
        parameters.append(f"cameras:={json.dumps(case.names)}")
    module = "fer_ros.nodes.emotion.node" if case.way == "emotion_node" else f"benchmarks.{case.way}"
    return module, ["--ros-args", *(word for each in parameters for word in ("-p", each))]


def _cameras(case: Case) -> tuple[str, list[str]]:
    size = ["--width", str(case.width), "--height", str(case.height), "--faces", str(case.faces)]
    how = ["--compressed"] if case.transport == "compressed" else []
    return "benchmarks.camera", ["--cameras", *case.names, *size, "--rate", str(case.rate), *how]


@contextmanager
def _process(module: str, arguments: list[str]) -> Iterator[subprocess.Popen]:
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
def _listening(answers: dict[str, Answers], stages: Stages) -> Iterator[None]:
    """Fills `answers` and `stages`, in a thread of its own."""
    node = rclpy.create_node("benchmark_listener")
    for name, heard in answers.items():
        topic = f"{name}/emotions" if name else "emotions"
        node.create_subscription(FaceEmotionArray, topic, heard.take, QoSProfile(depth=50))
    node.create_subscription(DiagnosticArray, "/diagnostics", stages.take, QoSProfile(depth=1))
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


def _await_all(answers: dict[str, Answers], case: Case, node: subprocess.Popen) -> None:
    deadline = time.monotonic() + _START
    while not all(heard.numbers for heard in answers.values()):
        if node.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{case}: no answer came; see {RESULT.parent}/*.log")
        time.sleep(0.1)


def _cpu_seconds(pid: int) -> float:
    """Spent by a process and all its threads so far (proc(5): utime and stime)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _peak_memory(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return float("nan")


_HEAD = (
    "| way | cameras | size | transport | Hz | faces (found) | latency p50, p95, p99, ms | CPU, ms an image "
    "| lost | memory, MB |\n|---|---|---|---|---|---|---|---|---|---|"
)


def as_line(row: Row) -> str:
    """One row of the table, in markdown."""
    case = row.case
    return (
        f"| {case.way} | {case.cameras} | {case.width}x{case.height} | {case.transport} | {case.rate:g} "
        f"| {case.faces} ({row.faces:.2f}) | {row.latency_p50:.1f}, {row.latency_p95:.1f}, {row.latency_p99:.1f} "
        f"| {row.cpu:.1f} | {row.lost} of {row.images} | {row.memory:.0f} |"
    )


def stages_table(rows: list[Row]) -> str:
    """Where the time goes, in markdown: median milliseconds of wall time by stage."""
    timed = [row for row in rows if row.stages]
    names = list(timed[0].stages)
    lines = [f"| cameras | size | transport | faces | {' | '.join(names)} |", "|---" * (4 + len(names)) + "|"]
    for row in timed:
        times = " | ".join(f"{row.stages.get(name, math.nan):.2f}" for name in names)
        case = row.case
        lines.append(f"| {case.cameras} | {case.width}x{case.height} | {case.transport} | {case.faces} | {times} |")
    return "\n".join(lines)


def draw(rows: list[Row], path: Path) -> None:
    """CPU for each image over what makes it grow."""
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
        axis.plot([p[0] for p in points], [p[1] for p in points], "o-", label="CPU an image, ms")
        axis.plot([p[0] for p in points], [p[2] for p in points], "s--", label="latency p50, ms")
        axis.set(xlabel=label, ylim=(0, None))
        axis.grid(alpha=0.3)
    axes[0].legend()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def main() -> None:
    """Measures all cases, prints a line for each as it ends, and writes JSON and picture."""
    command_line = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    command_line.add_argument("--seconds", type=float, default=8.0, help="of each case (default: %(default)s)")
    command_line.add_argument("--quick", action="store_true", help="one face in 640x480 only, in both ways")
    options = command_line.parse_args()
    os.environ.update(dds_profile.variables(os.environ))
    os.environ |= {"ROS_DOMAIN_ID": _DOMAIN, "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    rclpy.init()
    rows = []
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n\n{_HEAD}", flush=True)
    for case in [Case(way=way) for way in WAYS] if options.quick else CASES:
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
