"""The trainer node: trains models while the robot works, and hands them to the emotion node."""

from __future__ import annotations

import math
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.executors import MultiThreadedExecutor
from rclpy.node import Node
from rclpy.task import Future

from fer_ros.action import TrainModel
from fer_ros.nodes.common import parameters
from fer_ros.nodes.common.parameters import ParameterError, parameter
from fer_ros.nodes.common.run import run
from fer_ros.nodes.trainer.deployment import Deployment
from fer_ros.nodes.trainer.goal import GoalError, Run, plan
from fer_ros.nodes.trainer.process import TrainingProcess
from fer_ros.nodes.trainer.publishers import TrainingPublishers
from fer_ros.training import run_folder

_NAME = "trainer_node"
_PROMISE = 10.0
"""Seconds for which the place is kept for a goal that was accepted and has not begun: its client may have gone."""


@dataclass(frozen=True)
class TrainerSettings:
    """The node's parameters."""

    datasets: str = parameter(
        "datasets", "Folder in which a goal's dataset lies, unless the goal gives an absolute path."
    )
    output: str = parameter("out/training", "Folder for runs, each in a folder of its own called output_name.")
    emotion_node: str = parameter(
        "emotion_node",
        "Name of the node that a goal with deploy hands its model to, absolute or relative to this node's namespace.",
    )
    deploy_timeout: float = parameter(
        30.0, "Seconds for which that node is waited for, to be there and to have loaded the model.", range=(0.1, 1e4)
    )
    threads: int = parameter(0, "CPU threads of training. 0 takes one for each core.", range=(0, 1024))
    nice: int = parameter(
        10,
        "How far training steps back behind other programs when the CPU is wanted: 0 not at all, 19 as far as can be.",
        range=(0, 19),
    )


class TrainerNode(Node):
    """Serves the action `~/train_model`, one goal at a time, each with a process of its own that trains.

    Args:
        options: those of `rclpy.node.Node`.

    Raises:
        ParameterError: a parameter has the wrong type or is out of range.
    """

    def __init__(self, **options):
        super().__init__(_NAME, **options)
        parameters.declare(self, TrainerSettings)
        self._settings = settings = parameters.read(self, TrainerSettings)
        self.finished = Future()
        """For `fer_ros.nodes.common.run`; this node is never done by itself."""
        self._one_run = threading.Lock()
        self._admitting = threading.Lock()
        self._promised_until = 0.0
        self._closing = threading.Event()
        self._output = TrainingPublishers(self)
        self._deployment = Deployment(self, settings.emotion_node, settings.deploy_timeout)
        self._server = ActionServer(
            self,
            TrainModel,
            "~/train_model",
            self._train,
            goal_callback=self._admit,
            # The goal then is in the state of being canceled, where `_watch` sees it.
            cancel_callback=lambda _: CancelResponse.ACCEPT,
            callback_group=ReentrantCallbackGroup(),
        )
        self.get_logger().info(f"trains on request, in {Path(settings.output).expanduser().absolute()}")

    def close(self) -> None:
        """Stops training, and waits until it has ended."""
        self._closing.set()
        with self._one_run:
            pass

    def destroy_node(self) -> None:
        """Ends the action before what it needs is gone."""
        self._server.destroy()
        super().destroy_node()

    def _admit(self, goal: TrainModel.Goal) -> GoalResponse:
        with self._admitting:
            if not self._one_run.locked() and time.monotonic() > self._promised_until:
                self._promised_until = time.monotonic() + _PROMISE
                return GoalResponse.ACCEPT
        self.get_logger().warning(f"goal '{goal.output_name}' is rejected: a run is under way, cancel that first")
        return GoalResponse.REJECT

    def _train(self, goal: ServerGoalHandle) -> TrainModel.Result:
        """Pursues a goal to its end, which it is given here."""
        with self._one_run:
            self._promised_until = 0.0
            try:
                result = self._result(goal, plan(goal.request, self._settings))
            except (GoalError, OSError) as error:
                result = TrainModel.Result(
                    outcome=TrainModel.Result.FAILED, message=str(error), best_validation_accuracy=math.nan
                )
            self._tell(result)
            if result.outcome == TrainModel.Result.SUCCEEDED:
                goal.succeed()
            elif result.outcome == TrainModel.Result.CANCELED and goal.is_cancel_requested:
                goal.canceled()
            else:
                goal.abort()
        return result

    def _result(self, goal: ServerGoalHandle, run: Run) -> TrainModel.Result:
        """Trains, and deploys where that is asked for.

        Raises:
            OSError: the process cannot be started.
        """
        self._output.start(run.folder)
        self.get_logger().info(f"run '{run.run_id}' begins: fer-train {' '.join(run.arguments)}")
        with TrainingProcess(run.arguments, self._settings.nice) as process:
            stopped = self._watch(process, goal)
            reason = process.failure
        model, checkpoint = run.folder / run_folder.BEST, run.folder / run_folder.CHECKPOINT
        result = TrainModel.Result(
            run_id=run.run_id,
            model_path=str(model) if model.exists() else "",
            checkpoint_path=str(checkpoint) if checkpoint.exists() else "",
            best_validation_accuracy=run_folder.best_accuracy(run.folder),
        )
        resumable = "; a goal with resume goes on from its checkpoint" if result.checkpoint_path else ""
        if not reason:
            result.outcome = TrainModel.Result.SUCCEEDED
            result.message = f"trained, {100 * result.best_validation_accuracy:.2f} % of the validation images right"
            if goal.request.deploy and not stopped:
                result.message += f"; {self._deployment.serve(model, self._closing.is_set)}"
        elif stopped:
            result.outcome, result.message = TrainModel.Result.CANCELED, f"stopped{resumable}"
        else:
            result.outcome, result.message = TrainModel.Result.FAILED, f"{reason}{resumable}"
            self.get_logger().debug(f"the last that training said:\n{process.last_lines}")
        return result

    def _watch(self, process: TrainingProcess, goal: ServerGoalHandle) -> bool:
        """Reports what training does until it has ended; whether it was stopped."""
        stopped = False
        for event in process.events():
            stopped = goal.is_cancel_requested or self._closing.is_set()
            if stopped:
                process.stop()
            kind = event and event["event"]
            if kind == "start":
                self._output.begin()
            elif kind == "batch":
                self._output.batch(event)
            elif kind == "epoch":
                goal.publish_feedback(TrainModel.Feedback(progress=self._output.epoch(event)))
        return stopped

    def _tell(self, result: TrainModel.Result) -> None:
        failed = result.outcome == TrainModel.Result.FAILED
        self._output.end(failed, result.message)
        outcome = f"run '{result.run_id}': {result.message}"
        if failed:
            self.get_logger().error(outcome)
        else:
            self.get_logger().info(outcome)


def main(args: Sequence[str] | None = None) -> int:
    """Runs the node until it is interrupted; the exit status: 0, or 1 where it could not start."""
    # A thread each for training, for an answer of the emotion node, for requests of clients, and for timers.
    return run(_NAME, TrainerNode, (ParameterError,), args, lambda node: MultiThreadedExecutor(num_threads=4))


if __name__ == "__main__":
    sys.exit(main())
