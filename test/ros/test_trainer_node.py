# SPDX-License-Identifier: Apache-2.0
"""The trainer node with a real action client and real training: goals, cancellation, crashes, resuming, deployment."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from pathlib import Path

import pytest

pytest.importorskip("fer_ros.msg", reason="needs ROS 2 and the package's own messages: make setup")

from action_msgs.msg import GoalStatus
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from program import Program
from rcl_interfaces.srv import GetParameters
from rclpy.action import ActionClient
from rclpy.qos import QoSDurabilityPolicy, QoSProfile
from robot import Robot
from sensor_msgs.msg import Image
from training_data import arrays, recipe

from fer_ros.action import TrainModel
from fer_ros.emotion.model_file import identify
from fer_ros.msg import TrainingProgress
from fer_ros.nodes.emotion.node import EmotionNode
from fer_ros.nodes.trainer.deployment import Deployment
from fer_ros.nodes.trainer.node import TrainerNode

CANCELED, FAILED, SUCCEEDED = TrainModel.Result.CANCELED, TrainModel.Result.FAILED, TrainModel.Result.SUCCEEDED
TRAINING_DEADLINE = 300.0
"""Seconds to load torch and train an epoch or two, which takes five seconds on an idle machine."""


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """Return a folder with a data set and recipes; the runs are written to it as well."""
    place = tmp_path_factory.mktemp("place")
    bars = place / "datasets" / "bars"
    bars.mkdir(parents=True)
    arrays(bars / "train.npz", 28, 0, seed=1)
    arrays(bars / "public.npz", 14, 1, seed=2)
    learned = {"network": "mini_xception", "batch_size": 14}
    recipe(place / "endless.yaml", epochs=10_000, **learned)
    stages = [{"name": "first"}, {"name": "second", "learning_rate": 0.01}]
    recipe(place / "staged.yaml", epochs=1, stages=stages, **learned)
    return place


@pytest.fixture(scope="module")
def robot(_ros):
    with Robot() as robot:
        yield robot


def settings(place: Path) -> dict[str, str | int]:
    return {"datasets": str(place / "datasets"), "output": str(place / "runs"), "threads": 1, "nice": 1}


@pytest.fixture(scope="module")
def node(robot, place):
    node = robot.start(TrainerNode, **settings(place))
    yield node
    robot.close(node)


@pytest.fixture(scope="module")
def client(robot, node) -> Client:
    return Client(robot)


class PromptActionClient(ActionClient):
    """Avoids a race in rclpy: the executor sees a new client before its constructor has created the lock."""

    _lock = threading.Lock()


class Client:
    """An action client of the trainer node."""

    def __init__(self, robot: Robot):
        self.robot = robot
        self.action = PromptActionClient(robot.node, TrainModel, "trainer_node/train_model")
        robot.wait_until(self.action.server_is_ready, "the action server")
        robot.discover_service(GetParameters, "trainer_node/get_parameters", names=["threads"])

    def send(self, **goal) -> SentGoal:
        """Send a goal and wait until the node has accepted or rejected it."""
        return SentGoal(self, TrainModel.Goal(**goal))


class SentGoal:
    """One goal, from the client's side."""

    def __init__(self, client: Client, goal: TrainModel.Goal):
        self._robot = client.robot
        self.feedback: list[TrainingProgress] = []
        sent = client.action.send_goal_async(goal, lambda message: self.feedback.append(message.feedback.progress))
        self._robot.wait_until(sent.done, "the response to the goal")
        self._handle = sent.result()
        self._result = self._handle.get_result_async() if self.accepted else None

    @property
    def accepted(self) -> bool:
        return self._handle.accepted

    @property
    def over(self) -> bool:
        return self._result.done()

    def epochs(self, count: int) -> list[int]:
        """Wait for feedback on `count` epochs and return their numbers."""
        self._robot.wait_until(
            lambda: len(self.feedback) >= count or self.over, f"feedback on {count} epochs", TRAINING_DEADLINE
        )
        assert len(self.feedback) >= count, self.end()
        return [progress.epoch for progress in self.feedback]

    def cancel(self) -> None:
        """Cancel the goal and wait until the node has accepted that."""
        response = self._handle.cancel_goal_async()
        self._robot.wait_until(response.done, "the response to the cancellation")
        assert len(response.result().goals_canceling) == 1

    def end(self) -> tuple[int, TrainModel.Result]:
        """Wait for the end and return status and result."""
        self._robot.wait_until(lambda: self.over, "the result", TRAINING_DEADLINE)
        return self._result.result().status, self._result.result().result


def training_process(pid: int) -> int:
    """Return the process id of the only fer-train that this process has started."""
    listed = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    children = [child for children in listed for child in children.split()]
    (training,) = [child for child in children if "fer_ros.cli.train" in Path(f"/proc/{child}/cmdline").read_text()]
    return int(training)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture(scope="module")
