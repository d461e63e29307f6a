# SPDX-License-Identifier: Apache-2.0
"""The emotion node: subscribes to cameras and publishes the emotions of the faces in their images."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from rcl_interfaces.msg import SetParametersResult
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup, ReentrantCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.task import Future
from std_srvs.srv import SetBool, Trigger

from fer_ros.nodes.common import lazy_imports, parameters, stop_signals
from fer_ros.nodes.common.image_clock import warn_without_clock
from fer_ros.nodes.common.run import run
from fer_ros.nodes.emotion.executor import ImageExecutor
from fer_ros.nodes.emotion.model_loader import ModelLoader
from fer_ros.nodes.emotion.parameters import Settings
from fer_ros.nodes.emotion.processor import ImageProcessor
from fer_ros.nodes.emotion.state import NodeState
from fer_ros.srv import LoadModel
from fer_ros.text import printable

_NAME = "emotion_node"
_EXPECTED_ERRORS = (OSError, ValueError, ImportError)
"""Raised for a missing or invalid file, parameter or library: the message suffices, a traceback would only distract."""
_DELIVERY = 0.2
"""Seconds from a shutdown until the program ends: the response is lost if DDS ends before the caller has read it."""
_MAX_REASON = 1000
"""Characters of an error in a log line or a service's response."""


class _NotConfiguredError(ValueError):
    """The request needs a configured node."""


