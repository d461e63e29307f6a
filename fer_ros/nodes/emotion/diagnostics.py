"""How the node does: once a second a status for each camera, on /diagnostics."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType

from fer_ros.msg import FaceEmotionArray
from fer_ros.nodes.common import messages
from fer_ros.nodes.common.qos import create_publisher
from fer_ros.nodes.emotion.image_gate import Decision
from fer_ros.nodes.emotion.parameters import Settings

if TYPE_CHECKING:
    from rclpy.lifecycle import LifecycleNode

    from fer_ros.nodes.emotion.camera import Camera
    from fer_ros.nodes.emotion.state import NodeState

_PERIOD = 1.0
"""Seconds between two reports."""
_WINDOW = 10
"""Reports over which rates are counted."""
_TIMED = 300
"""Latest images over which times are summed up."""
_BEHIND = 0.1
"""Share of the images that may be skipped before the node is called too slow."""


@dataclass
class CameraStatistics:
    """What has become of the images of one camera. It is counted image by image, and made sense of once a second."""

    arrived: int = 0
    processed: int = 0
    faces: int = 0
    """In the last image processed."""
    stamp: Time = field(default_factory=Time)
    """Of that image."""
    times: deque[Mapping[str, float]] = field(default_factory=lambda: deque(maxlen=_TIMED))
    """Seconds that the latest images took, by stage; cameras that are processed together take them together."""
    _last_arrival: float = 0.0
    """`time.monotonic`."""

    @property
    def silence(self) -> float:
        """Seconds since the newest image, or since images began to be waited for."""
        return time.monotonic() - self._last_arrival

    def begin(self) -> None:
        """To be called when images begin to be waited for."""
        self._last_arrival = time.monotonic()

    def image_arrived(self) -> None:
        """To be called for every image."""
        self.arrived += 1
        self._last_arrival = time.monotonic()

    def image_answered(self, emotions: FaceEmotionArray) -> None:
        """To be called for every answer."""
        self.processed += 1
        self.faces = len(emotions.faces)
        self.stamp = emotions.header.stamp


@dataclass(frozen=True)
class _Rates:
    """Of one camera, per second, over the last reports."""

    arrived: float
    processed: float
    skipped: float
    bad: float


class Diagnostics:
    """Publishes a diagnostic_msgs/DiagnosticArray on `/diagnostics`, with names as diagnostic_updater gives them.

    Args:
        node: publishes.
        cameras: by name; their tallies are reported.
        skipped: how many images of a camera were replaced by newer ones before they were looked at.
        serving: gives what images are processed with.
    """

    def __init__(
        self,
        node: LifecycleNode,
        cameras: Mapping[str, Camera],
        skipped: Callable[[str], int],
        serving: Callable[[], NodeState],
    ):
        self._node = node
        self._cameras = cameras
        self._skipped = skipped
        self._serving = serving
        self._publisher = create_publisher(node, DiagnosticArray, "/diagnostics", depth=1)
        self._past: dict[str, deque[tuple[float, ...]]] = {name: deque(maxlen=_WINDOW + 1) for name in cameras}
        # Not the node's clock: with use_sim_time that one stands still when nothing is published.
        self._timer = node.create_timer(_PERIOD, self._report, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def close(self) -> None:
        """Takes the topic off the graph."""
        self._node.destroy_timer(self._timer)
        self._node.destroy_lifecycle_publisher(self._publisher)

    def _report(self) -> None:
        rates = {name: self._rates(name) for name in self._cameras}
        if self._publisher.get_subscription_count():
            array = DiagnosticArray(status=[self._status(name, rates[name]) for name in self._cameras])
            array.header.stamp = self._node.get_clock().now().to_msg()
            self._publisher.publish(array)

    def _rates(self, name: str) -> _Rates:
        camera, past = self._cameras[name], self._past[name]
        statistics = camera.statistics
        past.append(
            (time.monotonic(), statistics.arrived, statistics.processed, self._skipped(name), camera.bad_images)
        )
        seconds, *counts = np.subtract(past[-1], past[0])
        return _Rates(*(float(count / seconds) if seconds else 0.0 for count in counts))

    def _status(self, name: str, rates: _Rates) -> DiagnosticStatus:
        camera, serving = self._cameras[name], self._serving()
        level, message = _judge(camera, rates, serving.settings)
        values = {
            "images a second": f"{rates.arrived:.1f}",
            "answers a second": f"{rates.processed:.1f}",
            "since last image (s)": f"{camera.statistics.silence:.1f}",
            "age of last image processed (s)": self._age(camera.statistics.stamp),
            "faces": f"{camera.statistics.faces}",
            "images arrived": f"{camera.statistics.arrived}",
            "images processed": f"{camera.statistics.processed}",
            "images skipped": f"{self._skipped(name)}",
            "images late": f"{camera.unanswered[Decision.LATE]}",
            "images above max_rate": f"{camera.unanswered[Decision.TOO_SOON]}",
            "bad images": f"{camera.bad_images}",
            **_times(list(camera.statistics.times)),
            "model": serving.classifier.model_id,
            "backend": serving.classifier.backend,
        }
        return DiagnosticStatus(
            level=level,
            name=f"{self._node.get_name()}: {name or 'camera'}",
            message=message,
            hardware_id=camera.source,
            values=[KeyValue(key=key, value=value) for key, value in values.items()],
        )

    def _age(self, stamp: Time) -> str:
        """Since the camera took it, by the camera's own clock; empty where its driver stamps nothing."""
        age = self._node.get_clock().now().nanoseconds * 1e-9 - messages.seconds(stamp)
        return f"{age:.3f}" if messages.seconds(stamp) else ""


def _judge(camera: Camera, rates: _Rates, settings: Settings) -> tuple[bytes, str]:
    if not camera.works:
        return DiagnosticStatus.OK, "at rest"
    silence = camera.statistics.silence
    if silence >= settings.silence_error:
        never = camera.statistics.arrived == 0
        return (DiagnosticStatus.STALE if never else DiagnosticStatus.ERROR), f"no image for {silence:.1f} s"
    if silence >= settings.silence_warning:
        return DiagnosticStatus.WARN, f"no image for {silence:.1f} s"
    if rates.bad:
        return DiagnosticStatus.WARN, f"{rates.bad:.1f} of {rates.arrived:.1f} images a second cannot be read"
    if rates.skipped > _BEHIND * rates.arrived:
        return DiagnosticStatus.WARN, f"too slow: answers {rates.processed:.1f} of {rates.arrived:.1f} images a second"
    return DiagnosticStatus.OK, f"answers {rates.processed:.1f} images a second"


def _times(rounds: list[Mapping[str, float]]) -> dict[str, str]:
    """Median and 95th percentile of each stage."""
    stages = rounds[-1] if rounds else {}
    values = {}
    for stage in stages:
        percentiles = np.percentile([laps[stage] * 1e3 for laps in rounds], [50, 95])
        for rank, percentile in zip(("p50", "p95"), percentiles, strict=True):
            values[f"{stage} {rank} (ms)"] = f"{percentile:.2f}"
    return values
