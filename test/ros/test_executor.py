# SPDX-License-Identifier: Apache-2.0
"""The executor of the emotion node, beyond what the tests of the node cover."""

import threading
import time
from contextlib import contextmanager

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2: make setup")

import rclpy
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.task import Future
from robot import DEADLINE
from std_msgs.msg import String

from fer_ros.nodes.emotion.executor import ImageExecutor


@contextmanager
def spinning(node, image_group):
    executor = ImageExecutor(image_group)
    executor.add_node(node)
    done = Future()
    thread = threading.Thread(target=executor.spin_until_future_complete, args=(done,))
    thread.start()
    yield
    done.set_result(None)
    thread.join()
    executor.shutdown()


def test_executor_receives_images_while_timers_block(robot, capfd):
    node = rclpy.create_node("receiver")
    image_group, received, blocked = MutuallyExclusiveCallbackGroup(), [], threading.Event()

    def receive(message):
        received.append(message.data)
        if message.data == "bad":
            raise ValueError("error of a callback")

    with spinning(node, image_group):
        for _ in range(2):
            node.create_timer(0.001, blocked.wait, MutuallyExclusiveCallbackGroup())
        subscription = node.create_subscription(String, "data", receive, 10, callback_group=image_group)
        publisher = node.create_publisher(String, "data", 10)
        robot.wait_until(lambda: publisher.get_subscription_count() == 1, "the subscription")
        for data in ("bad", "good"):
            publisher.publish(String(data=data))
        robot.wait_until(lambda: received == ["bad", "good"], "both messages")
        node.destroy_subscription(subscription)
        robot.wait_until(lambda: publisher.get_subscription_count() == 0, "the end of the subscription")
        node.create_subscription(String, "data", receive, 10, callback_group=image_group)
        robot.wait_until(lambda: publisher.get_subscription_count() == 1, "another subscription")
        publisher.publish(String(data="more"))
        robot.wait_until(lambda: received[2:] == ["more"], "the last message")
        blocked.set()
    node.destroy_node()
    assert "error of a callback" in capfd.readouterr().err


@pytest.mark.usefixtures("_ros")
def test_executor_shutdown_with_queued_callbacks_is_silent(capfd):
    node = rclpy.create_node("busy")
    executor = ImageExecutor(MutuallyExclusiveCallbackGroup(), threads=1)
    started = threading.Event()

    def work():
        started.set()
        time.sleep(0.3)

    for _ in range(2):
        node.create_timer(0.01, work, MutuallyExclusiveCallbackGroup())
    executor.add_node(node)
    end = time.monotonic() + DEADLINE
    while not started.is_set():
        assert time.monotonic() < end
        executor.spin_once(0.1)
    for _ in range(3):
        executor.spin_once(0.02)  # the callback of the other timer now waits for the only thread
    executor.shutdown()
    node.destroy_node()
    assert "Traceback" not in capfd.readouterr().err


def test_executor_outlives_errors_of_waiting(robot, monkeypatch, capfd):
    node = rclpy.create_node("receiver")
    image_group, received, wait = MutuallyExclusiveCallbackGroup(), [], ImageExecutor._wait
    failures = iter([MemoryError("of this test")])

    def wait_or_fail(executor):
        for error in failures:
            raise error
        return wait(executor)

    monkeypatch.setattr(ImageExecutor, "_wait", wait_or_fail)
    with spinning(node, image_group):
        node.create_subscription(String, "data", received.append, 10, callback_group=image_group)
        publisher = node.create_publisher(String, "data", 10)
        robot.wait_until(lambda: publisher.publish(String()) or received, "a message")
    node.destroy_node()
    assert "unhandled error while waiting for images" in capfd.readouterr().err