class EmotionNode(LifecycleNode):
    """Publishes a `FaceEmotionArray` for each image of its cameras: life cycle, services and parameters.

    Model, detector, publishers and worker exist while the node is configured, subscriptions only while it is active.

    Args:
        options: those of `rclpy.node.Node`.

    Raises:
        ParameterError: a parameter has the wrong type or is out of range.
    """

    def __init__(self, **options: Any):
        super().__init__(_NAME, **options)
        self._models = ModelLoader()
        self.image_group = MutuallyExclusiveCallbackGroup()
        """Callback group of the image subscriptions, whose callbacks return at once and must not wait for others."""
        self.processor: ImageProcessor | None = None
        """Exists while the node is configured."""
        self._active = False
        self._enabled = True
        self.finished = Future()
        """See `fer_ros.nodes.common.run`; this node never ends by itself."""
        parameters.declare(self, Settings, options.get("cli_args"))
        warn_without_clock(self)
        self.add_on_set_parameters_callback(self._on_set_parameters)
        # The services exist in every state, because rclpy fails if a service is destroyed before its last response is
        # sent. A call of load_model takes seconds; another one is refused meanwhile, not queued.
        self.create_service(LoadModel, "~/load_model", self._load_model, callback_group=ReentrantCallbackGroup())
        self.create_service(SetBool, "~/enable", self._enable)
        self.create_service(Trigger, "~/reset", self._reset)

    def autostart(self) -> bool:
        """Configure and activate, unless the parameter `autostart` is false; return whether that succeeded."""
        if not self.get_parameter("autostart").value:
            self.get_logger().info(
                "waiting to be configured and activated, because autostart is false: by a lifecycle manager, or by "
                f"`ros2 lifecycle set {self.get_fully_qualified_name()} configure`, then activate"
            )
            return True
        success = TransitionCallbackReturn.SUCCESS
        return bool(self.trigger_configure() == success and self.trigger_activate() == success)

    # --- life cycle; rclpy swallows exceptions of these callbacks, so they log them ---

    def on_configure(self, state: Any) -> TransitionCallbackReturn:
        """Load the detector and the model, and create the publishers."""
        if not self._succeeds("configure", self._create_processor):
            self._close_processor()
            return TransitionCallbackReturn.FAILURE
        return super().on_configure(state)

    def on_activate(self, state: Any) -> TransitionCallbackReturn:
        """Start processing, unless the node is disabled."""
        super().on_activate(state)
        self._active = True
        if not self._succeeds("activate", self._start_or_stop):
            self._deactivate()
            super().on_deactivate(state)
            return TransitionCallbackReturn.FAILURE
        return TransitionCallbackReturn.SUCCESS

    def on_deactivate(self, state: Any) -> TransitionCallbackReturn:
        """Stop processing and drop all tracks."""
        self._deactivate()
        return super().on_deactivate(state)

    def on_cleanup(self, state: Any) -> TransitionCallbackReturn:
        """Destroy what was created by configuring."""
        self._close_processor()
        return super().on_cleanup(state)

    def on_shutdown(self, state: Any) -> TransitionCallbackReturn:
        """Stop processing and clean up, from any state, and end the program: nothing leads back from this state."""
        self._deactivate()
        self._close_processor()
        self.create_timer(_DELIVERY, self._finish, clock=Clock(clock_type=ClockType.STEADY_TIME))
        return super().on_shutdown(state)

    def _finish(self) -> None:
        if not self.finished.done():
            self.finished.set_result(0)

    def close(self) -> None:
        """Deactivate, if the node is active, and give up a model that is being loaded."""
        self._models.close()
        if self._active:
            self.trigger_deactivate()

    def destroy_node(self) -> None:
        """Stop processing, then destroy the node."""
        self._models.close()
        self._close_processor()
        super().destroy_node()
        # rclpy does not destroy it, and it keeps DDS alive: the shared memory of the node would outlive the process.
        self._state_machine.destroy_when_not_in_use()

    def _succeeds(self, action: str, step: Callable[[], None]) -> bool:
        try:
            step()
        except Exception as error:
            self.get_logger().error(f"cannot {action}: {_reason(error)}")
            return False
        return True

    def _create_processor(self) -> None:
        settings = parameters.read(self, Settings)
        state = NodeState.create(settings, self._models.configured(settings))
        self.processor = ImageProcessor(self, state, self.image_group)

    def _start_or_stop(self) -> None:
        if not self.processor:
            return
        if self._enabled:
            self.processor.start()
        else:
            self.processor.stop()
            self.get_logger().warning("disabled: no images are processed until the service ~/enable is called")

    def _deactivate(self) -> None:
        self._active = False
        if self.processor:
            self.processor.stop()

    def _close_processor(self) -> None:
        processor, self.processor = self.processor, None
        if processor:
            processor.close()

    # --- parameters and services ---

    def _on_set_parameters(self, changes: Sequence[Parameter]) -> SetParametersResult:
        """Check and apply changes; applied here because Humble has no callback after they are set."""
        try:
            settings = parameters.read(self, Settings, changes)
            processor = self.processor
            if processor and settings != processor.state.settings:
                # Created while images are still processed, because loading a network takes seconds.
                detector = processor.state.detector_for(settings)
                processor.update_state(lambda state: state.with_settings(settings, detector))
        except Exception as error:
            return SetParametersResult(successful=False, reason=_reason(error))
        return SetParametersResult(successful=True)

    def _enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        """Enable or disable processing; the setting survives deactivation and cleanup."""
        self._enabled = request.data
        response.success = not self._active or self._succeeds("enable", self._start_or_stop)
        outcome = "enabled" if self._enabled else "disabled"
        response.message = outcome if self._active else f"{outcome}; takes effect when the node is activated"
        if not response.success:
            response.message = "the log says what failed"
        return response

    def _reset(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """Drop all tracks."""
        processor = self.processor if self._active else None
        if not processor:
            response.success, response.message = True, "nothing to reset: the node is not active"
        elif self._succeeds("reset", processor.reset):
            response.success, response.message = True, "all tracks dropped"
        else:
            response.message = "the log says what failed"
        return response

    def _load_model(self, request: LoadModel.Request, response: LoadModel.Response) -> LoadModel.Response:
        """Load a model while the current one is in use, then replace it."""
        try:
            self._replace_model(request.model)
            response.message = "in use from the next image on"
            response.success = True
        except Exception as error:
            response.message = _reason(error)
        processor = self.processor
        if processor:
            response.model_id = processor.state.classifier.model_id
            response.labels = list(processor.state.classifier.labels)
        outcome = (
            f"load_model '{printable(request.model)}': {response.message}; current model: {response.model_id or 'none'}"
        )
        if response.success:
            self.get_logger().info(outcome)
        else:
            self.get_logger().error(outcome)
        return response

    def _replace_model(self, model: str) -> None:
        """Replace the model.

        Raises:
            Exception: what `ModelLoader` raises; _NotConfiguredError if there is no model to replace.
        """
        if self.processor:
            classifier = self._models.requested(model, parameters.read(self, Settings))
            # The node may have been cleaned up while the model was loaded.
            processor = self.processor
            if processor:
                processor.update_state(lambda state: state.with_classifier(classifier))
                return
        raise _NotConfiguredError("the node is not configured; configure it first, which loads its parameter 'model'")


def _reason(error: Exception) -> str:
    """Return the message of an expected error, and the traceback of any other."""
    if isinstance(error, _EXPECTED_ERRORS):
        return printable(error, _MAX_REASON)
    return "".join(traceback.format_exception(error)).rstrip()


def main(args: Sequence[str] | None = None) -> int:
    """Run the node until it is interrupted; return the exit status: 0, or 1 if it could not start."""
    # torch then needs not be told for each image to use one thread. More would not make a network this small faster.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # What torch registers for torch.compile and for GPUs: 0.4 s of its import, and 18 MB.
    lazy_imports.defer("torch._meta_registrations", "torch._native")
    # Images have their own thread; two more are for loading a model and for parameters, life cycle and timers.
    return run(
        _NAME, _create_started_node, _EXPECTED_ERRORS, args, lambda node: ImageExecutor(node.image_group, threads=2)
    )


def _create_started_node() -> EmotionNode:
    node = EmotionNode()
    if not node.autostart():
        node.finished.set_result(1)
    return node


if __name__ == "__main__":
    stop_signals.end(main())
