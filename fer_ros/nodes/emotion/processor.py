# SPDX-License-Identifier: Apache-2.0
"""Processing of the images of all cameras: message to frame to results to publishers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, partial
from typing import TYPE_CHECKING

from rclpy.callback_groups import CallbackGroup
from sensor_msgs.msg import CompressedImage, Image

from fer_ros.media.image_header import ImageError
from fer_ros.nodes.common.image_conversion import choose_converter
from fer_ros.nodes.common.log_throttle import LogThrottle, log_unhandled
from fer_ros.nodes.emotion.camera import Camera
from fer_ros.nodes.emotion.diagnostics import Diagnostics
from fer_ros.nodes.emotion.image_gate import Decision
from fer_ros.nodes.emotion.latest_image_worker import LatestImage, LatestImageWorker
from fer_ros.nodes.emotion.publishers.annotated_image import AnnotatedImagePublisher
from fer_ros.nodes.emotion.publishers.base import Publisher
from fer_ros.nodes.emotion.publishers.emotions import EmotionsPublisher
from fer_ros.nodes.emotion.publishers.events import EventsPublisher
from fer_ros.nodes.emotion.publishers.registry import create_publishers
from fer_ros.nodes.emotion.result import Result
from fer_ros.nodes.emotion.state import NodeState
from fer_ros.people.events import Event
from fer_ros.stopwatch import Stopwatch
from fer_ros.types import FaceResult, Frame

if TYPE_CHECKING:
    from rclpy.lifecycle import LifecycleNode

_POLL_PERIOD = 0.1
"""Seconds between subscriber checks; bounds start-up latency and wasted work."""
_IDLE_LOGGED_AFTER = 5.0
"""Seconds without a subscriber after which the log says why a camera is not processed."""


class ImageProcessor:
    """Processes the latest image of every camera, and publishes the results.

    Images are processed in a worker thread; everything else waits until a batch of images is processed.

    Args:
        node: publishes, subscribes and logs.
        state: initial state.
        group: callback group of the subscriptions.

    Raises:
        ImportError: a package of messages that an enabled publisher needs is not installed.
    """

    def __init__(self, node: LifecycleNode, state: NodeState, group: CallbackGroup):
        self._node = node
        self._state = state
        self._converter = choose_converter(round(state.settings.max_megapixels * 1e6))
        names = state.settings.cameras
        third_party = create_publishers(node, names, state.settings.enabled_publishers)
        self._events_publisher = EventsPublisher(node, names)
        self._publishers: list[Publisher] = [
            EmotionsPublisher(node, names),
            self._events_publisher,
            AnnotatedImagePublisher(node, names),
            *third_party,
        ]
        self.cameras = {
            name: Camera(node, name, state.settings.image_topic(name), group, self._publishers) for name in names
        }
        """By name."""
        self._throttle = LogThrottle()
        self._worker = LatestImageWorker(self._process)
        self._diagnostics = Diagnostics(node, self.cameras, lambda: self._state)
        self._started = False
        self._logged_idle: list[str] = []
        self._poll_thread: threading.Thread | None = None
        self._poll_stop = threading.Event()

    @property
    def state(self) -> NodeState:
        """The model, the settings and the tracks that images are processed with."""
        return self._state

    def start(self) -> None:
        """Start to process images; with the parameter `lazy`, those of cameras whose outputs have a subscriber."""
        if self._started:
            return
        settings, classifier = self._state.settings, self._state.classifier
        self._node.get_logger().info(
            f"{', '.join(camera.topics for camera in self.cameras.values())}"
            + (" while subscribed to; " if settings.lazy else "; ")
            + f"model {classifier.model_id}, backend {classifier.backend}, labels {', '.join(classifier.labels)}; "
            f"detector {settings.detector.name}; images converted by {self._converter.name}"
            + (f" ({self._converter.reason})" if self._converter.reason else "")
        )
        self._started = True
        for camera in self.cameras.values():
            camera.restart_idle_time()
        self._update_subscriptions()
        # Not a timer of the node: each round of the executor costs a millisecond of CPU.
        self._poll_thread = threading.Thread(target=self._poll_loop, name="subscribers", daemon=True)
        self._poll_thread.start()

    def stop(self) -> None:
        """Stop processing; after the current batch all tracks are dropped, which publishes their LOST events."""
        self._started = False
        self._stop_polling()
        self._update_subscriptions()

    def reset(self) -> None:
        """Drop all tracks, which publishes their LOST events; the next face gets a new id."""
        with self._worker.paused():
            for camera in self.cameras.values():
                self._drop_tracks(camera)

    def update_state(self, change: Callable[[NodeState], NodeState]) -> None:
        """Replace the state by what `change` returns for it, from the next image on; raises what `change` raises."""
        with self._worker.paused():
            self._state = change(self._state)

    def close(self) -> None:
        """Stop processing without further events, and destroy all subscriptions and publishers."""
        self._started = False
        self._stop_polling()
        self._worker.stop()
        self._diagnostics.close()
        for camera in self.cameras.values():
            camera.unsubscribe()
        for publisher in self._publishers:
            publisher.close()

    def _stop_polling(self) -> None:
        self._poll_stop.set()
        if self._poll_thread:
            self._poll_thread.join()
        self._poll_thread = None
        self._poll_stop.clear()

    def _poll_loop(self) -> None:
        while not self._poll_stop.wait(_POLL_PERIOD):
            with self._errors_logged():
                self._update_subscriptions()
                self._log_idle()

    def _log_idle(self) -> None:
        idle = [camera.resolve("emotions") for camera in self.cameras.values() if camera.idle_for >= _IDLE_LOGGED_AFTER]
        if idle and idle != self._logged_idle:
            self._node.get_logger().info(
                f"idle: the results have no subscriber, so images are not processed; subscribe to {', '.join(idle)} or "
                "another output, or set the parameter lazy to false"
            )
        self._logged_idle = idle

    def _update_subscriptions(self) -> None:
        """Subscribe to and unsubscribe from the cameras, following the subscribers of their outputs."""
        if all(camera.subscribed == self._is_needed(camera) for camera in self.cameras.values()):
            return
        with self._worker.paused():
            for camera in self.cameras.values():
                needed = self._is_needed(camera)
                if needed and not camera.subscribed:
                    camera.subscribe(self._state.settings, partial(self._worker.put, camera.name))
                elif camera.subscribed and not needed:
                    camera.unsubscribe()
                    self._drop_tracks(camera)

    def _is_needed(self, camera: Camera) -> bool:
        return self._started and (camera.has_subscribers or not self._state.settings.lazy)

    def _drop_tracks(self, camera: Camera) -> None:
        present = self._introductions(camera)
        camera.publish_lost([*present, *self._state.camera_states[camera.name].reset()])

    def _introductions(self, camera: Camera) -> list[Event]:
        """Return a PRESENT event for each face that a new subscriber of the events does not know yet."""
        is_new = self._events_publisher.has_new_subscribers(camera.name)
        return self._state.camera_states[camera.name].events.present() if is_new else []

    # --- in the worker thread ---

    def _process(self, images: Mapping[str, LatestImage]) -> None:
        """Process one batch of images. Never raises: no image may end the node."""
        watch = Stopwatch()
        with self._errors_logged():
            decoded = {name: self._frame(self.cameras[name], latest) for name, latest in images.items()}
            frames = {name: frame for name, frame in decoded.items() if frame}
            if not frames:
                return
            watch.lap("conversion")
            faces = self._state.recognize(frames, watch.lap)
            for name, frame in frames.items():
                with self._errors_logged():
                    self._publish(self.cameras[name], images[name].image, frame, faces[name], watch)
            watch.lap("publishing")
            self._state.scan_deferred(frames)
            watch.lap("scan")
            for name in frames:
                self.cameras[name].statistics.times.append({**watch.laps, "total": watch.total})

    def _frame(self, camera: Camera, latest: LatestImage) -> Frame | None:
        """Return the image as a frame; None if it cannot be read or is not to be processed."""
        camera.statistics.skipped += latest.skipped
        stamp = camera.time_of(latest.image.header.stamp)
        decision = camera.decide(stamp, self._state.settings.max_rate) if camera.subscribed else Decision.LATE
        if decision in (Decision.LATE, Decision.ABOVE_MAX_RATE):
            return None
        if decision == Decision.RESET_AND_PROCESS:
            self._drop_tracks(camera)
        try:
            frame = Frame(self._converter.gray(latest.image), stamp, lagging=latest.skipped > 0)
        except ImageError as error:
            camera.report_unreadable(error)
            return None
        height, width = frame.gray.shape
        self._state.camera_states[camera.name].camera_model = camera.camera_model((width, height))
        return frame

    def _publish(
        self,
        camera: Camera,
        image: Image | CompressedImage,
        frame: Frame,
        faces: list[FaceResult],
        watch: Stopwatch,
    ) -> None:
        classifier, events = self._state.classifier, self._state.camera_states[camera.name].events
        height, width = frame.gray.shape
        introductions = self._introductions(camera)
        caused = events.update(faces, frame.stamp, (width, height))
        camera.publish(
            Result(
                header=image.header,
                frame=frame,
                faces=[face for face in faces if not events.is_withheld(face.id)],
                events=[*introductions, *caused],
                dominant_id=events.dominant_id,
                labels=classifier.labels,
                model_id=classifier.model_id,
                processing_time=watch.total,
                bgr=cache(lambda: self._converter.bgr(image)),
            )
        )

    @contextmanager
    def _errors_logged(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            log_unhandled(self._node.get_logger(), self._throttle, error, "processing an image")
