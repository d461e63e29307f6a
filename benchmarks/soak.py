# SPDX-License-Identifier: Apache-2.0
"""Soak test of emotion_node: cameras that change, stall, jump in time and are killed, services and parameters.

`make soak MINUTES=60` prints a line per minute, writes out/soak/soak.json and soak.png, and exits with 1 if the node
ends, stalls, answers a service too late, or grows.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import rclpy
from rcl_interfaces.srv import SetParameters
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from rclpy.signals import SignalHandlerOptions
from std_srvs.srv import SetBool, Trigger

from fer_ros import dds_profile
from fer_ros.msg import FaceEmotionArray
from fer_ros.nodes.common import shared_memory
from fer_ros.srv import LoadModel

RESULT = Path("out/soak")
CAMERAS = ("left", "right")
_DOMAIN = "67"
"""ROS domain of the soak test."""
_STEP = 0.5
"""Seconds between two checks."""
_SAMPLE_PERIOD = 5.0
"""Seconds."""
_START_TIMEOUT = 60.0
"""Seconds until both cameras must have a result."""
_STALL = 10.0
"""Seconds without a result, of a camera that sends images that can be processed, after which the node has stalled."""
_ANSWER = 20.0
"""Seconds within which a service must answer; loading a model takes one or two on an idle machine."""
_CAMERA_STOP = 20.0
"""Seconds after which a camera that does not end is killed."""
_STOP = 2.0
"""Seconds within which the node must end on SIGTERM."""
_WARM_UP = 0.25
"""Share of the run after which the node must not grow any more."""
MAX_GROWTH = {"memory": 5.0, "threads": 0.5, "handles": 2.0}
"""Largest allowed difference of the lower quartiles of the first and last third after the warm-up; memory in MB.

