# SPDX-License-Identifier: Apache-2.0
"""The programs of the nodes end when they are told to, and no message ends them."""

import signal
import threading
import time
from collections import Counter
from contextlib import ExitStack

import pytest

pytest.importorskip("fer_ros.msg", reason="needs ROS 2 and the package's own messages: make setup")

import rclpy
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from program import Program
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.executors import MultiThreadedExecutor, SingleThreadedExecutor
from rclpy.task import Future
from std_msgs.msg import String
from std_srvs.srv import Trigger

from fer_ros.nodes.common import run
from fer_ros.nodes.emotion.executor import ImageExecutor

NODES = ("emotion_node", "emotion_recorder_node", "video_publisher_node", "trainer_node", "dashboard_node")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_programs_stopped_at_start_end_without_output(tmp_path, number):
    with ExitStack() as running:
        programs = [running.enter_context(Program(node, log=tmp_path / node)) for node in NODES]
        for moment, program in enumerate(programs):
            # From the start of the interpreter to the imports.
            time.sleep(0.03 * moment)
            assert program.end(number) == 130
            assert program.output == ""


def test_life_cycle_shutdown_ends_program(robot, tmp_path):
    arguments = ["--ros-args", "-r", f"__ns:={robot.namespace}", "-p", "autostart:=false"]
    with Program("emotion_node", *arguments, log=tmp_path / "log") as program:
        transition = Transition(id=Transition.TRANSITION_UNCONFIGURED_SHUTDOWN)
        assert robot.call(ChangeState, "emotion_node/change_state", transition=transition).success
        assert program.end() == 0
        assert "autostart is false" in program.output
        assert len(program.output.splitlines()) == 1


@pytest.mark.parametrize("node", NODES)
def test_wrong_parameter_is_one_line(tmp_path, node):
    with Program(node, "--ros-args", "-p", "unknown:=1", log=tmp_path / "log") as program:
        assert program.end() == 1
        (line,) = program.output.splitlines()
        assert "[FATAL]" in line
        assert f"/{node} has no parameter 'unknown'" in line


@pytest.mark.parametrize("executor", ["recorder, video publisher", "trainer", "emotion"])
def test_exceptions_of_callbacks_do_not_end_a_node(robot, executor, capfd):
    node = rclpy.create_node("broken", namespace=robot.namespace)
    node.finished = Future()
    images = MutuallyExclusiveCallbackGroup()
    create = {"emotion": lambda: ImageExecutor(images), "trainer": MultiThreadedExecutor}
    calls = Counter()

    def failing(kind):
        def fail(*_):
            calls[kind] += 1
            raise KeyError(kind)

        return fail

    node.create_timer(0.01, failing("timer"))
    node.create_subscription(String, "text", failing("subscription"), 10)
    node.create_subscription(String, "text", failing("image"), 10, callback_group=images)
    node.create_service(Trigger, "service", failing("service"))
    spinning = threading.Thread(
        target=run._spin, args=(node, (OSError,), create.get(executor, SingleThreadedExecutor)())
    )
    spinning.start()
    publisher = robot.node.create_publisher(String, "text", 10)
    client = robot.node.create_client(Trigger, "service")

    def called_twice():
        publisher.publish(String())
        if client.service_is_ready():
            client.call_async(Trigger.Request())
        return min(calls[kind] for kind in ("timer", "subscription", "image", "service")) >= 2

    robot.wait_until(called_twice, "each callback to be called twice")
    node.finished.set_result(0)
    spinning.join()
    node.destroy_node()
    log = capfd.readouterr().err
    assert "unhandled error" in log
    assert "the node keeps running" in log
