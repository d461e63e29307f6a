# SPDX-License-Identifier: Apache-2.0
"""The trainer node: train models on request and deploy them to the emotion node."""

from __future__ import annotations

import math
import shlex
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.executors import MultiThreadedExecutor
from rclpy.node import Node
from rclpy.task import Future

from fer_ros.action import TrainModel
from fer_ros.nodes.common import parameters, stop_signals
from fer_ros.nodes.common.image_clock import warn_without_clock
from fer_ros.nodes.common.parameters import ParameterError
from fer_ros.nodes.common.run import run
from fer_ros.nodes.trainer.deployment import Deployment
from fer_ros.nodes.trainer.goal import GoalError, TrainingRun, to_run
from fer_ros.nodes.trainer.parameters import TrainerSettings
from fer_ros.nodes.trainer.process import STOP_GRACE, TrainingProcess
from fer_ros.nodes.trainer.publishers import TrainingPublishers
from fer_ros.text import printable
from fer_ros.training import run_folder

_NAME = "trainer_node"
_ACCEPTED_GOAL_TIMEOUT = 10.0
"""Seconds after which an accepted goal that was never executed no longer blocks others: its client may be gone."""
_CLOSING_GRACE = 0.5
"""Seconds between SIGTERM and SIGKILL for the training process when the node ends, which takes less than two."""


class TrainerNode(Node):
    """Serves the action `~/train_model`, one goal at a time, each in its own training process.

    Args:
        options: of `rclpy.node.Node`.

    Raises:
        ParameterError: a parameter has the wrong type or is out of range.
    """

    def __init__(self, **options):
        self._server: ActionServer | None = None
        super().__init__(_NAME, **options)
        parameters.declare(self, TrainerSettings, options.get("cli_args"))
        warn_without_clock(self)
        self._settings = settings = parameters.read(self, TrainerSettings)
        self.finished = Future()
        """For `fer_ros.nodes.common.run`; this node never ends by itself."""
        self._run_lock = threading.Lock()
        self._goal_lock = threading.Lock()
        self._reserved_until = 0.0
        self._closing = threading.Event()
        self._training_publishers = TrainingPublishers(self)
        self._deployment = Deployment(self, settings.emotion_node, settings.deploy_timeout)
        self._server = ActionServer(
            self,
            TrainModel,
            "~/train_model",
            self._execute,
            goal_callback=self._accept_or_reject,
            # The goal handle then reports the request, which `_supervise` polls.
            cancel_callback=lambda _: CancelResponse.ACCEPT,
            callback_group=ReentrantCallbackGroup(),
        )
        self.get_logger().info(f"ready to train; runs go to {Path(settings.output).expanduser().absolute()}")

    def close(self) -> None:
        """Stop the training process and wait for its end."""
        self._closing.set()
        with self._run_lock:
            pass

    def destroy_node(self) -> None:
        """Destroy the action server, unless a wrong parameter kept it from being created, before what it uses."""
        if self._server:
            self._server.destroy()
        super().destroy_node()

    def _accept_or_reject(self, goal: TrainModel.Goal) -> GoalResponse:
        with self._goal_lock:
            if not self._run_lock.locked() and time.monotonic() > self._reserved_until:
                self._reserved_until = time.monotonic() + _ACCEPTED_GOAL_TIMEOUT
                return GoalResponse.ACCEPT
        self.get_logger().warning(
            f"rejected goal '{printable(goal.output_name)}': another run is active, cancel it first"
        )
        return GoalResponse.REJECT

    def _execute(self, goal: ServerGoalHandle) -> TrainModel.Result:
        """Execute a goal and set its final state."""
        with self._run_lock:
            self._reserved_until = 0.0
            try:
                result = self._train(goal, to_run(goal.request, self._settings))
            except (GoalError, OSError) as error:
                result = TrainModel.Result(
                    outcome=TrainModel.Result.FAILED, message=str(error), best_validation_accuracy=math.nan
                )
            self._report(result)
            if result.outcome == TrainModel.Result.SUCCEEDED:
                goal.succeed()
            elif result.outcome == TrainModel.Result.CANCELED and goal.is_cancel_requested:
                goal.canceled()
            else:
                goal.abort()
        return result

    def _train(self, goal: ServerGoalHandle, training: TrainingRun) -> TrainModel.Result:
        """Train, and deploy the model if the goal asks for it.

        Raises:
            OSError: the process cannot be started.
        """
        self._training_publishers.start_run(training.folder)
        self.get_logger().info(f"starting run '{training.run_id}': fer-train {shlex.join(training.arguments)}")
        with TrainingProcess(training.arguments, self._settings.nice) as process:
            stopped = self._supervise(process, goal)
            failure = process.failure
        result = _found(training)
        resumable = "; send the goal with resume to continue from its checkpoint" if result.checkpoint_path else ""
        if not failure:
            result.outcome = TrainModel.Result.SUCCEEDED
            result.message = f"trained, validation accuracy {100 * result.best_validation_accuracy:.2f} %"
            if goal.request.deploy and not stopped:
                result.message += f"; {self._deployment.deploy(Path(result.model_path), self._closing.is_set)}"
        elif stopped:
            result.outcome, result.message = TrainModel.Result.CANCELED, f"stopped{resumable}"
        else:
            result.outcome, result.message = TrainModel.Result.FAILED, f"{failure}{resumable}"
            self.get_logger().debug(f"last output of fer-train:\n{chr(10).join(process.last_lines)}")
        return result

    def _supervise(self, process: TrainingProcess, goal: ServerGoalHandle) -> bool:
        """Publish the events of a training process until it ends; return whether it was stopped."""
        stopped = False
        for event in process.events():
            stopped = goal.is_cancel_requested or self._closing.is_set()
            if stopped:
                process.request_stop(_CLOSING_GRACE if self._closing.is_set() else STOP_GRACE)
            if event is None:
                continue
            if event["event"] == "start":
                self._training_publishers.start_stage(event)
            elif event["event"] == "batch":
                self._training_publishers.update_epoch(event)
            elif event["event"] == "epoch":
                goal.publish_feedback(TrainModel.Feedback(progress=self._training_publishers.end_epoch(event)))
        return stopped

    def _report(self, result: TrainModel.Result) -> None:
        failed = result.outcome == TrainModel.Result.FAILED
        self._training_publishers.end_run(failed, result.message)
        line = f"run '{result.run_id}': {result.message}"
        if failed:
            self.get_logger().error(line)
        else:
            self.get_logger().info(line)


def _found(training: TrainingRun) -> TrainModel.Result:
    """Return a result with the files that a run has left."""
    stage = run_folder.latest_stage(training.folder)
    models = [folder / run_folder.BEST for folder in (training.folder, stage)]
    checkpoint = stage / run_folder.CHECKPOINT
    return TrainModel.Result(
        run_id=training.run_id,
        model_path=next((str(model) for model in models if model.exists()), ""),
        checkpoint_path=str(checkpoint) if checkpoint.exists() else "",
        best_validation_accuracy=run_folder.best_accuracy(stage),
    )


def main(args: Sequence[str] | None = None) -> int:
    """Run the node until it is interrupted; return 0, or 1 if it could not start."""
    # One thread each for training, for the emotion node's responses, for clients' requests, and for timers.
    return run(_NAME, TrainerNode, (ParameterError,), args, lambda node: MultiThreadedExecutor(num_threads=4))


if __name__ == "__main__":
    stop_signals.end(main())
