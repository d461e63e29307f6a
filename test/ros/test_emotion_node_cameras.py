"""Several cameras on one emotion node: each has its own topics and people, and none waits for another."""

import numpy as np
import pytest

pytest.importorskip("fer_ros.msg", reason="needs ROS 2 and the package's own messages: make setup")

from rclpy.parameter import Parameter
from robot import image_message

from fer_ros.emotion.classifier import Classifier
from fer_ros.msg import EmotionEvent, FaceEmotionArray
from fer_ros.nodes.common.parameters import ParameterError
from fer_ros.nodes.emotion.node import EmotionNode
from fer_ros.nodes.emotion.parameters import Settings

NAMES = ("left", "right", "back")


@pytest.fixture
def cameras(robot, model, quick_start):
    """Publishers of images for the three cameras of a node that hears them, by name."""
    node = robot.start(EmotionNode, model=str(model), cameras=list(NAMES))
    for name in NAMES:
        robot.node.create_subscription(FaceEmotionArray, f"{name}/emotions", robot.hear, 100)
    assert node.autostart()
    return {name: robot.heard_camera(f"{name}/image") for name in NAMES}


def test_every_camera_has_its_own_people_and_topics(robot, cameras, astronaut):
    events = {name: [] for name in NAMES}
    for name in NAMES:
        robot.node.create_subscription(EmotionEvent, f"{name}/emotion_events", events[name].append, 50)
    nobody = np.zeros_like(astronaut)
    for _ in range(5):
        left = robot.ask(cameras["left"], astronaut, "left")
        back = robot.ask(cameras["back"], np.ascontiguousarray(astronaut[:, ::-1]), "back")
        right = robot.ask(cameras["right"], nobody, "right")
    assert [face.face_id for face in left.faces] == ["f1"] == [face.face_id for face in back.faces]
    assert list(right.faces) == []
    assert (left.header.frame_id, right.header.frame_id, back.header.frame_id) == NAMES
    robot.wait_until(lambda: events["left"] and events["back"], "both to appear")
    assert not events["right"]
    assert {event.header.frame_id for event in events["left"]} == {"left"}


def test_a_camera_that_is_silent_or_broken_holds_up_nobody(robot, cameras, astronaut):
    broken = image_message(astronaut)
    broken.encoding = "rgb9"
    for _ in range(5):
        cameras["right"].publish(broken)
        assert len(robot.ask(cameras["left"], astronaut, "left").faces) == 1
    (complaint,) = robot.wait_until(lambda: robot.logged("cannot read image"), "a complaint")
    assert f"on {robot.namespace}/right/image: " in complaint
    assert len(robot.ask(cameras["right"], astronaut, "right").faces) == 1


def test_images_that_wait_together_are_classified_together(robot, cameras, astronaut, monkeypatch):
    batches = []
    scores = Classifier.scores
    monkeypatch.setattr(Classifier, "scores", lambda self, crops: batches.append(len(crops)) or scores(self, crops))

    def all_at_once():
        batches.clear()
        for camera in cameras.values():
            camera.publish(image_message(astronaut, robot.stamp()))
        robot.wait_until(lambda: sum(batches) == len(cameras), "all to be classified")
        return len(batches) < len(cameras)

    robot.wait_until(all_at_once, "a common batch")


@pytest.mark.parametrize(
    ("names", "word"),
    [(["front", "front"], "no name twice"), (["2nd"], "'2nd'"), (["a/b"], "'a/b'"), ([], "at least one name")],
)
def test_names_that_cannot_serve_are_named(names, word):
    with pytest.raises(ParameterError, match="cameras") as error:
        Settings(cameras=tuple(names))
    assert word in str(error.value)


def test_one_name_is_not_taken_for_a_list(robot):
    with pytest.raises(ParameterError, match="cameras must be a string_array"):
        EmotionNode(parameter_overrides=[Parameter("cameras", value="front")])
