# SPDX-License-Identifier: Apache-2.0
"""The tutorial for a robot: what its commands ask of a running node works, and what they show has the fields of today.

`ros2` itself has no wheels; test/launch runs launch files where it is installed. test_greeter.py runs the last step.
"""

import re
import shlex
from pathlib import Path

import pytest

pytest.importorskip("fer_ros.msg", reason="needs ROS 2 and the package's own messages: make setup")

import yaml
from rclpy.parameter import Parameter
from std_srvs.srv import Trigger

from fer_ros.msg import EmotionEvent, FaceEmotion, FaceEmotionArray
from fer_ros.nodes.emotion.node import EmotionNode

PAGE = (Path(__file__).parents[2] / "docs/tutorial/robot.md").read_text()
TOPICS = {"/emotions": FaceEmotionArray, "/emotion_events": EmotionEvent}


def commands(*beginning):
    """Return the remaining words of the page's commands that begin so."""
    lines = [shlex.split(line, comments=True) for line in PAGE.splitlines() if line.startswith("ros2 ")]
    return [words[len(beginning) :] for words in lines if words[: len(beginning)] == list(beginning)]


def test_robot_tutorial_commands_work_on_a_running_node(robot, quick_start, astronaut):
    node = robot.start(EmotionNode, model="mini_xception", backend="opencv")
    assert node.autostart()
    camera = robot.matched_camera()
    events = []
    robot.node.create_subscription(EmotionEvent, "emotion_events", events.append, 10)
    robot.wait_until(lambda: robot.process(camera, astronaut).faces and events, "a face and its event")
    [(_, parameter, value)] = commands("ros2", "param", "set")
    [result] = node.set_parameters([Parameter(parameter, value=yaml.safe_load(value))])
    assert result.successful
    [(service, kind)] = commands("ros2", "service", "call")
    assert kind == "std_srvs/srv/Trigger"
    response = robot.call(Trigger, service.lstrip("/"))
    assert f"success={response.success}, message='{response.message}'" in PAGE
    robot.wait_until(lambda: events[-1].kind == EmotionEvent.LOST, "the face to be LOST")


def test_robot_tutorial_shows_the_fields_of_the_messages():
    topics = [words[-1] for words in commands("ros2", "topic", "echo")]
    shown = re.findall(r"```yaml\n(.*?)---\n```", PAGE, re.DOTALL)
    assert len(topics) == len(shown) == 2
    for topic, text in zip(topics, shown, strict=True):
        message = yaml.safe_load(text.replace("  ...\n", ""))
        assert list(message) == list(TOPICS[topic].get_fields_and_field_types())
        for face in message.get("faces", []):
            assert face.keys() <= FaceEmotion.get_fields_and_field_types().keys()