def canceled(robot, client, place) -> dict:
    """Return what was observed of a very long run that was canceled in its third epoch or later."""
    seen: dict = {"progress": [], "health": []}
    robot.node.create_subscription(TrainingProgress, "training/progress", seen["progress"].append, 100)

    def add_health(message: DiagnosticArray) -> None:  # the topic is that of all robots
        if message.status[0].name == f"{robot.namespace.strip('/')}/trainer_node: training":
            seen["health"].append(message)

    robot.node.create_subscription(DiagnosticArray, "/diagnostics", add_health, 100)
    seen["goal_handle"] = goal_handle = client.send(
        dataset="bars", recipe=str(place / "endless.yaml"), output_name="long", seed=5
    )
    seen["second"] = client.send(dataset="bars", output_name="another")
    goal_handle.epochs(2)
    (seen["parameter"],) = robot.call(GetParameters, "trainer_node/get_parameters", names=["threads"]).values
    robot.wait_until(lambda: any("training: " in health(message) for message in seen["health"]), "diagnostics")
    goal_handle.cancel()
    seen["end"] = goal_handle.end()
    return seen


def health(message: DiagnosticArray) -> str:
    (status,) = message.status
    return status.message


def test_every_epoch_is_published_and_fed_back(canceled):
    feedback = canceled["goal_handle"].feedback
    assert [progress.epoch for progress in feedback] == list(range(1, len(feedback) + 1))
    assert canceled["progress"][: len(feedback)] == feedback
    best = 0.0
    for progress in feedback:
        best = max(best, progress.validation_accuracy)
        assert progress.best_validation_accuracy == pytest.approx(best)
        assert (progress.run_id, progress.epochs) == ("long", 10_000)
        assert progress.header.stamp.sec > 0
        assert min(progress.train_loss, progress.validation_loss, progress.images_per_second) > 0
        assert progress.eta.sec > 60


def test_node_stays_responsive_and_rejects_a_second_goal(canceled, robot):
    assert not canceled["second"].accepted
    robot.wait_until(lambda: robot.logged("rejected goal 'another': another run is active"), "the reason in the log")
    assert canceled["parameter"].integer_value == 1


def test_canceled_run_keeps_its_best_model_and_checkpoint(canceled, place):
    status, result = canceled["end"]
    assert (status, result.outcome) == (GoalStatus.STATUS_CANCELED, CANCELED)
    assert "send the goal with resume to continue from its checkpoint" in result.message
    assert result.run_id == "long"
    assert result.model_path == str(place / "runs" / "long" / "best.pt")
    assert result.checkpoint_path == str(place / "runs" / "long" / "checkpoint.pth")
    assert Path(result.model_path).is_file()
    assert Path(result.checkpoint_path).is_file()
    assert result.best_validation_accuracy == canceled["goal_handle"].feedback[-1].best_validation_accuracy


@pytest.fixture(scope="module")
def killed(client, canceled) -> tuple[SentGoal, int, TrainModel.Result]:
    """Resume the canceled run and kill its process; return the goal, its status and its result."""
    goal_handle = client.send(output_name="long", resume=True)
    goal_handle.epochs(1)
    training = training_process(os.getpid())
    assert os.getpriority(os.PRIO_PROCESS, training) == os.getpriority(os.PRIO_PROCESS, os.getpid()) + 1
    os.kill(training, signal.SIGKILL)
    return goal_handle, *goal_handle.end()


def test_resumed_run_continues_after_the_last_epoch(canceled, killed):
    stopped_after = canceled["goal_handle"].feedback[-1]
    first = killed[0].feedback[0]
    assert stopped_after.epoch < first.epoch <= stopped_after.epoch + 2, "at most the interrupted epoch is lost"
    assert first.best_validation_accuracy >= stopped_after.best_validation_accuracy


def test_killed_training_aborts_the_goal_and_not_the_node(killed, canceled, robot):
    _, status, result = killed
    assert (status, result.outcome) == (GoalStatus.STATUS_ABORTED, FAILED)
    assert "the training process was killed by signal 9 (SIGKILL)" in result.message
    assert Path(result.checkpoint_path).is_file()
    robot.wait_until(lambda: "killed by signal 9" in health(canceled["health"][-1]), "diagnostics of the failure")
    assert canceled["health"][-1].status[0].level == DiagnosticStatus.ERROR


