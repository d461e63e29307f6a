# SPDX-License-Identifier: Apache-2.0
"""video_publisher_node: headers, rate and calibration as of a camera, its end, repetition and errors."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2: make setup")

from rclpy.qos import QoSReliabilityPolicy, qos_profile_sensor_data
from robot import DEADLINE
from sensor_msgs.msg import CameraInfo, Image

from fer_ros.media.sources import SourceError
from fer_ros.nodes.video_publisher import node
from fer_ros.nodes.video_publisher.node import VideoPublisherNode

FRAMES = 12


@pytest.fixture
def folder(tmp_path) -> Path:
    """Images whose brightness is ten times their number."""
    for number in range(FRAMES):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((30, 40, 3), 10 * number, np.uint8))
    return tmp_path


@pytest.fixture
def received(robot) -> dict[str, list]:
    """Messages of the publisher by topic."""
    messages = {"image": [], "camera_info": []}
    for topic, message_type in (("image", Image), ("camera_info", CameraInfo)):
        robot.node.create_subscription(message_type, topic, messages[topic].append, qos_profile_sensor_data)
    return messages


def start(robot, source, **parameters) -> VideoPublisherNode:
    return robot.start(VideoPublisherNode, source=str(source), wait_for_subscribers=1, **parameters)


def numbers(images: list[Image]) -> list[int]:
    return [round(image.data[0] / 10) for image in images]


def seconds(message) -> float:
    return message.header.stamp.sec + message.header.stamp.nanosec * 1e-9


def test_publisher_sends_every_image_once_with_header(robot, folder, received):
    began = robot.node.get_clock().now().nanoseconds * 1e-9
    node = start(robot, folder, rate=25.0, frame_id="eye")
    robot.wait_until(node.finished.done, "the end of the images")
    assert node.finished.result() == 0
    robot.wait_until(lambda: all(len(messages) == FRAMES for messages in received.values()), "every image")
    images, infos = received["image"], received["camera_info"]
    assert numbers(images) == list(range(FRAMES))
    assert [image.header for image in images] == [info.header for info in infos]
    assert {(image.encoding, image.width, image.height, image.step, image.header.frame_id) for image in images} == {
        ("bgr8", 40, 30, 120, "eye")
    }
    stamps = [seconds(image) for image in images]
    assert stamps == sorted(set(stamps))
    assert began < stamps[0]
    # Late images do not delay later ones, so the average holds on a busy machine too.
    assert (stamps[-1] - stamps[0]) / (FRAMES - 1) == pytest.approx(1 / 25, rel=0.5)


def test_publisher_says_that_it_waits_for_subscribers(robot, folder, received, monkeypatch):
    monkeypatch.setattr(node, "_WAIT_LOGGED_AFTER", 0.2)
    robot.start(VideoPublisherNode, source=str(folder), wait_for_subscribers=2)
    robot.wait_until(lambda: robot.logged(f"waiting for subscribers of {robot.namespace}/image: 1 of 2."), "a line")
    robot.node.create_subscription(Image, "image", lambda image: None, qos_profile_sensor_data)
    robot.wait_until(lambda: received["image"], "the images")


def test_calibration_is_published_beside_the_images(robot, folder):
    robot.start(VideoPublisherNode, "image:=eye/image_raw", source=str(folder), loop=True)
    infos = []
    robot.node.create_subscription(CameraInfo, "eye/camera_info", infos.append, qos_profile_sensor_data)
    robot.wait_until(lambda: infos, "a calibration")


def test_publisher_is_best_effort(robot, folder):
    node = robot.start(VideoPublisherNode, source=str(folder), loop=True)
    for topic in ("image", "camera_info"):
        (publisher,) = robot.wait_until(
            lambda topic=topic: robot.node.get_publishers_info_by_topic(node.resolve_topic_name(topic)), topic
        )
        assert publisher.qos_profile.reliability == QoSReliabilityPolicy.BEST_EFFORT


def test_loop_restarts_the_source(robot, folder, received):
    node = start(robot, folder, rate=200.0, loop=True)
    robot.wait_until(lambda: len(received["image"]) > 2 * FRAMES, "the third round")
    assert not node.finished.done()
    first_rounds = numbers(received["image"])[: 2 * FRAMES]
    assert set(first_rounds) == set(range(FRAMES))


def test_field_of_view_gives_calibration(robot, folder, received):
    start(robot, folder / "3.png")
    robot.wait_until(lambda: received["camera_info"], "calibration")
    assert not any(received["camera_info"][0].k)
    received["camera_info"].clear()
    start(robot, folder / "3.png", horizontal_fov=np.pi / 2, width=80)
    robot.wait_until(lambda: received["camera_info"], "calibration")
    info = received["camera_info"][0]
    assert (info.width, info.height, info.distortion_model) == (80, 60, "plumb_bob")
    assert list(info.k) == pytest.approx([40, 0, 39.5, 0, 40, 29.5, 0, 0, 1])
    assert list(info.p) == pytest.approx([40, 0, 39.5, 0, 0, 40, 29.5, 0, 0, 0, 1, 0])


def test_scene_is_calibrated_and_scaled(robot, received):
    pytest.importorskip("skimage", reason="the scene shows a photograph that scikit-image ships")
    start(robot, "scene", width=160, height=120)
    robot.wait_until(lambda: received["image"] and received["camera_info"], "the scene")
    assert (received["image"][0].width, received["image"][0].height) == (160, 120)
    assert received["camera_info"][0].k[0] > 0


def test_progress_of_long_source_is_logged(robot, folder, received, monkeypatch):
    monkeypatch.setattr(node, "_PROGRESS_PERIOD", 0.0)
    start(robot, folder, rate=50.0)
    robot.wait_until(lambda: robot.logged(f"6 of {FRAMES} images, 50%"), "progress")


def test_unreadable_image_is_named_and_skipped(robot, folder, received):
    (folder / "1.png").write_text("no image")
    start(robot, folder, rate=50.0)
    robot.wait_until(lambda: len(received["image"]) == FRAMES - 1, "the others")
    assert numbers(received["image"]) == [0, *range(2, FRAMES)]
    robot.wait_until(lambda: robot.logged("1.png: not a readable image"), "a warning with its name")


def test_integer_source_is_a_webcam(robot):
    with pytest.raises(SourceError, match="no webcam 987"):
        robot.start(VideoPublisherNode, source=987)


@pytest.mark.parametrize(("source", "reason"), [("none.mp4", "no file or folder"), ("notes.png", "no image that")])
def test_bad_source_is_one_fatal_line(tmp_path, source, reason):
    (tmp_path / "notes.png").write_text("no image")
    command = [sys.executable, "-m", "fer_ros.nodes.video_publisher.node", "--ros-args"]
    ended = subprocess.run(
        [*command, "-p", f"source:={tmp_path / source}"], capture_output=True, text=True, timeout=2 * DEADLINE
    )
    assert ended.returncode == 1
    fatal = [line for line in ended.stderr.splitlines() if "[FATAL]" in line]
    assert len(fatal) == 1
    assert reason in fatal[0]
    assert str(tmp_path / source) in fatal[0]
    assert "Traceback" not in ended.stderr
