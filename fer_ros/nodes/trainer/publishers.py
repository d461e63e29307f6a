# SPDX-License-Identifier: Apache-2.0
"""Publish the progress of training, its plots, and diagnostics."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from fer_ros.msg import TrainingProgress
from fer_ros.nodes.common.image_conversion import to_message
from fer_ros.nodes.common.messages import to_duration
from fer_ros.nodes.common.names import status_name
from fer_ros.nodes.common.qos import create_publisher, reliable
from fer_ros.training import run_folder

if TYPE_CHECKING:
    from rclpy.node import Node


@dataclass(frozen=True)
class _Status:
    """What the diagnostics report."""

    message: str
    values: dict[str, str] = field(default_factory=dict)
    failed: bool = False


class TrainingPublishers:
    """Publishes `training/progress`, `training/curves` and `training/confusion_matrix`, and diagnostics at 1 Hz.

    The plots are latched: a later subscriber receives the latest.
    """

    def __init__(self, node: Node):
        self._node = node
        self._progress = create_publisher(node, TrainingProgress, "training/progress", reliable(10))
        latest = reliable(1, latched=True)
        self._plots = {
            run_folder.CURVES: create_publisher(node, Image, "training/curves", latest),
            run_folder.CONFUSION_MATRIX: create_publisher(node, Image, "training/confusion_matrix", latest),
        }
        self._diagnostics = create_publisher(node, DiagnosticArray, "/diagnostics", reliable(1))
        self._run_id = ""
        self._stage_folder = Path()
        self._stage: dict[str, Any] = {}
        self._published_plots: dict[Path, int] = {}
        self._epoch_started = time.monotonic()
        self._status = _Status("idle")
        # A steady clock: with use_sim_time the node's clock can stand still.
        node.create_timer(1.0, self._publish_diagnostics, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def start_run(self, folder: Path) -> None:
        """Report that a run in `folder` starts or resumes."""
        self._run_id, self._stage_folder, self._stage = folder.name, folder, {}
        self._published_plots = {}
        self._status = _Status("training: loading", {"run": folder.name})

    def start_stage(self, event: dict[str, Any]) -> None:
        """Report that the data is loaded and the first epoch of a stage starts.

        Args:
            event: `start` of fer-train; only a recipe with stages names a stage.
        """
        self._stage = event
        self._stage_folder = Path(event["folder"]) / event.get("stage", "")
        self._epoch_started = time.monotonic()
        self._publish_plots()

    def update_epoch(self, event: dict[str, Any]) -> None:
        """Report how far the current epoch is.

        Args:
            event: `batch` of fer-train.
        """
        message = f"training: epoch {event['epoch']} of {event['epochs']}{self._of_stage()}"
        trained = {"images trained in this epoch": f"{event['learned']} of {event['total']}"}
        self._status = _Status(message, {**self._status.values, **trained})

    def end_epoch(self, record: dict[str, Any]) -> TrainingProgress:
        """Publish the progress and the plots after an epoch, and return the message.

        Args:
            record: `epoch` of fer-train.
        """
        seconds, self._epoch_started = time.monotonic() - self._epoch_started, time.monotonic()
        epoch = self._stage.get("epochs_before", 0) + record["epoch"]
        epochs = self._stage.get("epochs_of_all_stages", record["epochs"])
        progress = TrainingProgress(
            header=Header(stamp=self._node.get_clock().now().to_msg()),
            run_id=self._run_id,
            stage=self._stage.get("stage", ""),
            epoch=epoch,
            epochs=epochs,
            train_loss=record["training_loss"],
            validation_loss=record["validation_loss"],
            validation_accuracy=record["validation_accuracy"],
            best_validation_accuracy=run_folder.best_accuracy(self._stage_folder),
            learning_rate=record["learning_rate"],
            images_per_second=record["images_per_second"],
            eta=to_duration(seconds * (epochs - epoch)),
        )
        self._progress.publish(progress)
        self._publish_plots()
        values = {
            "run": progress.run_id,
            "validation accuracy": f"{progress.validation_accuracy:.4f}",
            "best validation accuracy": f"{progress.best_validation_accuracy:.4f}",
            "images per second": f"{progress.images_per_second:.0f}",
            "seconds left": str(progress.eta.sec),
        }
        self._status = _Status(f"training: {epoch} of {epochs} epochs done{self._of_stage()}", values)
        return progress

    def end_run(self, failed: bool, message: str) -> None:
        """Report that the run has ended; `message` says how."""
        self._publish_plots()
        self._status = _Status(f"idle: {message}", self._status.values, failed)

    def _of_stage(self) -> str:
        return f", stage '{self._stage['stage']}'" if "stage" in self._stage else ""

    def _publish_plots(self) -> None:
        """Publish the plots that have changed since the last call."""
        for name, publisher in self._plots.items():
            path = self._stage_folder / name
            written = path.stat().st_mtime_ns if path.exists() else 0
            if written != self._published_plots.get(path, 0):
                self._published_plots[path] = written
                header = Header(stamp=self._node.get_clock().now().to_msg())
                plot = cv2.imread(str(path))
                if plot is not None:
                    publisher.publish(to_message(plot, header))

    def _publish_diagnostics(self) -> None:
        status = DiagnosticStatus(
            level=DiagnosticStatus.ERROR if self._status.failed else DiagnosticStatus.OK,
            name=status_name(self._node, "training"),
            message=self._status.message,
            values=[KeyValue(key=key, value=value) for key, value in self._status.values.items()],
        )
        stamp = self._node.get_clock().now().to_msg()
        self._diagnostics.publish(DiagnosticArray(header=Header(stamp=stamp), status=[status]))