@pytest.mark.usefixtures("_ros")
def test_training_ends_with_its_program(killed, place, tmp_path):
    """After SIGINT; that fer-train also ends when SIGKILL ends what reads its progress is in `test_reproduction`."""
    shutil.copytree(place / "runs" / "long", tmp_path / "runs" / "long")
    parameters = [word for name, value in settings(tmp_path).items() for word in ("-p", f"{name}:={value}")]
    with Robot() as robot:
        in_namespace = ["--ros-args", "-r", f"__ns:={robot.namespace}"]
        with Program("trainer_node", *in_namespace, *parameters, log=tmp_path / "log") as program:
            goal_handle = Client(robot).send(output_name="long", resume=True)
            assert goal_handle.epochs(1)[0] > killed[0].feedback[-1].epoch, "the killed run was resumed"
            training = training_process(program.pid)
            assert program.end(signal.SIGINT) == 0
            robot.wait_until(lambda: not is_running(training), "the end of training")
            assert "Traceback" not in program.output


@pytest.mark.parametrize(
    ("goal", "reason"),
    [
        ({}, "the goal names no dataset"),
        ({"dataset": "bars", "output_name": "../runs"}, "output_name is '../runs'; it must be a name"),
        (
            {"dataset": "bars", "output_name": "-x\n[INFO] trained"},
            "output_name is '-x\\n[INFO] trained'; expected a text",
        ),
        ({"dataset": "/dev/zero", "output_name": "new"}, "dataset /dev/zero is neither a file nor a folder"),
        ({"dataset": "bars", "recipe": "/etc/passwd", "output_name": "new"}, "/etc/passwd: "),
        ({"dataset": "bars", "output_name": "long"}, "there is a run 'long' in "),
        ({"resume": True}, "output_name is required to resume"),
        ({"resume": True, "output_name": "longer"}, "no run 'longer' to resume in {place}/runs; available: long"),
        ({"dataset": "bras", "output_name": "new"}, "{place}/datasets/bras: there is no such file or folder"),
        ({"dataset": "bars", "recipe": "mini_xeption"}, "there is no recipe 'mini_xeption'; available: "),
    ],
)
def test_unusable_goal_is_aborted_with_the_reason(goal, reason, client, killed, place):
    status, result = client.send(**goal).end()
    assert (status, result.outcome) == (GoalStatus.STATUS_ABORTED, FAILED)
    assert reason.format(place=place) in result.message
    assert "root:" not in result.message
    assert result.message.isprintable()
    assert not (place / "runs" / "new").exists()


@pytest.fixture(scope="module")
def deployed(client, robot, model, place, astronaut, killed, quick_start) -> tuple[SentGoal, list[str]]:
    """Train in two stages and deploy the model; return the ended goal, and the models of the results meanwhile."""
    assert robot.start(EmotionNode, model=str(model), models__folder=str(place / "runs")).autostart()
    camera = robot.matched_camera()
    goal_handle = client.send(
        dataset="bars", recipe=str(place / "staged.yaml"), output_name="deployed", seed=1, deploy=True
    )
    served = []
    while not goal_handle.over:
        served.append(robot.process(camera, astronaut).model_id)
        time.sleep(0.3)  # a slow camera leaves CPU time to training
    served.append(robot.process(camera, astronaut).model_id)
    return goal_handle, served


def test_progress_of_stages_counts_all_epochs(deployed):
    progress = [(each.stage, each.epoch, each.epochs) for each in deployed[0].feedback]
    assert progress == [("first", 1, 2), ("second", 2, 2)]


def test_trained_model_is_deployed_without_a_missed_image(deployed, robot, model, place):
    goal_handle, served = deployed
    status, result = goal_handle.end()
    assert (status, result.outcome) == (GoalStatus.STATUS_SUCCEEDED, SUCCEEDED), result.message
    assert result.model_path == str(place / "runs" / "deployed" / "best.pt")
    assert list(dict.fromkeys(served)) == [identify(model), identify(Path(result.model_path))]
    assert f"{robot.namespace}/emotion_node/load_model loaded {served[-1]}" in result.message


def test_plots_of_the_run_are_published(deployed, robot):
    plots: dict[str, Image] = {}
    latched = QoSProfile(depth=1, durability=QoSDurabilityPolicy.TRANSIENT_LOCAL)
    for topic in ("training/curves", "training/confusion_matrix"):
        robot.node.create_subscription(Image, topic, lambda image, topic=topic: plots.update({topic: image}), latched)
    robot.wait_until(lambda: len(plots) == 2, "latched plots")
    for plot in plots.values():
        assert plot.encoding == "bgr8"
        assert len(plot.data) == plot.height * plot.step > 100_000


def test_missing_emotion_node_is_reported(robot):
    outcome = Deployment(robot.node, "missing", timeout=0.1).deploy(Path("best.pt"), is_canceled=lambda: False)
    assert outcome.startswith(f"not deployed: there is no service {robot.namespace}/missing/load_model")
