"""What is said about training: progress, pictures, and how the trainer is."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from fer_ros.msg import TrainingProgress
from fer_ros.nodes.common import messages
from fer_ros.nodes.common.image_conversion import to_message
from fer_ros.nodes.common.qos import create_publisher, reliable
from fer_ros.training import run_folder

if TYPE_CHECKING:
    from rclpy.node import Node


class TrainingPublishers:
    """Publishes `training/progress`, `training/curves` and `training/confusion_matrix`, and diagnostics at 1 Hz.

    The pictures stay for those who come late.
    """

    def __init__(self, node: Node):
        self._node = node
        self._progress = create_publisher(node, TrainingProgress, "training/progress", reliable(depth=10))
        latched = reliable(depth=1, latched=True)
        self._pictures = {
            run_folder.CURVES: create_publisher(node, Image, "training/curves", latched),
            run_folder.CONFUSION_MATRIX: create_publisher(node, Image, "training/confusion_matrix", latched),
        }
        self._diagnostics = create_publisher(node, DiagnosticArray, "/diagnostics", reliable(depth=1))
        self._folder = Path()
        self._drawn: dict[str, int] = {}
        self._marked_at = time.monotonic()
        self._health = (DiagnosticStatus.OK, "idle", {})
        # Not the node's clock, which with use_sim_time may stand still.
        node.create_timer(1.0, self._tell, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def start(self, folder: Path) -> None:
        """A run in `folder` is about to begin, or to go on."""
        self._folder = folder
        self._drawn = {}
        self._health = (DiagnosticStatus.OK, "training: loading", {"run": folder.name})

    def begin(self) -> None:
        """The data is loaded, and the first epoch begins."""
        self._marked_at = time.monotonic()
        self._publish_pictures()

    def batch(self, event: dict[str, Any]) -> None:
        """An epoch is under way."""
        _, _, values = self._health
        message = f"training: epoch {event['epoch']} of {event['epochs']}"
        learned = {"images learned in this epoch": f"{event['learned']} of {event['total']}"}
        self._health = (DiagnosticStatus.OK, message, {**values, **learned})

    def epoch(self, record: dict[str, Any]) -> TrainingProgress:
        """An epoch has ended; returns what was published about it."""
        seconds, self._marked_at = time.monotonic() - self._marked_at, time.monotonic()
        progress = TrainingProgress(
            header=Header(stamp=self._node.get_clock().now().to_msg()),
            run_id=self._folder.name,
            epoch=record["epoch"],
            epochs=record["epochs"],
            train_loss=record["training_loss"],
            validation_loss=record["validation_loss"],
            validation_accuracy=record["validation_accuracy"],
            best_validation_accuracy=run_folder.best_accuracy(self._folder),
            learning_rate=record["learning_rate"],
            images_per_second=record["images_per_second"],
            eta=messages.to_duration(seconds * (record["epochs"] - record["epoch"])),
        )
        self._progress.publish(progress)
        self._publish_pictures()
        values = {
            "run": progress.run_id,
            "validation accuracy": f"{progress.validation_accuracy:.4f}",
            "best validation accuracy": f"{progress.best_validation_accuracy:.4f}",
            "images per second": f"{progress.images_per_second:.0f}",
            "seconds left": str(progress.eta.sec),
        }
        self._health = (DiagnosticStatus.OK, f"training: {progress.epoch} of {progress.epochs} epochs done", values)
        return progress

    def end(self, failed: bool, message: str) -> None:
        """The run has ended; `message` says how."""
        self._publish_pictures()
        _, _, values = self._health
        self._health = (DiagnosticStatus.ERROR if failed else DiagnosticStatus.OK, f"idle: {message}", values)

    def _publish_pictures(self) -> None:
        """Those that were drawn since the last time."""
        for name, publisher in self._pictures.items():
            path = self._folder / name
            drawn = path.stat().st_mtime_ns if path.exists() else 0
            if drawn != self._drawn.get(name, 0):
                self._drawn[name] = drawn
                header = Header(stamp=self._node.get_clock().now().to_msg())
                publisher.publish(to_message(cv2.imread(str(path)), header))

    def _tell(self) -> None:
        level, message, values = self._health
        status = DiagnosticStatus(
            level=level,
            name=f"{self._node.get_name()}: training",
            message=message,
            values=[KeyValue(key=key, value=value) for key, value in values.items()],
        )
        stamp = self._node.get_clock().now().to_msg()
        self._diagnostics.publish(DiagnosticArray(header=Header(stamp=stamp), status=[status]))
