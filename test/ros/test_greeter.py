# SPDX-License-Identifier: Apache-2.0
"""examples/greeter.py with a real emotion node over real DDS."""

import runpy
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("fer_ros.msg", reason="needs ROS 2 and the package's own messages: make setup")

from robot import untrained_model
from std_msgs.msg import String

from fer_ros.nodes.emotion.node import EmotionNode
from fer_ros.srv import LoadModel

GREETER = Path(__file__).parents[2] / "examples" / "greeter.py"
EMPTY_IMAGE = np.zeros((512, 512, 3), np.uint8)


def test_greeter_greets_comments_and_says_goodbye(robot, model, quick_start, tmp_path, astronaut):
    sentences = []
    robot.node.create_subscription(String, "say", lambda message: sentences.append(message.data), 10)
    robot.start(runpy.run_path(str(GREETER))["Greeter"])
    node = robot.start(EmotionNode, model=str(model), smoothing__hold=0.0)
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
