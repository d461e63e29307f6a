# SPDX-License-Identifier: Apache-2.0
"""examples/greeter.py with a real emotion node over real DDS."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("fer_ros.msg", reason="needs ROS 2 and the package's own messages: make setup")

from robot import untrained_model
from running import running
from std_msgs.msg import String

from fer_ros.msg import EmotionEvent
from fer_ros.nodes.emotion.node import EmotionNode
from fer_ros.srv import LoadModel

GREETER = Path(__file__).parents[2] / "examples" / "greeter.py"
EMPTY_IMAGE = np.zeros((512, 512, 3), np.uint8)


def test_greeter_greets_comments_and_says_goodbye(robot, model, quick_start, tmp_path, astronaut):
    sentences = []
    robot.node.create_subscription(String, "say", lambda message: sentences.append(message.data), 10)
    robot.start(runpy.run_path(str(GREETER))["Greeter"])
    node = robot.start(EmotionNode, model=str(model), models__any_folder=True, smoothing__hold=0.0)
    assert node.autostart()
    camera = robot.matched_camera()
    robot.wait_until(lambda: node.count_subscribers(f"{robot.namespace}/emotion_events"), "the greeter's subscription")

    def expect(image, sentence):
        robot.wait_until(lambda: robot.process(camera, image) and sentence in sentences, f"'{sentence}' in {sentences}")

    expect(astronaut, "Hello, f1! It is good to see you smile.")
    sad = untrained_model(tmp_path / "sad.pt", emotion="sad")
    assert robot.call(LoadModel, "emotion_node/load_model", model=str(sad)).success
    expect(astronaut, "You look sad. Can I help?")
    expect(EMPTY_IMAGE, "Goodbye, f1.")
    assert len(sentences) == 3


def test_greeter_greets_again_who_comes_back(robot, model, quick_start, astronaut):
    sentences = []
    robot.node.create_subscription(String, "say", lambda message: sentences.append(message.data), 10)
    robot.start(runpy.run_path(str(GREETER))["Greeter"])
    node = robot.start(EmotionNode, model=str(model), tracking__keep_for=10.0)
    assert node.autostart()
    camera = robot.matched_camera()
    for image, count in ((astronaut, 1), (EMPTY_IMAGE, 2), (astronaut, 3)):
        robot.wait_until(
            lambda image=image, count=count: robot.process(camera, image) and len(sentences) == count,
            f"sentence {count}",
        )
    assert [sentence.split("!")[0] for sentence in sentences] == ["Hello, f1", "Goodbye, f1.", "Hello, f1"]


def test_greeter_started_late_greets_who_is_there(robot, model, quick_start, astronaut):
    sentences, events = [], []
    robot.node.create_subscription(String, "say", lambda message: sentences.append(message.data), 10)
    robot.node.create_subscription(EmotionEvent, "emotion_events", events.append, 50)
    assert robot.start(EmotionNode, model=str(model)).autostart()
    camera = robot.matched_camera()
    robot.wait_until(lambda: robot.process(camera, astronaut) and events, "the face to appear")
    # In a process of its own, whose discovery takes its time.
    with running([sys.executable, GREETER, "--ros-args", "-r", f"__ns:={robot.namespace}"]):
        robot.wait_until(lambda: robot.process(camera, astronaut) and sentences, "a greeting")
        robot.wait_until(lambda: robot.process(camera, EMPTY_IMAGE) and len(sentences) > 1, "a goodbye")
    assert sentences == ["Hello, f1! It is good to see you smile.", "Goodbye, f1."]
