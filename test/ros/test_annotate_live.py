# SPDX-License-Identifier: Apache-2.0
"""fer-annotate on a recording gives what emotion_node publishes for the same images, bit for bit."""

import pytest

pytest.importorskip("fer_ros.msg", reason="needs ROS 2 and the package's own messages: make setup")
pytest.importorskip("rosbags", reason="needs the package rosbags")

import csv
import json

import cv2
import numpy as np
from builtin_interfaces.msg import Duration, Time
from rclpy.serialization import serialize_message
from recordings import read_bag, write_bag
from robot import image_message, jpeg_message
from sensor_msgs.msg import CompressedImage, Image

import fer_ros
from fer_ros.cli.annotate import main as annotate
from fer_ros.cli.detect import main as detect
from fer_ros.media.bag_writer import message_types
from fer_ros.media.synthetic_scene import SyntheticScene
from fer_ros.msg import EmotionEvent
from fer_ros.nodes.emotion.node import EmotionNode

START = 1_700_000_000_123_456_789
ARRAY, EVENT = "fer_ros/msg/FaceEmotionArray", "fer_ros/msg/EmotionEvent"


@pytest.fixture(scope="module")
def images() -> list[tuple[int, np.ndarray]]:
    """Return stamps and images of the synthetic scene: a second person enters, the first is surprised."""
    scene = SyntheticScene(320, 240)
    times = np.arange(3.2, 6.2, 0.1)
    return [(START + round(time * 1e9), scene.image(time)) for time in times]


@pytest.mark.parametrize("compressed", [False, True])
def test_live_messages_equal_those_of_the_annotated_bag(robot, quick_start, images, tmp_path, compressed):
    bag = write_bag(tmp_path / "bag", images, "mcap" if compressed else "sqlite3", compressed=compressed)
    assert annotate([str(bag), "--bag", "--backend", "opencv", "--output", str(tmp_path / "out")]) == 0
    types = message_types()

    def readable(kind, content):
        return types.deserialize_cdr(content, kind)

    added: dict[str, list] = {"/emotions": [], "/emotion_events": []}
    for topic, kind, _, content in read_bag(tmp_path / "out" / "bag_emotions"):
        if topic in added:
            added[topic].append(readable(kind, content))

    events: list[EmotionEvent] = []
    robot.node.create_subscription(EmotionEvent, "emotion_events", events.append, 100)
    transport = {"image_transport": "compressed"} if compressed else {}
    node = robot.start(EmotionNode, model="mini_xception", backend="opencv", **transport)
    assert node.autostart()
    topic, kind = ("image/compressed", CompressedImage) if compressed else ("image", Image)
    camera = robot.matched_camera(topic, kind)
    live = []
    for stamp, image in images:  # the next one only after the result, so that the node skips none
        message = jpeg_message(image) if compressed else image_message(image)
        message.header.stamp = Time(sec=stamp // 10**9, nanosec=stamp % 10**9)
        live.append(robot.process(camera, message))
    robot.wait_until(lambda: len(events) >= len(added["/emotion_events"]), "the events")

    for message in live:
        message.processing_time = Duration()
    faces = sum(len(message.faces) for message in live)
    assert faces > 45
    for message, expected in zip(live, added["/emotions"], strict=True):
        assert_same(readable(ARRAY, serialize_message(message)), expected)
    assert {event.current for event in events} >= {"happy", "surprise"}
    for event, expected in zip(events, added["/emotion_events"], strict=True):
        assert_same(readable(EVENT, serialize_message(event)), expected)


def test_still_image_has_one_answer_however_it_comes(robot, quick_start, astronaut, tmp_path):
    """Library, fer-annotate, fer-detect, and a node that scans every image in full."""
    (expected,) = fer_ros.EmotionRecognizer(backend="opencv").recognize(astronaut)
    box = (expected.box.x, expected.box.y, expected.box.width, expected.box.height)

    cv2.imwrite(str(tmp_path / "still.png"), astronaut)
    for command, options in ((annotate, ["--backend", "opencv"]), (detect, [])):
        assert command([str(tmp_path / "still.png"), "--output", str(tmp_path / command.__module__), *options]) == 0
    row = json.loads((tmp_path / annotate.__module__ / "emotions.jsonl").read_text())
    assert tuple(row["box"]) == box
    assert list(row["scores"].values()) == expected.scores.tolist()
    with open(tmp_path / detect.__module__ / "boxes.csv", newline="") as file:
        (found,) = csv.DictReader(file)
    assert tuple(int(found[name]) for name in ("x", "y", "width", "height")) == box

    node = robot.start(EmotionNode, model="mini_xception", backend="opencv", tracking__enabled=False)
    assert node.autostart()
    camera = robot.matched_camera()
    for _ in range(4):
        result = robot.process(camera, astronaut)
    (face,) = result.faces
    assert (face.roi.x_offset, face.roi.y_offset, face.roi.width, face.roi.height) == box
    assert list(face.scores) == expected.scores.tolist()
    assert face.emotion == expected.emotion == row["emotion"]
    assert face.confidence == pytest.approx(expected.confidence, abs=1e-6)  # an average of equal scores


def assert_same(message, expected):
    """Compare all fields exactly; NaN equals NaN."""
    assert type(message).__name__ == type(expected).__name__
    for name in message.__dataclass_fields__:
        value, other = getattr(message, name), getattr(expected, name)
        if hasattr(value, "__dataclass_fields__"):
            assert_same(value, other)
        elif isinstance(value, list):
            assert len(value) == len(other)
            for one, two in zip(value, other, strict=True):
                assert_same(one, two) if hasattr(one, "__dataclass_fields__") else assert_equal(one, two, name)
        else:
            assert_equal(value, other, name)


def assert_equal(value, other, name):
    np.testing.assert_array_equal(value, other, err_msg=name)
