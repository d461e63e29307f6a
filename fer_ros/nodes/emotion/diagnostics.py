# SPDX-License-Identifier: Apache-2.0
"""Diagnostics: a status for each camera on /diagnostics, once a second."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType

from fer_ros.image_period import MISSED_PERIODS
from fer_ros.nodes.common.messages import to_seconds
from fer_ros.nodes.common.names import status_name
from fer_ros.nodes.common.qos import create_publisher, reliable
from fer_ros.nodes.emotion.camera import Camera
from fer_ros.nodes.emotion.parameter_groups import DiagnosticsParameters
from fer_ros.nodes.emotion.state import NodeState

if TYPE_CHECKING:
    from rclpy.lifecycle import LifecycleNode

_PERIOD = 1.0
"""Seconds between two reports."""
_WINDOW = 10
"""Number of reports over which rates are computed."""
_MAX_SKIPPED = 0.1
"""Fraction of the received images that may be skipped before the node counts as too slow."""


@dataclass(frozen=True)
class _Rates:
    """Images of one camera per second, over the last reports."""

    received: float
    processed: float
    skipped: float
    unreadable: float


class Diagnostics:
    """Publishes a diagnostic_msgs/DiagnosticArray on `/diagnostics`, with names as given by diagnostic_updater.

    Args:
        node: publishes.
        cameras: by name.
        state: returns the current state of the node.
    """

    def __init__(self, node: LifecycleNode, cameras: Mapping[str, Camera], state: Callable[[], NodeState]):
        self._node = node
        self._cameras = cameras
        self._state = state
        self._publisher = create_publisher(node, DiagnosticArray, "/diagnostics", reliable(depth=1))
        self._history: dict[str, deque[tuple[float, ...]]] = {name: deque(maxlen=_WINDOW + 1) for name in cameras}
        # Steady time, not the node's clock: with use_sim_time that one stands still while nothing publishes /clock.
        self._timer = node.create_timer(_PERIOD, self._report, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def close(self) -> None:
        """Destroy the publisher and its timer."""
        self._node.destroy_timer(self._timer)
        self._node.destroy_lifecycle_publisher(self._publisher)

    def _report(self) -> None:
        rates = {name: self._rates(name) for name in self._cameras}
        if self._publisher.get_subscription_count():
            array = DiagnosticArray(status=[self._status(name, rates[name]) for name in self._cameras])
            array.header.stamp = self._node.get_clock().now().to_msg()
            self._publisher.publish(array)

    def _rates(self, name: str) -> _Rates:
        statistics, history = self._cameras[name].statistics, self._history[name]
        counts = statistics.arrivals.count, statistics.processed, statistics.skipped, statistics.unreadable
        history.append((time.monotonic(), *counts))
        seconds, *differences = np.subtract(history[-1], history[0])
        return _Rates(*(float(difference / seconds) if seconds else 0.0 for difference in differences))

    def _status(self, name: str, rates: _Rates) -> DiagnosticStatus:
        camera, state = self._cameras[name], self._state()
        statistics = camera.statistics
        level, message = _level(camera, rates, state.settings.diagnostics)
        values = {
            "images/s": f"{rates.received:.1f}",
            "processed/s": f"{rates.processed:.1f}",
            "time since last image (s)": f"{statistics.arrivals.since_last:.1f}",
            "age of last processed image (s)": self._age(statistics.stamp),
            "faces": f"{statistics.faces}",
            "images received": f"{statistics.arrivals.count}",
            "images processed": f"{statistics.processed}",
            "images skipped": f"{statistics.skipped}",
            "images late": f"{statistics.late}",
            "images above max_rate": f"{statistics.above_max_rate}",
            "images unreadable": f"{statistics.unreadable}",
            **_percentiles(list(statistics.times)),
            "model": state.classifier.model_id,
            "backend": state.classifier.backend,
        }
        return DiagnosticStatus(
            level=level,
            name=status_name(self._node, name or "camera"),
            message=message,
            hardware_id=camera.image_topic,
            values=[KeyValue(key=key, value=value) for key, value in values.items()],
        )

    def _age(self, stamp: Time) -> str:
        """Return the seconds since the image was taken, by the camera's clock; empty if either time is 0."""
        taken, now = to_seconds(stamp), self._node.get_clock().now().nanoseconds * 1e-9
        return f"{now - taken:.3f}" if taken and now else ""


def _level(camera: Camera, rates: _Rates, parameters: DiagnosticsParameters) -> tuple[bytes, str]:
    """Return the level and the message of a camera's status."""
    if not camera.subscribed:
        return DiagnosticStatus.OK, "idle"
    arrivals = camera.statistics.arrivals
    waited = arrivals.since_last
    # For a camera that is slower than the limits assume, both are longer.
    factor = max(1.0, MISSED_PERIODS * arrivals.period.seconds / parameters.warn_after)
    if waited >= factor * parameters.error_after:
        return (DiagnosticStatus.ERROR if arrivals.count else DiagnosticStatus.STALE), f"no image for {waited:.1f} s"
    if waited >= factor * parameters.warn_after:
        return DiagnosticStatus.WARN, f"no image for {waited:.1f} s"
    if rates.unreadable:
        return DiagnosticStatus.WARN, f"{rates.unreadable:.1f} of {rates.received:.1f} images/s are unreadable"
    if camera.statistics.stamps_stand_still:
        return DiagnosticStatus.WARN, "the stamps of the images do not advance"
    if rates.skipped > _MAX_SKIPPED * rates.received:
        return DiagnosticStatus.WARN, f"too slow: processing {rates.processed:.1f} of {rates.received:.1f} images/s"
    return DiagnosticStatus.OK, f"processing {rates.processed:.1f} images/s"


def _percentiles(times: list[Mapping[str, float]]) -> dict[str, str]:
    """Return the median and the 95th percentile of each stage in milliseconds."""
    values = {}
    for stage in times[-1] if times else {}:
        percentiles = np.percentile([laps[stage] * 1e3 for laps in times], [50, 95])
        for rank, percentile in zip(("p50", "p95"), percentiles, strict=True):
            values[f"{stage} {rank} (ms)"] = f"{percentile:.2f}"
    return values
