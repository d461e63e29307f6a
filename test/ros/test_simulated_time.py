# SPDX-License-Identifier: Apache-2.0
"""Simulated time: recordings that are played with /clock, and nodes that wait for it."""

import numpy as np
import pytest

pytest.importorskip("fer_ros.msg", reason="needs ROS 2 and the package's own messages: make setup")

import cv2
from builtin_interfaces.msg import Time
from robot import image_message
from rosgraph_msgs.msg import Clock

from fer_ros.msg import EmotionEvent
from fer_ros.nodes.common import image_clock
from fer_ros.nodes.emotion.node import EmotionNode
from fer_ros.nodes.recorder.node import EmotionRecorderNode
from fer_ros.nodes.trainer.node import TrainerNode
from fer_ros.nodes.video_publisher.node import VideoPublisherNode

RATE = 5
"""Images per second of the recording."""
BEGIN = 1_600_000_000
"""Seconds since 1970 of its first image."""


@pytest.fixture
def node(robot, model, quick_start):
    """Return an emotion node in simulated time, and collect its events."""
    robot.events = []
    robot.node.create_subscription(EmotionEvent, "emotion_events", robot.events.append, 50)
    node = robot.start(EmotionNode, model=str(model), use_sim_time=True)
    assert node.autostart()
    return node


def play(robot, images) -> None:
    """Publish `images` as `ros2 bag play --clock` does, each as soon as the one before is processed."""
    clock = robot.node.create_publisher(Clock, "/clock", 10)
    camera = robot.matched_camera()
    for number, image in enumerate(images):
        nanoseconds = number * 1_000_000_000 // RATE
        stamp = Time(sec=BEGIN + nanoseconds // 1_000_000_000, nanosec=nanoseconds % 1_000_000_000)
        clock.publish(Clock(clock=stamp))
        robot.process(camera, image_message(image, stamp))


def test_recording_is_processed_in_its_own_time(robot, node, astronaut, tmp_path, capsys):
    recorder = robot.start(EmotionRecorderNode, output=str(tmp_path), use_sim_time=True)
    robot.wait_until(lambda: node.count_subscribers(f"{robot.namespace}/emotions") == 2, "the recorder")
    play(robot, [astronaut] * 5 + [np.zeros_like(astronaut)] * 10)
    lost = robot.wait_until(lambda: [e for e in robot.events if e.kind == EmotionEvent.LOST], "the face to be LOST")[0]
    assert [e.kind for e in robot.events] == [EmotionEvent.APPEARED, EmotionEvent.LOST]
    assert lost.header.stamp.sec == BEGIN + 1  # seen until 0.8 s, LOST one second later
    robot.wait_until(lambda: recorder._report.results >= 15 and not recorder._synchronizer.waiting, "every result")
    robot.close(recorder)
    assert "latency" in capsys.readouterr().out
    rate = cv2.VideoCapture(str(tmp_path / "annotated.mp4")).get(cv2.CAP_PROP_FPS)
    assert rate == pytest.approx(RATE, abs=0.1)


def test_looped_recording_starts_over(robot, node, astronaut):
    for _ in range(2):
        robot.results.clear()
        play(robot, [astronaut] * 8)
    kinds = [e.kind for e in robot.events]
    assert kinds == [EmotionEvent.APPEARED, EmotionEvent.LOST, EmotionEvent.APPEARED]
    assert [e.face_id for e in robot.events] == ["f1", "f1", "f2"]


@pytest.mark.parametrize(
    ("create", "parameters"),
    [
        (EmotionNode, {}),
        (EmotionRecorderNode, {"output": "recording"}),
        (VideoPublisherNode, {"source": "scene"}),
        (TrainerNode, {"output": "runs"}),
    ],
)
def test_missing_clock_is_logged_once(robot, create, parameters, tmp_path, monkeypatch):
    monkeypatch.setattr(image_clock, "_CLOCK_TIMEOUT", 0.2)
    monkeypatch.chdir(tmp_path)
    robot.start(create, use_sim_time=True, **parameters)
    (line,) = robot.wait_until(lambda: robot.logged("/clock"), "a warning")
    assert line.startswith("use_sim_time is true, but no time arrives on /clock")
