# SPDX-License-Identifier: Apache-2.0
"""examples/behavior_tree.py with a real emotion node, the shipped model and the demo's scene over real DDS."""

import runpy
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("fer_ros.msg", reason="needs ROS 2 and the package's own messages: make setup")
pytest.importorskip("py_trees", reason="the example needs py_trees: requirements/develop.txt")
pytest.importorskip("skimage", reason="the scene shows a photograph that scikit-image ships")

from geometry_msgs.msg import PointStamped
from robot import camera_info
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import String

from fer_ros.media.synthetic_scene import SyntheticScene
from fer_ros.nodes.emotion.node import EmotionNode

EXAMPLE = Path(__file__).parents[2] / "examples" / "behavior_tree.py"
EMPTY = np.zeros((480, 640, 3), np.uint8)
ANSWER = "It is good to see you smile."


@pytest.fixture(scope="module")
def example():
    return runpy.run_path(str(EXAMPLE))


@pytest.fixture(scope="module")
def smile():
    """Return the demo's scene after half a second: one person, who smiles."""
    return SyntheticScene().image(0.5)


@pytest.fixture
def camera(robot, quick_start):
    """Return a camera whose images are processed, and which is calibrated."""
    assert robot.start(EmotionNode, model="mini_xception", backend="opencv", smoothing__hold=0.0).autostart()
    calibration = robot.node.create_publisher(CameraInfo, "camera_info", 1)
    camera = robot.matched_camera()
    robot.wait_until(lambda: calibration.get_subscription_count() > 0, "a subscription to camera_info")
    calibration.publish(camera_info(640, 480))
    return camera


@pytest.fixture
def sentences(robot):
    sentences = []
    robot.node.create_subscription(String, "say", lambda message: sentences.append(message.data), 10)
    return sentences


@pytest.fixture
def targets(robot):
    targets = []
    robot.node.create_subscription(PointStamped, "head_target", targets.append, 10)
    return targets


def test_tree_started_early_looks_and_answers_a_smile_once(robot, example, smile, camera, sentences, targets):
    robot.start(example["BehaviorTree"])
    robot.process(camera, EMPTY)
    assert not sentences
    robot.wait_until(lambda: robot.process(camera, smile) and sentences and targets, "an answer and a target")
    assert targets[-1].header.frame_id == "camera"
    assert 0.2 < targets[-1].point.z < 2.0
    count = len(targets)
    robot.wait_until(lambda: robot.process(camera, smile) and len(targets) > count + 2, "three ticks")
    assert sentences == [ANSWER]


def test_tree_started_late_answers_who_is_there_and_returns(robot, example, smile, camera, sentences):
    robot.wait_until(lambda: robot.process(camera, smile).faces, "a face")
    tree = robot.start(example["BehaviorTree"])
    robot.wait_until(lambda: robot.process(camera, smile) and sentences, "an answer")
    robot.wait_until(lambda: robot.process(camera, EMPTY) and not tree.person.is_present, "the person to leave")
    robot.wait_until(lambda: robot.process(camera, smile) and len(sentences) > 1, "a second answer")


def test_look_at_person_fails_without_person_or_position(robot, example):
    person = example["Person"](robot.node)
    look = example["LookAtPerson"](person, robot.node)
    look.tick_once()
    assert (look.status.name, look.feedback_message) == ("FAILURE", "no person")
    face = example["FaceEmotion"](face_id="f1", emotion="happy")
    face.position.x = float("nan")
    person.add(example["FaceEmotionArray"](faces=[face], dominant_face_id="f1"))
    look.tick_once()
    assert (look.status.name, look.feedback_message) == ("FAILURE", "no position: the camera is not calibrated")
    smiling = example["IsSmiling"](person)
    smiling.tick_once()
    assert smiling.status.name == "SUCCESS"
    person.add(example["FaceEmotionArray"](faces=[example["FaceEmotion"](emotion="sad")]))
    smiling.tick_once()
    assert smiling.status.name == "FAILURE"