Quartiles, because images of 1280x720 pixels take tens of megabytes while a camera sends them: medians differ by
chance. What is never given back raises the quartile as much as the median.
"""


@dataclass
class Sample:
    """The node at one time."""

    second: float
    """Since the start."""
    memory: float
    """Resident, MB."""
    shared: float
    """Of that, the shared memory of Fast DDS, through which images arrive; it belongs to the cameras, MB."""
    threads: int
    handles: int
    """Open file descriptors."""
    sent: int
    """Images so far that can be processed, of all cameras."""
    results: int
    """Received from the node so far."""
    latency: float
    """Median milliseconds from sending an image to receiving its result, since the sample before; NaN without one."""


class Camera:
    """A camera in a process of its own, and the results for it.

    Args:
        name: of the camera.
        seed: of what it does.
    """

    def __init__(self, name: str, seed: int):
        self.name, self._seed = name, seed
        self.sent = self.results = 0
        """Images that the node can process, and the results for them."""
        self.latencies: list[float] = []
        """Milliseconds, since the last sample."""
        self._valid_since = float("inf")
        self._last_result = 0.0
        self._start()

    def add(self, result: FaceEmotionArray) -> None:
        """Record a result on arrival."""
        self.results += 1
        self._last_result = time.monotonic()
        self.latencies.append(1e-6 * (time.time_ns() - int(result.header.frame_id)))

    def stalled_for(self) -> float:
        """Return the seconds for which the camera has sent valid images without getting a result."""
        return time.monotonic() - max(self._valid_since, self._last_result)

    @property
    def runs(self) -> bool:
        """Whether its process runs."""
        return self._process.poll() is None

    def restart(self, by: signal.Signals) -> None:
        """End the camera with the signal and start it again."""
        self.stop(by)
        self._seed += 1000
        self._start()

    def stop(self, by: signal.Signals = signal.SIGTERM) -> None:
        """End the process."""
        self._valid_since = float("inf")
        self._process.send_signal(by)
        try:
            self._process.wait(_CAMERA_STOP)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        # SIGKILL leaves 134 MB each time, an hour of them would fill the memory.
        shared_memory.remove_orphans()

    def _start(self) -> None:
        command = [sys.executable, "-m", "benchmarks.soak_camera", "--name", self.name, "--seed", str(self._seed)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._reader = threading.Thread(target=self._read, args=(self._process, self.sent), daemon=True)
        self._reader.start()

    def _read(self, process: subprocess.Popen, before: int) -> None:
        assert process.stdout
        for line in process.stdout:
            phase = json.loads(line)
            self.sent = before + phase["valid_sent"]
            if not phase["valid"]:
                self._valid_since = float("inf")
            elif self._valid_since == float("inf"):
                self._valid_since = time.monotonic()


class Soak:
    """The node, its cameras and its clients.

    Args:
        seed: of what happens.
    """

    def __init__(self, seed: int):
        self._chance = random.Random(seed)
        self._listener = rclpy.create_node("soak_listener")
        self.cameras = [Camera(name, seed + number) for number, name in enumerate(CAMERAS)]
        for camera in self.cameras:
            topic = f"{camera.name}/emotions"
            self._listener.create_subscription(FaceEmotionArray, topic, camera.add, QoSProfile(depth=100))
        services = {"reset": Trigger, "enable": SetBool, "load_model": LoadModel, "set_parameters": SetParameters}
        self._clients = {
            name: self._listener.create_client(kind, f"emotion_node/{name}") for name, kind in services.items()
        }
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._listener)
        threading.Thread(target=self._executor.spin, daemon=True).start()
        self._log = (RESULT / "emotion_node.log").open("w")
        parameters = [f"cameras:={json.dumps(CAMERAS)}", "tracking.scan_period:=0.5"]
        arguments = [word for parameter in parameters for word in ("-p", parameter)]
        command = [sys.executable, "-m", "fer_ros.nodes.emotion.node", "--ros-args", *arguments]
        self.node = subprocess.Popen(command, stdout=self._log, stderr=self._log)
        self.calls: dict[str, int] = {}
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._started

    def wait_for_start(self) -> list[str]:
        """Wait until both cameras have a result; return the reason if that does not happen."""
        deadline = time.monotonic() + _START_TIMEOUT
        while not all(camera.results for camera in self.cameras):
            if self.node.poll() is not None or time.monotonic() > deadline:
                return [f"the node did not start; see {RESULT}/emotion_node.log"]
            time.sleep(_STEP)
        return []

    def check(self) -> list[str]:
        """Return the reasons why the node has failed."""
        if self.node.poll() is not None:
            return [f"the node ended with status {self.node.returncode}; see {RESULT}/emotion_node.log"]
        ended = [camera.name for camera in self.cameras if not camera.runs]
        if ended:
            return [f"a fault of this test: the camera {ended[0]} has ended; its error is above"]
        stalled = {camera.name: camera.stalled_for() for camera in self.cameras}
        return [f"no result of {name} for {seconds:.1f} s" for name, seconds in stalled.items() if seconds > _STALL]

    def disturb(self) -> list[str]:
        """Do something to the node, now and then; return the reason if a service does not answer."""
        choice = self._chance.random()
        if choice < 0.02:
            camera = self._chance.choice(self.cameras)
            camera.restart(self._chance.choice((signal.SIGKILL, signal.SIGTERM)))
        elif choice < 0.12:
            return self._call(*self._chance.choice(self._requests()))
        return []

    def sample(self) -> Sample:
        """Measure the node."""
        status = Path(f"/proc/{self.node.pid}/status").read_text()
        fields = dict(line.split(":", 1) for line in status.splitlines())
        latencies: list[float] = []
        for camera in self.cameras:
            fresh, camera.latencies = camera.latencies, []
            latencies += fresh
        return Sample(
            second=self.seconds,
            memory=int(fields["VmRSS"].split()[0]) / 1024,
            shared=int(fields["RssShmem"].split()[0]) / 1024,
            threads=int(fields["Threads"]),
            handles=len(list(Path(f"/proc/{self.node.pid}/fd").iterdir())),
            sent=sum(camera.sent for camera in self.cameras),
            results=sum(camera.results for camera in self.cameras),
            latency=statistics.median(latencies) if latencies else float("nan"),
        )

    def stop(self) -> tuple[int, float]:
        """End the node, then all else; return the node's exit status and the seconds that it took."""
        before = time.monotonic()
        if self.node.poll() is None:
            self.node.send_signal(signal.SIGTERM)
        status = self.node.wait(30)
        took = time.monotonic() - before
        for camera in self.cameras:
            camera.stop()
        self._executor.shutdown()
        self._listener.destroy_node()
        self._log.close()
        return status, took

    def _requests(self) -> list[tuple[str, Any]]:
        parameters = [
            Parameter("smoothing.time_constant", value=self._chance.uniform(0, 1)),
            Parameter("max_faces", value=self._chance.randrange(3)),
            Parameter("detector.scale_factor", value=self._chance.choice((1.1, 1.3, -1.0))),
        ]
        changed = self._chance.choice(parameters).to_parameter_msg()
        model = self._chance.choice(("mini_xception", "res_se", "/dev/zero", "no_such_model", "/etc/passwd"))
        return [
            ("reset", Trigger.Request()),
            ("set_parameters", SetParameters.Request(parameters=[changed])),
            ("load_model", LoadModel.Request(model=model)),
            ("enable", SetBool.Request(data=False)),
        ]

    def _call(self, name: str, request: Any) -> list[str]:
        """Call a service and wait for the answer; `enable` is called a second time, to enable the node again."""
        self.calls[name] = self.calls.get(name, 0) + 1
        answer = self._clients[name].call_async(request)
        deadline = time.monotonic() + _ANSWER
        while not answer.done():
            if time.monotonic() > deadline:
                return [f"~/{name} did not answer within {_ANSWER:g} s"]
            time.sleep(0.02)
        if name == "enable" and not request.data:
            time.sleep(1)
            return self._call(name, SetBool.Request(data=True))
        return []


