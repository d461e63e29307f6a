# SPDX-License-Identifier: Apache-2.0
"""The programs of the nodes end when they are told to, and no message ends them."""

import signal
import time
from contextlib import ExitStack

import pytest

pytest.importorskip("fer_ros.msg", reason="needs ROS 2 and the package's own messages: make setup")

import rclpy
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from program import Program
from rclpy.executors import SingleThreadedExecutor
from rclpy.task import Future

from fer_ros.nodes.common import run

NODES = ("emotion_node", "emotion_recorder_node", "video_publisher_node", "trainer_node")


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


def test_exceptions_of_callbacks_do_not_end_a_node(robot):
    node = rclpy.create_node("broken", namespace=robot.namespace)
    node.finished = Future()
    calls = []

    def fail():
        calls.append(1)
        if len(calls) == 3:
            node.finished.set_result(0)
        raise KeyError(len(calls))

    node.create_timer(0.001, fail)
    run._spin(node, (OSError,), SingleThreadedExecutor())
    node.destroy_node()
    assert len(calls) == 3
    (line,) = robot.wait_until(lambda: robot.logged("unhandled error while running a callback"), "the log line")
    assert "the node keeps running" in line
