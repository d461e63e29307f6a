"""The greeter of examples/ on real DDS: what it says to people whom a real emotion node sees."""

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
NOBODY = np.zeros((512, 512, 3), np.uint8)


def test_it_greets_comments_and_says_goodbye(robot, model, quick_start, tmp_path, astronaut):
    said = []
    robot.node.create_subscription(String, "say", lambda words: said.append(words.data), 10)
    robot.start(runpy.run_path(str(GREETER))["Greeter"])
    node = robot.start(EmotionNode, model=str(model), smoothing__hold=0.0)
    assert node.autostart()
    camera = robot.heard_camera()
    robot.wait_until(lambda: node.count_subscribers(f"{robot.namespace}/emotion_events"), "the greeter to listen")

    def says(picture, words):
        robot.wait_until(lambda: robot.ask(camera, picture) and words in said, f"'{words}', beside {said}")

    says(astronaut, "Hello, f1! It is good to see you smile.")
    sad = untrained_model(tmp_path / "sad.pt", answer="sad")
    assert robot.call(LoadModel, "emotion_node/load_model", model=str(sad)).success
    says(astronaut, "You look sad. Can I help?")
    says(NOBODY, "Goodbye, f1.")
    assert len(said) == 3