def soak(minutes: float, seed: int) -> tuple[list[Sample], list[str], dict[str, Any]]:
    """Run the test, or until SIGINT or SIGTERM; return the samples, the reasons why it failed, and totals."""
    world = Soak(seed)
    samples: list[Sample] = []
    findings = []
    try:
        findings = world.wait_for_start()
        end = time.monotonic() + 60 * minutes
        while not findings and time.monotonic() < end:
            time.sleep(_STEP)
            findings = world.check() or world.disturb()
            if not findings and (not samples or world.seconds - samples[-1].second >= _SAMPLE_PERIOD):
                samples.append(world.sample())
                if len(samples) % 12 == 1:
                    print(as_line(samples[-1]), flush=True)
    except KeyboardInterrupt:
        print(f"interrupted after {world.seconds / 60:.1f} minutes")
    finally:
        status, took = world.stop()
    if status not in (0, 130) or took > _STOP:
        findings.append(f"the node ended after {took:.1f} s with status {status}")
    totals = {
        "sent": sum(camera.sent for camera in world.cameras),
        "results": sum(camera.results for camera in world.cameras),
        "calls": world.calls,
        "stop_seconds": took,
    }
    return samples, findings, totals


def thirds(samples: list[Sample]) -> list[tuple[int, int]]:
    """Return the first and last index of the two thirds after the warm-up that are compared; none of a short run."""
    start = round(_WARM_UP * len(samples))
    third = (len(samples) - start) // 3
    return [(start, start + third - 1), (len(samples) - third, len(samples) - 1)] if third else []


def growth(samples: list[Sample]) -> dict[str, float]:
    """Return the difference of the lower quartiles of the first and last third of the samples after the warm-up."""
    if not thirds(samples):
        return {}
    early, late = (samples[first : last + 1] for first, last in thirds(samples))

    def quartile(part: list[Sample], name: str) -> float:
        values = sorted(float(getattr(sample, name)) for sample in part)
        return values[len(values) // 4]

    return {name: quartile(late, name) - quartile(early, name) for name in MAX_GROWTH}


def as_line(sample: Sample) -> str:
    """Return a sample as a line for the terminal."""
    return (
        f"{sample.second / 60:6.1f} min {sample.memory:7.1f} MB ({sample.shared:.1f} shared) "
        f"{sample.threads:4} threads {sample.handles:4} handles "
        f"{sample.results:8} results of {sample.sent:8} {sample.latency:7.1f} ms"
    )


def draw(samples: list[Sample], path: Path) -> None:
    """Plot memory, threads and handles, the share of images with a result, and latency over time."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    minutes = [sample.second / 60 for sample in samples]
    figure, axes = pyplot.subplots(4, 1, figsize=(8, 8), sharex=True, layout="constrained")
    axes[0].plot(minutes, [sample.memory for sample in samples], label="resident")
    axes[0].plot(minutes, [sample.memory - sample.shared for sample in samples], label="without the cameras' images")
    axes[0].set_ylabel("memory, MB")
    axes[1].plot(minutes, [sample.threads for sample in samples], label="threads")
    axes[1].plot(minutes, [sample.handles for sample in samples], label="open files")
    axes[2].plot(minutes, [100 * share for share in answered(samples)])
    axes[2].set_ylabel("images with a result, %")
    axes[3].plot(minutes, [sample.latency for sample in samples])
    axes[3].set(ylabel="median latency, ms", xlabel="minutes", yscale="log")
    for first, last in thirds(samples):
        for axis in axes:
            axis.axvspan(minutes[first], minutes[last], color="gray", alpha=0.15)
    for axis in axes:
        axis.grid(alpha=0.3)
    for axis in axes[:2]:
        axis.legend()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def answered(samples: list[Sample], window: int = 12) -> list[float]:
    """Return, for each sample, the share of the images sent during the last minute that got a result."""
    shares = []
    for number, sample in enumerate(samples):
        before = samples[max(0, number - window)]
        sent = sample.sent - before.sent
        shares.append((sample.results - before.results) / sent if sent else float("nan"))
    return shares


def main() -> int:
    """Run the soak test; return 1 if it found something."""
    command_line = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    command_line.add_argument("--minutes", type=float, default=10.0)
    command_line.add_argument("--seed", type=int, default=0)
    options = command_line.parse_args()
    os.environ.update(dds_profile.variables(os.environ))
    os.environ |= {"ROS_DOMAIN_ID": _DOMAIN, "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
    RESULT.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # in the background SIGINT is ignored
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    load = os.getloadavg()
    samples, findings, totals = soak(options.minutes, options.seed)
    rclpy.try_shutdown()
    grown = growth(samples)
    findings += [
        f"{name} grew by {grown[name]:.1f}" for name, limit in MAX_GROWTH.items() if grown.get(name, 0.0) > limit
    ]
    content = {"minutes": options.minutes, "seed": options.seed, "load": load, "growth": grown, "findings": findings}
    samples_content = {"totals": totals, "samples": [asdict(sample) for sample in samples]}
    (RESULT / "soak.json").write_text(json.dumps({**content, **samples_content}, indent=1) + "\n")
    if samples:
        draw(samples, RESULT / "soak.png")
    print(f"\nsent {totals['sent']}, results {totals['results']}, service calls {totals['calls']}, growth {grown}")
    print("\n".join(findings) or "nothing found", f"\nwritten to {RESULT}/soak.json and soak.png", sep="\n")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
