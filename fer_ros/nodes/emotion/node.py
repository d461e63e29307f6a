"""The emotion node: camera images in, what the faces in them show out."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Sequence

from rcl_interfaces.msg import SetParametersResult
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.task import Future
from std_srvs.srv import SetBool, Trigger

from fer_ros.emotion.model_cache import ModelCache
from fer_ros.nodes.common import parameters
from fer_ros.nodes.common.run import run
from fer_ros.nodes.emotion.executor import ImageExecutor
from fer_ros.nodes.emotion.parameters import Settings
from fer_ros.nodes.emotion.processor import ImageProcessor
from fer_ros.nodes.emotion.state import NodeState
from fer_ros.srv import LoadModel

_NAME = "emotion_node"
_EXPECTED_ERRORS = (OSError, ValueError, ImportError)
"""What a missing or wrong file, parameter or library raises: the message says all, a traceback would only hide it."""


class _NotConfigured(ValueError):
    """Asked for something that only a configured node can do."""


class EmotionNode(LifecycleNode):
    """Answers the images of some cameras with `FaceEmotionArray`s: its life, services and parameters.

    Model, detector, publishers and worker exist from configuring to cleaning up, subscriptions only while active.

    Args:
        options: those of `rclpy.node.Node`.

    Raises:
        ParameterError: a parameter has the wrong type or is out of range.
    """

    def __init__(self, **options):
        super().__init__(_NAME, **options)
        self._models = ModelCache()
        self.image_group = MutuallyExclusiveCallbackGroup()
        """Callbacks that return at once, and must not wait for others."""
        self.answering: ImageProcessor | None = None
        """From configuring to cleaning up."""
        self._active = False
        self._enabled = True
        self.finished = Future()
        """For `fer_ros.nodes.common.run`; this node is never done by itself."""
        parameters.declare(self, Settings)
        self.add_on_set_parameters_callback(self._change_parameters)
        # In every state: rclpy fails when a service is destroyed before its last answer is sent. A group of its own,
        # because a model takes a second to load.
        self.create_service(
            LoadModel, "~/load_model", self._load_model, callback_group=MutuallyExclusiveCallbackGroup()
        )
        self.create_service(SetBool, "~/enable", self._enable)
        self.create_service(Trigger, "~/reset", self._reset)

    def autostart(self) -> bool:
        """Configures and activates, unless the parameter `autostart` is false; whether all went well."""
        if not self.get_parameter("autostart").value:
            return True
        success = TransitionCallbackReturn.SUCCESS
        return self.trigger_configure() == success and self.trigger_activate() == success

    # --- life cycle; rclpy swallows what these raise, so they log it themselves ---

    def on_configure(self, state) -> TransitionCallbackReturn:
        """Loads detector and model; makes the publishers."""
        if not self._succeeds("configure", self._open):
            self._close()
            return TransitionCallbackReturn.FAILURE
        return super().on_configure(state)

    def on_activate(self, state) -> TransitionCallbackReturn:
        """Begins to take images, unless it is disabled."""
        super().on_activate(state)
        self._active = True
        if not self._succeeds("activate", self._work):
            self._end()
            super().on_deactivate(state)
            return TransitionCallbackReturn.FAILURE
        return TransitionCallbackReturn.SUCCESS

    def on_deactivate(self, state) -> TransitionCallbackReturn:
        """Takes no more images; when those in work are processed, everybody is lost."""
        self._end()
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
        if self._active:
            self.trigger_deactivate()

    def destroy_node(self) -> None:
        """Ends the work before what it needs is gone."""
        self._close()
        super().destroy_node()
        # rclpy leaves it, and it holds on to all of DDS: what the node has of shared memory would outlive the process.
        self._state_machine.destroy_when_not_in_use()

    def _succeeds(self, doing: str, step: Callable[[], None]) -> bool:
        try:
            step()
        except Exception as error:
            self.get_logger().error(f"cannot {doing}: {_reason(error)}")
            return False
        return True

    def _open(self) -> None:
        settings = parameters.read(self, Settings)
        serving = NodeState.begin(settings, self._models.get(settings.model, settings.backend))
        self.answering = ImageProcessor(self, serving, self.image_group)

    def _work(self) -> None:
        if self._enabled:
            self.answering.begin()
        else:
            self.answering.end()
            self.get_logger().warning("disabled: active, but without images until the service ~/enable is called")

    def _end(self) -> None:
        self._active = False
        if self.answering:
            self.answering.end()

    def _close(self) -> None:
        answering, self.answering = self.answering, None
        if answering:
            answering.close()

    # --- changes while running ---

    def _change_parameters(self, changes: Sequence[Parameter]) -> SetParametersResult:
        """Refuses or applies. Applied here, because Humble has no callback for afterward; nobody refuses later."""
        try:
            settings = parameters.read(self, Settings, changes)
            if self.answering and settings != self.answering.serving.settings:
                # Made here, while images are still processed: one that has to load a network takes seconds.
                detector = self.answering.serving.detector_for(settings)
                self.answering.exchange(lambda serving: serving.with_settings(settings, detector))
        except Exception as error:
            return SetParametersResult(successful=False, reason=_reason(error))
        return SetParametersResult(successful=True)

    def _enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        """Takes images or none, as long as the node lives and is not told otherwise."""
        self._enabled = request.data
        response.success = not self._active or self._succeeds("enable", self._work)
        word = "enabled" if self._enabled else "disabled"
        response.message = word if self._active else f"{word}; that shows when the node is active, which it is not"
        return response

    def _reset(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """Forgets everybody."""
        response.success = True
        response.message = "nobody was known: the node is not active"
        if self._active:
            self.answering.reset()
            response.message = "everybody is forgotten"
        return response

    def _load_model(self, request: LoadModel.Request, response: LoadModel.Response) -> LoadModel.Response:
        """Loads a model beside the one that serves, then changes over."""
        try:
            response.message = self._serve_with(request.model)
            response.success = True
        except Exception as error:
            response.message = _reason(error)
        answering = self.answering
        if answering:
            response.model_id = answering.serving.classifier.model_id
            response.labels = list(answering.serving.classifier.labels)
        outcome = f"load_model '{request.model}': {response.message}; serving is {response.model_id or 'none'}"
        if response.success:
            self.get_logger().info(outcome)
        else:
            self.get_logger().error(outcome)
        return response

    def _serve_with(self, model: str) -> str:
        """Raises as `Classifier` does, and _NotConfigured where there is nothing to change over."""
        if self.answering:
            classifier = self._models.get(model, self.get_parameter("backend").value)
            # Where it has been cleaned up meanwhile, there is none any more.
            answering = self.answering
            if answering:
                answering.exchange(lambda serving: serving.with_classifier(classifier))
                return "it serves from the next image on"
        raise _NotConfigured("the node is not configured, and then loads the model of its parameter 'model'")


def _reason(error: Exception) -> str:
    """Why something failed, for the user; with a traceback where that was not foreseen."""
    if isinstance(error, _EXPECTED_ERRORS):
        return str(error)
    return "".join(traceback.format_exception(error)).rstrip()


def main(args: Sequence[str] | None = None) -> int:
    """Runs the node until it is interrupted; the exit status: 0, or 1 where it could not start."""
    # Images have a thread of their own; one more for a model being loaded, one for parameters, life cycle and timers.
    return run(_NAME, _started_node, _EXPECTED_ERRORS, args, lambda node: ImageExecutor(node.image_group, threads=2))


def _started_node() -> EmotionNode:
    node = EmotionNode()
    if not node.autostart():
        node.finished.set_result(1)
    return node


if __name__ == "__main__":
    sys.exit(main())
