"""From the images of all cameras to what is said about them."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, partial
from typing import TYPE_CHECKING

from rclpy.callback_groups import CallbackGroup
from sensor_msgs.msg import CompressedImage, Image

from fer_ros.media.encodings import ImageError
from fer_ros.nodes.common import messages
from fer_ros.nodes.common.image_conversion import choose_converter
from fer_ros.nodes.common.log_throttle import LogThrottle
from fer_ros.nodes.emotion.camera import Camera
from fer_ros.nodes.emotion.diagnostics import Diagnostics
from fer_ros.nodes.emotion.image_gate import Decision
from fer_ros.nodes.emotion.latest_image_worker import LatestImageWorker, Newest
from fer_ros.nodes.emotion.publishers import create_publishers
from fer_ros.nodes.emotion.result import Result
from fer_ros.nodes.emotion.state import NodeState
from fer_ros.stopwatch import Stopwatch
from fer_ros.types import FaceResult, Frame

if TYPE_CHECKING:
    from rclpy.lifecycle import LifecycleNode

_POLL_PERIOD = 0.1
"""Seconds after which it is looked who listens: so long a camera's first image waits, and so much work is in vain."""


class ImageProcessor:
    """Takes the newest image of every camera that has one, and publishes what the faces in them show.

    The work is done in a thread of its own; whatever else happens, happens between two of its batches of images.

    Args:
        node: publishes, subscribes and logs.
        serving: what images are processed with.
        group: the callback group of the subscriptions.

    Raises:
        ImportError: a package of messages that is to be spoken is not installed.
    """

    def __init__(self, node: LifecycleNode, serving: NodeState, group: CallbackGroup):
        self._node = node
        self._serving = serving
        self._converter = choose_converter()
        self._bridges = create_publishers(node, serving.settings)
        self.cameras = {name: Camera(node, name, group, self._bridges) for name in serving.settings.cameras}
        """By their names."""
        self._throttle = LogThrottle()
        self._worker = LatestImageWorker(self._answer)
        self._diagnostics = Diagnostics(node, self.cameras, self._worker.skipped, lambda: self._serving)
        self._begun = False
        self._looking: threading.Thread | None = None
        self._stop_requested = threading.Event()

    @property
    def serving(self) -> NodeState:
        """What images are processed with."""
        return self._serving

    def begin(self) -> None:
        """Takes images from now on, of each camera while somebody listens to what is said about it, or always."""
        if self._begun:
            return
        settings, classifier = self._serving.settings, self._serving.classifier
        self._node.get_logger().info(
            f"{', '.join(camera.topics for camera in self.cameras.values())}"
            + (" while somebody listens; " if settings.lazy else "; ")
            + f"model {classifier.model_id} by {classifier.backend} ({', '.join(classifier.labels)}); "
            f"faces by {settings.detector}; images read by {self._converter.name}"
            + (f" ({self._converter.reason})" if self._converter.reason else "")
        )
        self._begun = True
        self._update_subscriptions()
        # Not a timer of the node: each of the executor's rounds costs a millisecond of CPU.
        self._looking = threading.Thread(target=self._poll_subscribers, name="listeners", daemon=True)
        self._looking.start()

    def end(self) -> None:
        """Takes no more images; when those in work are processed, everybody is lost."""
        self._begun = False
        self._stop_polling()
        self._update_subscriptions()

    def reset(self) -> None:
        """Everybody is lost, and who is seen next is somebody new."""
        with self._worker.paused():
            for camera in self.cameras.values():
                self._forget(camera)

    def exchange(self, change: Callable[[NodeState], NodeState]) -> None:
        """Answers with what `change` makes of the present NodeState, from the next image on; raises what it raises."""
        with self._worker.paused():
            self._serving = change(self._serving)

    def close(self) -> None:
        """Ends the work and takes all topics off the graph; nobody is told more."""
        self._begun = False
        self._stop_polling()
        self._worker.stop()
        self._diagnostics.close()
        for part in (*self.cameras.values(), *self._bridges):
            part.close()

    def _stop_polling(self) -> None:
        self._stop_requested.set()
        if self._looking:
            self._looking.join()
        self._looking = None
        self._stop_requested.clear()

    def _poll_subscribers(self) -> None:
        while not self._stop_requested.wait(_POLL_PERIOD):
            with self._errors_logged():
                self._update_subscriptions()

    def _update_subscriptions(self) -> None:
        """Lets each camera work or rest."""
        if all(camera.works == self._is_wanted(camera) for camera in self.cameras.values()):
            return
        with self._worker.paused():
            for camera in self.cameras.values():
                wanted = self._is_wanted(camera)
                if wanted and not camera.works:
                    camera.begin(self._serving.settings, partial(self._worker.put, camera.name))
                elif camera.works and not wanted:
                    camera.end()
                    self._forget(camera)

    def _is_wanted(self, camera: Camera) -> bool:
        return self._begun and (camera.has_subscribers or not self._serving.settings.lazy)

    def _forget(self, camera: Camera) -> None:
        camera.publish_lost(self._serving.camera_states[camera.name].reset())

    # --- in the worker's thread ---

    def _answer(self, images: Mapping[str, Newest]) -> None:
        """Never raises: no message may end the node."""
        watch = Stopwatch()
        with self._errors_logged():
            read = {name: self._frame(self.cameras[name], newest) for name, newest in images.items()}
            frames = {name: frame for name, frame in read.items() if frame}
            if not frames:
                return
            watch.lap("conversion")
            faces = self._serving.recognize(frames, watch.lap)
            for name, frame in frames.items():
                with self._errors_logged():
                    self._publish(self.cameras[name], images[name].image, frame, faces[name], watch)
            watch.lap("publishing")
            for name in frames:
                self.cameras[name].statistics.times.append({**watch.laps, "total": watch.total})

    def _frame(self, camera: Camera, newest: Newest) -> Frame | None:
        """The image as a frame; None where it cannot be read, or is not to be processed any more."""
        stamp = self._stamp(newest.image)
        verdict = camera.admit(stamp, self._serving.settings.max_rate) if camera.works else Decision.LATE
        if verdict in (Decision.LATE, Decision.TOO_SOON):
            return None
        if verdict == Decision.ANSWER_ANEW:
            self._forget(camera)
        try:
            frame = Frame(self._converter.gray(newest.image), stamp, lagging=newest.passed_over > 0)
        except ImageError as error:
            camera.report_bad_image(error)
            return None
        self._serving.camera_states[camera.name].camera_model = camera.model(_size(frame))
        return frame

    def _publish(
        self,
        camera: Camera,
        image: Image | CompressedImage,
        frame: Frame,
        faces: list[FaceResult],
        watch: Stopwatch,
    ) -> None:
        serving, face_events = self._serving, self._serving.camera_states[camera.name].events
        size = _size(frame)
        events = face_events.update(faces, frame.stamp, size)
        emotions = messages.face_emotion_array(
            image.header,
            size,
            serving.classifier.model_id,
            serving.classifier.labels,
            faces,
            face_events.dominant_id,
            watch.total,
        )
        picture = cache(lambda: self._converter.bgr(image))
        camera.publish(Result(emotions, faces, events, frame.gray, picture))

    def _stamp(self, image: Image | CompressedImage) -> float:
        """Seconds. An image that its driver has not stamped is taken to be of now."""
        return messages.seconds(image.header.stamp) or self._node.get_clock().now().nanoseconds * 1e-9

    @contextmanager
    def _errors_logged(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            if self._throttle.allows(repr(error)):
                self._node.get_logger().error(f"error of this node, which goes on:\n{traceback.format_exc()}")


def _size(frame: Frame) -> tuple[int, int]:
    """Return the width and height of a frame, pixels."""
    return frame.gray.shape[1], frame.gray.shape[0]
