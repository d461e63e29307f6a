"""The executor of the emotion node, where the node's own tests do not reach."""

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
def spinning(node, swift):
    executor = ImageExecutor(swift)
    executor.add_node(node)
    done = Future()
    thread = threading.Thread(target=executor.spin_until_future_complete, args=(done,))
    thread.start()
    yield
    done.set_result(None)
    thread.join()
    executor.shutdown()


def test_swift_subscriptions_come_and_go_while_the_others_are_busy(robot, capfd):
    node = rclpy.create_node("listening")
    swift, heard, busy = MutuallyExclusiveCallbackGroup(), [], threading.Event()

    def hear(message):
        heard.append(message.data)
        if message.data == "nonsense":
            raise ValueError("cannot be heard")

    with spinning(node, swift):
        for _ in range(2):
            node.create_timer(0.001, busy.wait, MutuallyExclusiveCallbackGroup())
        subscription = node.create_subscription(String, "words", hear, 10, callback_group=swift)
        publisher = node.create_publisher(String, "words", 10)
        robot.wait_until(lambda: publisher.get_subscription_count() == 1, "the subscription")
        for word in ("nonsense", "sense"):
            publisher.publish(String(data=word))
        robot.wait_until(lambda: heard == ["nonsense", "sense"], "both words")
        node.destroy_subscription(subscription)
        robot.wait_until(lambda: publisher.get_subscription_count() == 0, "the end of the subscription")
        node.create_subscription(String, "words", hear, 10, callback_group=swift)
        robot.wait_until(lambda: publisher.get_subscription_count() == 1, "another subscription")
        publisher.publish(String(data="more"))
        robot.wait_until(lambda: heard[2:] == ["more"], "one word more")
        busy.set()
    node.destroy_node()
    assert "cannot be heard" in capfd.readouterr().err


@pytest.mark.usefixtures("_ros")
def test_what_has_yet_to_begin_at_the_end_is_done_without_a_word(capfd):
    node = rclpy.create_node("busy")
    executor = ImageExecutor(MutuallyExclusiveCallbackGroup(), threads=1)
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
