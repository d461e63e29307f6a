"""The executor of the emotion node, where the node's own tests do not reach."""

import threading
import time

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2: make setup")

import rclpy
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from robot import DEADLINE

from fer_ros.nodes.executor import SwiftExecutor


@pytest.mark.usefixtures("_ros")
def test_what_has_yet_to_begin_at_the_end_is_done_without_a_word(capfd):
    node = rclpy.create_node("busy")
    executor = SwiftExecutor(MutuallyExclusiveCallbackGroup(), threads=1)
    begun = threading.Event()

    def work():
        begun.set()
        time.sleep(0.3)

    for _ in range(2):
        node.create_timer(0.01, work, MutuallyExclusiveCallbackGroup())
    executor.add_node(node)
    end = time.monotonic() + DEADLINE
    while not begun.is_set():
        assert time.monotonic() < end
        executor.spin_once(0.1)
    for _ in range(3):
        executor.spin_once(0.02)  # the other timer's waits for the only thread now
    executor.shutdown()
    node.destroy_node()
    assert "Traceback" not in capfd.readouterr().err
