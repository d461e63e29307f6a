# SPDX-License-Identifier: Apache-2.0
"""Several cameras on one emotion node: separate topics and tracks, common batches."""

import numpy as np
import pytest

pytest.importorskip("fer_ros.msg", reason="needs ROS 2 and the package's own messages: make setup")

from rclpy.parameter import Parameter
from robot import camera_info, image_message
from sensor_msgs.msg import CameraInfo

from fer_ros.emotion.classifier import Classifier
from fer_ros.msg import EmotionEvent, FaceEmotionArray
from fer_ros.nodes.common import image_monitor
from fer_ros.nodes.common.parameters import ParameterError
from fer_ros.nodes.emotion.node import EmotionNode
from fer_ros.nodes.emotion.parameters import Settings

NAMES = ("left", "right", "back")


@pytest.fixture
def cameras(robot, model, quick_start):
    """Return image publishers for the three cameras of an emotion node, by name."""
    node = robot.start(EmotionNode, model=str(model), cameras=list(NAMES))
    for name in NAMES:
        robot.node.create_subscription(FaceEmotionArray, f"{name}/emotions", robot.add_result, 100)
    assert node.autostart()
    return {name: robot.matched_camera(f"{name}/image") for name in NAMES}


def test_cameras_have_separate_topics_and_tracks(robot, cameras, astronaut):
    events = {name: [] for name in NAMES}
    for name in NAMES:
        robot.node.create_subscription(EmotionEvent, f"{name}/emotion_events", events[name].append, 50)
    empty = np.zeros_like(astronaut)
    for _ in range(5):
        left = robot.process(cameras["left"], astronaut, "left")
        back = robot.process(cameras["back"], np.ascontiguousarray(astronaut[:, ::-1]), "back")
        right = robot.process(cameras["right"], empty, "right")
    assert [face.face_id for face in left.faces] == ["f1"] == [face.face_id for face in back.faces]
    assert list(right.faces) == []
    assert (left.header.frame_id, right.header.frame_id, back.header.frame_id) == NAMES
    robot.wait_until(lambda: events["left"] and events["back"], "both to appear")
    assert not events["right"]
    assert {event.header.frame_id for event in events["left"]} == {"left"}


def test_broken_camera_does_not_delay_others(robot, cameras, astronaut):
    broken = image_message(astronaut)
    broken.encoding = "rgb9"
    for _ in range(5):
        cameras["right"].publish(broken)
        assert len(robot.process(cameras["left"], astronaut, "left").faces) == 1
    (warning,) = robot.wait_until(lambda: robot.logged("cannot read image"), "a warning")
    assert f"on {robot.namespace}/right/image: " in warning
    assert len(robot.process(cameras["right"], astronaut, "right").faces) == 1


def test_waiting_images_are_classified_in_one_batch(robot, cameras, astronaut, monkeypatch):
    batches = []
    scores = Classifier.scores
    monkeypatch.setattr(Classifier, "scores", lambda self, crops: batches.append(len(crops)) or scores(self, crops))

    def all_at_once():
        batches.clear()
        for camera in cameras.values():
            camera.publish(image_message(astronaut, robot.stamp()))
        robot.wait_until(lambda: sum(batches) == len(cameras), "all to be classified")
        return len(batches) < len(cameras)

    robot.wait_until(all_at_once, "a batch of several images")


def test_cameras_have_topics_and_rotations_of_their_own(robot, model, quick_start, astronaut):
    topics = [f"{robot.namespace}/usb/color/image_raw", "webcam/frames"]
    settings = {"cameras": ["front", "back"], "camera_topics": topics, "rotation": [0, 180]}
    assert robot.start(EmotionNode, model=str(model), **settings).autostart()
    results, upside_down = [], np.ascontiguousarray(astronaut[::-1, ::-1])
    for name in settings["cameras"]:
        robot.node.create_subscription(FaceEmotionArray, f"{name}/emotions", robot.add_result, 100)
    for topic, image in zip(topics, (astronaut, upside_down), strict=True):
        camera = robot.matched_camera(topic)
        info = robot.node.create_publisher(CameraInfo, f"{topic.rpartition('/')[0]}/camera_info", 1)

        def located(camera=camera, info=info, image=image):
            info.publish(camera_info(512, 512))
            (face,) = robot.process(camera, image).faces
            return face if face.position.z > 0 else None

        results.append(robot.wait_until(located, "a face with a position"))
    front, back = results
    assert abs(512 - back.roi.x_offset - back.roi.width - front.roi.x_offset) < 10
    assert abs(512 - back.roi.y_offset - back.roi.height - front.roi.y_offset) < 10
    assert (front.position.y < 0, back.position.y < 0) == (True, False)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"camera_topics": ("/a",)}, "camera_topics has 1 topics for 2 cameras (left, right); give one for each"),
        ({"camera_topics": ("/a", "/a")}, "no topic twice"),
        ({"camera_topics": ("/a", "b c")}, "'b c' is not a topic"),
        ({"rotation": (0, 90, 180)}, "rotation has 3 values for 2 cameras"),
        ({"rotation": (45,)}, "rotation is [45], expected 0, 90, 180, 270 degrees for each"),
    ],
)
def test_contradictory_camera_settings_are_rejected(settings, reason):
    with pytest.raises(ParameterError) as error:
        Settings(cameras=("left", "right"), **settings)
    assert reason in str(error.value)


def test_one_rotation_is_for_all_cameras():
    settings = Settings(cameras=("left", "right"), rotation=(180,), camera_topics=("", "/other"))
    assert [settings.rotation_of(name) for name in settings.cameras] == [180, 180]
    assert [settings.image_topic(name) for name in settings.cameras] == ["left/image", "/other"]


def test_cameras_can_be_exchanged_by_remapping(robot, model, quick_start, astronaut, monkeypatch):
    monkeypatch.setattr(image_monitor, "TIMEOUT", 0.5)
    exchange = ("left/image:=right/image", "right/image:=left/image")
    node = robot.start(EmotionNode, *exchange, model=str(model), cameras=["left", "right"])
    robot.node.create_subscription(FaceEmotionArray, "right/emotions", robot.add_result, 100)
    assert node.autostart()
    camera = robot.matched_camera("left/image")
    assert len(robot.process(camera, astronaut, "left").faces) == 1
    robot.node.create_subscription(FaceEmotionArray, "left/emotions", robot.add_result, 100)
    (line,) = robot.wait_until(lambda: robot.logged("waiting for images"), "the log line")
    assert f"no publisher on {robot.namespace}/right/image;" in line


@pytest.mark.parametrize(
    ("names", "reason"),
    [(["front", "front"], "no name twice"), (["2nd"], "'2nd'"), (["a/b"], "'a/b'"), ([], "at least one name")],
)
def test_invalid_camera_names_are_rejected(names, reason):
    with pytest.raises(ParameterError, match="cameras") as error:
        Settings(cameras=tuple(names))
    assert reason in str(error.value)


def test_camera_name_instead_of_list_is_rejected(robot):
    with pytest.raises(ParameterError, match="cameras must be a string_array"):
        EmotionNode(parameter_overrides=[Parameter("cameras", value="front")])
