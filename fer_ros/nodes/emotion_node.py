"""The emotion node: camera images in, what the faces in them show out."""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence

from rcl_interfaces.msg import SetParametersResult
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.executors import MultiThreadedExecutor
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.task import Future
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from fer_ros.emotion.classifier import Classifier
from fer_ros.encodings import ImageError
from fer_ros.frame import Frame
from fer_ros.nodes import messages, parameter_table
from fer_ros.nodes.calibration import Calibration
from fer_ros.nodes.camera_input import CameraInput
from fer_ros.nodes.camera_output import CameraOutput
from fer_ros.nodes.image_conversion import Converter, choose_converter
from fer_ros.nodes.newest_image import NewestImageWorker
from fer_ros.nodes.parameters import Settings
from fer_ros.nodes.running import run
from fer_ros.nodes.serving import Serving
from fer_ros.nodes.throttle import Throttle
from fer_ros.people import Event
from fer_ros.srv import LoadModel

_NAME = "emotion_node"
_EXPECTED_ERRORS = (OSError, ValueError, ImportError)
"""What a missing or wrong file, parameter or library raises: the message says all, a traceback would only hide it."""


class _NotConfigured(ValueError):
    """Asked for something that only a configured node can do."""


class EmotionNode(LifecycleNode):
    """Answers images with `FaceEmotionArray`s in a worker thread that always takes the newest one.

    Model, cascade and publishers exist from configuring to cleaning up, subscription and worker only while active.

    Args:
        options: those of `rclpy.node.Node`.

    Raises:
        ParameterError: a parameter has the wrong type or is out of range.
    """

    def __init__(self, **options):
        super().__init__(_NAME, **options)
        self._image_group = MutuallyExclusiveCallbackGroup()
        self._exchange = threading.Lock()
        self._serving: Serving | None = None
        self._converter: Converter | None = None
        self._output: CameraOutput | None = None
        self._calibration: Calibration | None = None
        self._last_header = Header()
        self._worker: NewestImageWorker | None = None
        self._input: CameraInput | None = None
        self._throttle = Throttle()
        self._bad_images = 0
        self.finished = Future()
        """For `fer_ros.nodes.running`; this node is never done by itself."""
        parameter_table.declare(self, Settings)
        self.add_on_set_parameters_callback(self._change_parameters)
        # In every state: rclpy fails when a service is destroyed before its last answer is sent. A group of its own,
        # because a model takes a second to load.
        self.create_service(
            LoadModel, "~/load_model", self._load_model, callback_group=MutuallyExclusiveCallbackGroup()
        )

    def autostart(self) -> bool:
        """Configures and activates, unless the parameter `autostart` is false; whether all went well."""
        if not self.get_parameter("autostart").value:
            return True
        success = TransitionCallbackReturn.SUCCESS
        return self.trigger_configure() == success and self.trigger_activate() == success

    # --- life cycle; rclpy swallows what these raise, so they log it themselves ---

    def on_configure(self, state) -> TransitionCallbackReturn:
        """Loads cascade and model; makes the publishers."""
        if not self._succeeds("configure", self._open):
            self._close()
            return TransitionCallbackReturn.FAILURE
        return super().on_configure(state)

    def on_activate(self, state) -> TransitionCallbackReturn:
        """Begins to take images."""
        super().on_activate(state)
        if not self._succeeds("activate", self._begin):
            self._end()
            super().on_deactivate(state)
            return TransitionCallbackReturn.FAILURE
        return TransitionCallbackReturn.SUCCESS

    def on_deactivate(self, state) -> TransitionCallbackReturn:
        """Takes no more images; when the one in work is answered, everybody is lost."""
        self._end()
        self._tell(self._serving.people.lose_all(), self._last_header)
        return super().on_deactivate(state)

    def on_cleanup(self, state) -> TransitionCallbackReturn:
        """Forgets model and people; destroys what configuring has made."""
        self._close()
        return super().on_cleanup(state)

    def on_shutdown(self, state) -> TransitionCallbackReturn:
        """Ends the work, whatever the state."""
        self._end()
        self._close()
        return super().on_shutdown(state)

    def close(self) -> None:
        """Goes inactive, if it is active."""
        if self._input:
            self.trigger_deactivate()

    def destroy_node(self) -> None:
        """Ends the work before what it needs is gone."""
        self._end()
        super().destroy_node()

    def _succeeds(self, doing: str, step: Callable[[], None]) -> bool:
        try:
            step()
        except Exception as error:
            self.get_logger().error(f"cannot {doing}: {_reason(error)}")
            return False
        return True

    def _open(self) -> None:
        serving = Serving.load(parameter_table.read(self, Settings))
        self._converter = choose_converter()
        self._output = CameraOutput(self)
        self._serving = serving

    def _close(self) -> None:
        with self._exchange:
            self._serving = None
        if self._output:
            self._output.close()
        self._output = self._converter = None

    def _begin(self) -> None:
        settings, classifier = self._serving.settings, self._serving.classifier
        self._worker = NewestImageWorker(self._answer_or_log)
        self._calibration = Calibration(self, settings.image_rectified, self._image_group)
        self._input = CameraInput(self, settings.image_transport, self._worker.put, self._image_group)
        self.get_logger().info(
            f"{self._input.topic} -> {self._output.topic}; model {classifier.model_id} by {classifier.backend} "
            f"({', '.join(classifier.labels)}); faces by {settings.cascade}; images read by {self._converter.name}"
            + (f" ({self._converter.reason})" if self._converter.reason else "")
        )

    def _end(self) -> None:
        if self._input:
            self._input.close()
        if self._worker:
            self._worker.stop()
        if self._calibration:
            self._calibration.close()
        self._input = self._worker = self._calibration = None

    # --- images, in the worker's thread ---

    def _answer_or_log(self, image: Image | CompressedImage) -> None:
        """Never raises: no message may end the node."""
        try:
            self._answer(image)
        except ImageError as error:
            self._bad_images += 1
            if self._throttle.lets_through(str(error)):
                self.get_logger().warning(f"image skipped: {error} (skipped so far: {self._bad_images})")
        except Exception as error:
            if self._throttle.lets_through(repr(error)):
                self.get_logger().error(f"image not answered, by an error of this node:\n{traceback.format_exc()}")

    def _answer(self, image: Image | CompressedImage) -> None:
        started = time.perf_counter()
        # Read once: another model or other settings, put there meanwhile, serve from the next image on.
        serving = self._serving
        grey = self._converter.grey(image)
        size = grey.shape[1], grey.shape[0]
        frame = Frame(grey, self._stamp(image))
        faces = serving.recognise(frame, self._calibration.camera(size))
        events = serving.people.update(faces, frame.stamp, size)
        answer = messages.face_emotion_array(
            image.header,
            size,
            serving.classifier.model_id,
            serving.classifier.labels,
            faces,
            serving.people.dominant,
            time.perf_counter() - started,
        )
        self._output.publish(answer)
        self._tell(events, image.header)
        self._output.publish_annotated(answer, faces, lambda: self._converter.bgr(image))

    def _tell(self, events: Sequence[Event], header: Header) -> None:
        self._last_header = header
        self._output.publish_events(messages.emotion_event(header, event) for event in events)

    def _stamp(self, image: Image | CompressedImage) -> float:
        """Seconds. An image that its driver has not stamped is taken to be of now."""
        return messages.seconds(image.header.stamp) or self.get_clock().now().nanoseconds * 1e-9

    # --- changes while running ---

    def _change_parameters(self, changes: Sequence[Parameter]) -> SetParametersResult:
        """Refuses or applies. Applied here, because Humble has no callback for afterwards; nobody refuses later."""
        try:
            settings = parameter_table.read(self, Settings, changes)
            if self._serving and settings != self._serving.settings:
                self._exchange_serving(lambda serving: serving.with_settings(settings))
        except Exception as error:
            return SetParametersResult(successful=False, reason=_reason(error))
        return SetParametersResult(successful=True)

    def _load_model(self, request: LoadModel.Request, response: LoadModel.Response) -> LoadModel.Response:
        """Loads a model beside the one that serves, then changes over."""
        try:
            response.message = self._serve_with(request.model)
            response.success = True
        except Exception as error:
            response.message = _reason(error)
        serving = self._serving
        if serving:
            response.model_id = serving.classifier.model_id
            response.labels = list(serving.classifier.labels)
        outcome = f"load_model '{request.model}': {response.message}; serving is {response.model_id or 'none'}"
        if response.success:
            self.get_logger().info(outcome)
        else:
            self.get_logger().error(outcome)
        return response

    def _serve_with(self, model: str) -> str:
        """Raises as `Classifier` does, and _NotConfigured where there is nothing to change over."""
        if self._serving:
            classifier = Classifier(model, self.get_parameter("backend").value)
            if self._exchange_serving(lambda serving: serving.with_classifier(classifier)):
                return "it serves from the next image on"
        raise _NotConfigured("the node is not configured, and then loads the model of its parameter 'model'")

    def _exchange_serving(self, change: Callable[[Serving], Serving]) -> bool:
        """Puts another Serving in the place of this one; False where there is none."""
        with self._exchange:
            if not self._serving:
                return False
            self._serving = change(self._serving)
            return True


def _reason(error: Exception) -> str:
    """Why something failed, for the user; with a traceback where that was not foreseen."""
    if isinstance(error, _EXPECTED_ERRORS):
        return str(error)
    return "".join(traceback.format_exception(error)).rstrip()


def main(args: Sequence[str] | None = None) -> int:
    """Runs the node until it is interrupted; the exit status: 0, or 1 where it could not start."""
    # A thread each for images, for a model being loaded, and for parameters, life cycle and timers.
    return run(_NAME, _started_node, _EXPECTED_ERRORS, args, lambda: MultiThreadedExecutor(num_threads=3))


def _started_node() -> EmotionNode:
    node = EmotionNode()
    if not node.autostart():
        node.finished.set_result(1)
    return node


if __name__ == "__main__":
    sys.exit(main())
