# SPDX-License-Identifier: Apache-2.0
"""The dashboard node: serve a web page that shows live what the emotion node and the trainer node do."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import cv2
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.node import Node
from rclpy.task import Future
from sensor_msgs.msg import CompressedImage, Image

from fer_ros.media.image_header import ImageError
from fer_ros.msg import EmotionEvent, FaceEmotionArray, TrainingProgress
from fer_ros.nodes.common import messages, parameters, qos, stop_signals
from fer_ros.nodes.common.image_conversion import Converter
from fer_ros.nodes.common.image_subscription import camera_topic
from fer_ros.nodes.common.log_throttle import LogThrottle
from fer_ros.nodes.common.run import run
from fer_ros.nodes.dashboard.commands import Commands
from fer_ros.nodes.dashboard.parameters import DashboardSettings
from fer_ros.nodes.dashboard.pictures import Pictures
from fer_ros.nodes.dashboard.state import Camera, DashboardState, Epoch, EventLine, Status
from fer_ros.nodes.dashboard.subscriptions import Subscriptions, Topic
from fer_ros.text import printable

_NAME = "dashboard_node"
_PLOTS = ("curves", "confusion_matrix")
_MAX_VALUES = 64
"""Values of a status that are kept."""


class DashboardError(Exception):
    """The page cannot be served; the message says why and what to do."""


class DashboardNode(Node):
    """Serves the page, and subscribes to what it shows while a browser shows it.

    Args:
        options: those of `rclpy.node.Node`.

    Raises:
        ParameterError: a parameter has the wrong type or is out of range.
        DashboardError: a package is missing, or the address cannot be used.
    """

    def __init__(self, **options: Any):
        super().__init__(_NAME, **options)
        parameters.declare(self, DashboardSettings, options.get("cli_args"))
        self.settings = settings = parameters.read(self, DashboardSettings)
        self.finished = Future()
        """See `fer_ros.nodes.common.run`; this node never ends by itself."""
        self.state = DashboardState(cameras={camera: Camera() for camera in settings.cameras})
        """Replaced by the callbacks; the pages read it in another thread."""
        self._throttle = LogThrottle()
        self._converter = Converter()
        self._viewers: set[str] = set()
        self._viewers_changed = self.create_guard_condition(self._update_subscriptions)
        self.pictures = Pictures(settings.cameras, settings.max_rate, self._viewers_changed.trigger)
        self.commands = Commands(self, settings.emotion_node)
        self._live_subscriptions = Subscriptions(self, dict(enumerate(self._topics())))
        self._live_subscriptions.update()
        self._server = _create_server(self)
        self.get_logger().info(f"dashboard: {self._server.url}")
        if not self._server.is_local:
            self.get_logger().warning(
                f"everyone who reaches this machine can see the camera and control {settings.emotion_node}, because "
                f"host is {settings.host} and the page asks for no password"
            )
        if settings.open:
            self._server.open_browser()

    @property
    def url(self) -> str:
        """Address of the page."""
        return self._server.url

    def set_viewer(self, viewer: str, looks: bool) -> None:
        """See `fer_ros.nodes.dashboard.source`."""
        (self._viewers.add if looks else self._viewers.discard)(viewer)
        self._viewers_changed.trigger()

    def close(self) -> None:
        """End the streams and the server."""
        self.pictures.close()
        self._server.close()

    def _update_subscriptions(self) -> None:
        self._live_subscriptions.update()

    def _topics(self) -> Iterator[Topic]:
        def is_viewed() -> bool:
            return bool(self._viewers)

        for camera in self.settings.cameras:
            emotions, events = camera_topic(camera, "emotions"), camera_topic(camera, "emotion_events")
            add_result = self._checked(emotions, partial(self._add_result, camera))
            yield Topic(FaceEmotionArray, emotions, add_result, qos.reliable(10), is_viewed)
            add_event = self._checked(events, partial(self._add_event, camera))
            yield Topic(EmotionEvent, events, add_event, qos.reliable(50), is_viewed)
            yield Topic(
                CompressedImage,
                f"{self.resolve_topic_name(camera_topic(camera, 'emotions/image'))}/compressed",
                partial(self._add_picture, camera),
                qos.reliable(1),
                partial(self.pictures.watched, camera),
            )
        yield Topic(DiagnosticArray, "/diagnostics", self._add_diagnostics, qos.reliable(10), is_viewed)
        # Always, because the epochs before a page was opened are published only once; it costs no other node anything.
        progress = self._checked("training/progress", self._add_progress)
        yield Topic(TrainingProgress, "training/progress", progress, qos.reliable(10), lambda: True)
        for name in _PLOTS:
            add = self._checked(f"training/{name}", partial(self._add_plot, name))
            yield Topic(Image, f"training/{name}", add, qos.reliable(1, latched=True), is_viewed)

    def _checked(self, topic: str, callback: Callable[[Any], None]) -> Callable[[Any], None]:
        """Return a callback that logs why a message is of no use instead of raising that."""

        def checked(message: Any) -> None:
            try:
                callback(message)
            except (ValueError, ImageError) as error:
                if self._throttle.allows(topic):
                    resolved = self.resolve_topic_name(topic)
                    self.get_logger().warning(
                        f"ignored a message on {resolved}: {error}{self._throttle.repeats(topic)}"
                    )

        return checked

    def _add_result(self, camera: str, message: FaceEmotionArray) -> None:
        result = messages.from_face_emotion_array(message)
        self.state = self.state.with_camera(
            camera,
            self.state.cameras[camera].with_result(
                result.labels,
                printable(message.model_id),
                result.faces,
                result.dominant_face_id,
                time.monotonic(),
                self.settings.history,
            ),
        )

    def _add_event(self, camera: str, message: EmotionEvent) -> None:
        previous, current = printable(message.previous), printable(message.current)
        texts = {
            EmotionEvent.APPEARED: f"appeared, {current}",
            EmotionEvent.CHANGED: f"{previous} → {current}",
            EmotionEvent.LOST: f"left, was {previous}",
            EmotionEvent.PRESENT: f"is here, {current}",
            EmotionEvent.NOTICE: "was seen",
        }
        if message.kind not in texts:
            raise ValueError(f"its kind is {message.kind}, expected {min(texts)} to {max(texts)}")
        face_id = printable(message.face_id)
        self.state = self.state.with_event(
            EventLine(time.strftime("%H:%M:%S"), camera, face_id, texts[message.kind], current or previous)
        )

    def _add_picture(self, camera: str, message: CompressedImage) -> None:
        self.pictures.put(camera, message.data.tobytes())

    def _add_diagnostics(self, message: DiagnosticArray) -> None:
        health = {_status_name(self, self.settings.emotion_node, name or "camera"): name for name in self.state.cameras}
        training = _status_name(self, self.settings.trainer_node, "training")
        for status in message.status:
            if status.name in health:
                self.state = self.state.with_health(health[status.name], _to_status(status))
            elif status.name == training:
                self.state = replace(self.state, trainer=_to_status(status))

    def _add_progress(self, message: TrainingProgress) -> None:
        epoch = Epoch(
            message.epoch,
            message.train_loss,
            message.validation_loss,
            message.validation_accuracy,
            message.best_validation_accuracy,
        )
        training = self.state.training.with_epoch(
            printable(message.run_id),
            printable(message.stage),
            message.epochs,
            message.images_per_second,
            message.eta.sec + message.eta.nanosec * 1e-9,
            epoch,
        )
        self.state = replace(self.state, training=training)

    def _add_plot(self, name: str, message: Image) -> None:
        self.state = self.state.with_plot(name, cv2.imencode(".png", self._converter.bgr(message))[1].tobytes())


def _status_name(node: Node, other: str, task: str) -> str:
    """Return the name of a status of another node, as `fer_ros.nodes.common.names.status_name` has it."""
    return f"{node.resolve_topic_name(other).lstrip('/')}: {task}"


def _to_status(status: DiagnosticStatus) -> Status:
    values = {printable(pair.key): printable(pair.value) for pair in status.values[:_MAX_VALUES]}
    return Status(ord(status.level), printable(status.message, 200), values, time.monotonic())


def _create_server(node: DashboardNode) -> Any:
    """Return the running server.

    Raises:
        DashboardError: a package is missing, or the address cannot be used.
    """
    try:
        from fer_ros.nodes.dashboard.server import DashboardServer
    except ModuleNotFoundError as error:
        raise DashboardError(f"the dashboard needs the package {error.name}: pip install nicegui") from error
    settings = node.settings
    try:
        return DashboardServer(node, settings.host, settings.port)
    except OSError as error:
        raise DashboardError(
            f"cannot serve the dashboard on {settings.host}, port {settings.port}: {_reason(error)}"
        ) from error


def _reason(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "the port is in use, maybe by another dashboard: choose another one with -p port:=8081"
    if error.errno == errno.EACCES:
        return "ports below 1024 need privileges: choose another one with -p port:=8080"
    return f"{error.strerror or error}; host is an address or name of this machine, such as 127.0.0.1 or 0.0.0.0"


def main(args: Sequence[str] | None = None) -> int:
    """Run the node until it is interrupted; return 1 if it cannot serve the page, otherwise 0."""
    return run(_NAME, DashboardNode, (DashboardError, parameters.ParameterError), args)


if __name__ == "__main__":
    stop_signals.end(main())
