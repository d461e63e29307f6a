# SPDX-License-Identifier: Apache-2.0
"""emotion_recorder_node: results in the table, drawn on their own images, and complete files."""

import csv
import itertools
import re
import signal
import sys
import time
from array import array
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("fer_ros.msg", reason="needs ROS 2 and the package's own messages: make setup")

from builtin_interfaces.msg import Time
from rclpy.qos import qos_profile_sensor_data
from robot import DEADLINE, image_message, jpeg_message
from running import running
from sensor_msgs.msg import CompressedImage, Image, RegionOfInterest

from fer_ros.msg import FaceEmotion, FaceEmotionArray
from fer_ros.nodes.common import image_monitor
from fer_ros.nodes.recorder import node as recorder
from fer_ros.nodes.recorder.node import EmotionRecorderNode, NoEmotionsError
from fer_ros.recording.files import RecordingError

LABELS = ["happy", "sad", "neutral"]


def face(face_id: str) -> FaceEmotion:
    return FaceEmotion(
        face_id=face_id,
        roi=RegionOfInterest(x_offset=20, y_offset=10, width=40, height=40),
        emotion="happy",
        confidence=0.75,
        scores=array("f", [0.5, 0.25, 0.25]),
        smoothed_scores=array("f", [0.75, 0.25, 0.0]),
    )


def results(header, *ids: str) -> FaceEmotionArray:
    return FaceEmotionArray(header=header, labels=LABELS, faces=[face(face_id) for face_id in ids])


def gray_image(level: int) -> np.ndarray:
    return np.full((120, 160, 3), level, np.uint8)


def rows(folder: Path) -> list[dict[str, str]]:
    if not (folder / "emotions.csv").exists():
        return []
    with open(folder / "emotions.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def frames(folder: Path) -> list[np.ndarray]:
    video = cv2.VideoCapture(str(folder / "annotated.mp4"))
    return list(itertools.takewhile(lambda frame: frame is not None, (video.read()[1] for _ in itertools.count())))


@pytest.fixture
def node_and_camera(robot):
    """Return publishers of images and of results, connected to the recorder."""

    def connect(message_type=Image, topic: str = "image"):
        emotions = robot.node.create_publisher(FaceEmotionArray, "emotions", 10)
        robot.wait_until(emotions.get_subscription_count, "a subscription to emotions", 2 * DEADLINE)
        return robot.camera(topic, message_type, qos_profile_sensor_data), emotions

    return connect


def wait_for_images(robot, node, camera, image) -> None:
    """Publish `image` until one arrives: a publisher discovers a subscription before it is discovered itself."""

    def arrived() -> bool:
        camera.publish(image)
        return node._images > 0

    robot.wait_until(arrived, "an image")


def wait_for_pairs(robot, node, count: int) -> None:
    """Wait until `count` results and their images have arrived."""
    robot.wait_until(lambda: node._report.results == count and not node._synchronizer.waiting, "results and images")


def test_recorder_draws_results_on_their_own_images(robot, node_and_camera, tmp_path, capsys):
    node = robot.start(EmotionRecorderNode, output=str(tmp_path))
    camera, emotions = node_and_camera()
    wait_for_images(robot, node, camera, image_message(gray_image(255)))
    stamps = []
    now = int(time.time())
    for number in range(5):
        image = image_message(gray_image(40 * number), Time(sec=now, nanosec=number * 100_000_000))
        stamps.append(f"{image.header.stamp.sec}.{image.header.stamp.nanosec:09d}")
        camera.publish(image)
        emotions.publish(results(image.header, *("a", "b")[: number % 3]))
        wait_for_pairs(robot, node, number + 1)
    robot.wait_until(lambda: len(rows(tmp_path)) == 4, "every row, before the recorder ends")
    robot.close(node)
    recorded = rows(tmp_path)
    assert list(recorded[0]) == ["stamp", "face_id", "x", "y", "width", "height", "label", *LABELS]
    assert [(row["stamp"], row["face_id"]) for row in recorded] == [
        (stamps[1], "a"),
        (stamps[2], "a"),
        (stamps[2], "b"),
        (stamps[4], "a"),
    ]
    assert list(recorded[0].values())[2:] == ["20", "10", "40", "40", "happy", "0.750000", "0.250000", "0.000000"]
    shown = [int(frame[-4:, -4:].mean()) for frame in frames(tmp_path)]
    assert np.abs(np.array(shown) - [0, 40, 80, 120, 160]).max() < 8
    best = cv2.imread(str(tmp_path / "annotated.png"))
    assert best.shape == (120, 160, 3)
    assert best[-1, -1, 0] == 80
    assert np.ptp(best) > 100
    output = capsys.readouterr().out
    assert f"5 of {node._images} images processed" in output
    latency = re.search(r"latency (-?\d+) ms \(median\)", output)
    assert -1000 < int(latency[1]) < 1000 * DEADLINE


def test_recorder_counts_time_by_arrival_without_stamps(robot, node_and_camera, tmp_path, capsys):
    node = robot.start(EmotionRecorderNode, output=str(tmp_path))
    camera, emotions = node_and_camera()
    wait_for_images(robot, node, camera, image_message(gray_image(255)))
    began = time.monotonic()
    for number in range(8):
        robot.wait_until(lambda number=number: time.monotonic() >= began + 0.05 * number, "the next image")
        camera.publish(image_message(gray_image(20 * number)))
        emotions.publish(results(image_message(gray_image(0)).header, "a"))
        wait_for_pairs(robot, node, number + 1)
    period = (time.monotonic() - began) / 7
    robot.close(node)
    seconds = [float(row["stamp"]) for row in rows(tmp_path)]
    assert seconds == sorted(set(seconds))
    assert seconds[-1] - seconds[0] == pytest.approx(7 * period, abs=0.5)
    rate = cv2.VideoCapture(str(tmp_path / "annotated.mp4")).get(cv2.CAP_PROP_FPS)
    assert rate == pytest.approx(1 / period, rel=0.6)
    assert "latency" not in capsys.readouterr().out
    (line,) = robot.wait_until(lambda: robot.logged("have no stamp"), "a warning")
    assert f"images on {robot.namespace}/image have no stamp" in line


def test_recorder_says_why_a_latency_is_unknown(robot, node_and_camera, tmp_path, capsys):
    node = robot.start(EmotionRecorderNode, output=str(tmp_path))
    _, emotions = node_and_camera()
    for number in range(2):  # of a recording: its stamps are of another time
        emotions.publish(results(image_message(gray_image(0), robot.stamp()).header, "a"))
        robot.wait_until(lambda number=number: node._report.results > number, "the result")
    robot.close(node)
    (line,) = robot.wait_until(lambda: robot.logged("latency unknown"), "a warning")
    assert "use_sim_time" in line
    assert "latency" not in capsys.readouterr().out


def test_recorder_keeps_result_without_image_in_table(robot, node_and_camera, tmp_path, monkeypatch):
    monkeypatch.setattr(image_monitor, "TIMEOUT", 0.0)
    node = robot.start(EmotionRecorderNode, output=str(tmp_path))
    _, emotions = node_and_camera()
    emotions.publish(results(image_message(gray_image(0), robot.stamp()).header, "a"))
    robot.wait_until(lambda: len(rows(tmp_path)) == 1, "the row")
    robot.close(node)
    assert [path.name for path in tmp_path.iterdir()] == ["emotions.csv"]
    robot.wait_until(lambda: robot.logged("its image has not arrived"), "a warning")


def test_recorder_takes_compressed_and_reports_broken_images(robot, node_and_camera, tmp_path):
    node = robot.start(EmotionRecorderNode, output=str(tmp_path), image_transport="compressed")
    camera, emotions = node_and_camera(CompressedImage, "image/compressed")
    wait_for_images(robot, node, camera, jpeg_message(gray_image(255)))
    for data in (None, array("B", b"no image")):
        image = jpeg_message(gray_image(100))
        image.header.stamp = robot.stamp()
        image.data = data or image.data
        camera.publish(image)
        emotions.publish(results(image.header, "a"))
    robot.wait_until(lambda: robot.logged("not in annotated.mp4"), "a warning about the broken image")
    wait_for_pairs(robot, node, 2)
    robot.close(node)
    assert len(frames(tmp_path)) == 1
    assert len(rows(tmp_path)) == 2


def test_recorder_ends_after_duration_or_timeout(robot, node_and_camera, tmp_path):
    idle = robot.start(EmotionRecorderNode, output=str(tmp_path / "a"), timeout=0.2)
    robot.wait_until(idle.finished.done, "the timeout")
    with pytest.raises(NoEmotionsError, match=r"no emotions arrived on .*/emotions"):
        idle.close()
    node = robot.start(EmotionRecorderNode, output=str(tmp_path / "b"), duration=0.5, timeout=DEADLINE)
    _, emotions = node_and_camera()
    emotions.publish(results(image_message(gray_image(0), robot.stamp()).header))
    robot.wait_until(node.finished.done, "the end of the duration")
    robot.close(node)
    assert node.finished.result() == 0


def test_recorder_says_what_it_waits_for(robot, node_and_camera, tmp_path, monkeypatch):
    monkeypatch.setattr(image_monitor, "TIMEOUT", 0.2)
    monkeypatch.setattr(recorder, "_LINE_PERIOD", 0.1)
    robot.start(EmotionRecorderNode, output=str(tmp_path))
    robot.wait_until(lambda: robot.logged(f"no publisher on {robot.namespace}/emotions: start emotion_node"), "a line")
    emotions = robot.node.create_publisher(FaceEmotionArray, "emotions", 10)
    robot.wait_until(lambda: robot.logged(f"{robot.namespace}/robot publishes"), "a line")
    assert not robot.logged("waiting for images")
    robot.wait_until(emotions.get_subscription_count, "a subscription")
    emotions.publish(results(image_message(gray_image(0)).header))
    robot.wait_until(lambda: robot.logged("waiting for images"), "a line")


def test_recorder_names_unwritable_folder(robot, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordingError, match=r"file/recording cannot be written: .*file: Not a directory"):
        robot.start(EmotionRecorderNode, output=str(tmp_path / "file" / "recording"))


def test_recorder_survives_any_message(robot, node_and_camera, tmp_path):
    node = robot.start(EmotionRecorderNode, output=str(tmp_path))
    camera, emotions = node_and_camera()
    wait_for_images(robot, node, camera, image_message(gray_image(255)))
    before_epoch = image_message(gray_image(100), Time(sec=-2, nanosec=500_000_000))
    camera.publish(before_epoch)
    emotions.publish(results(before_epoch.header, "a"))
    wait_for_pairs(robot, node, 1)
    odd = face("b")
    odd.roi = RegionOfInterest(x_offset=2**32 - 1, y_offset=2**32 - 1, width=2**32 - 1, height=2**32 - 1)
    odd.face_id, odd.emotion, odd.confidence = "\x1b[2J" * 50, "happy\nsad", float("nan")
    image = image_message(gray_image(100), robot.stamp())
    without_labels = FaceEmotionArray(header=image.header, faces=[FaceEmotion()])
    messages = [FaceEmotionArray(header=image.header, labels=LABELS, faces=[odd, FaceEmotion()]), without_labels]
    for scores in ([float("nan")] * 3, [float("inf")] * 3, [1.0] * 4):
        wrong = face("c")
        wrong.scores = wrong.smoothed_scores = array("f", scores)
        messages.append(FaceEmotionArray(header=image.header, labels=LABELS, faces=[wrong]))
    messages.append(FaceEmotionArray(header=image.header, labels=LABELS, faces=[odd]))
    for message in messages:
        image.header.stamp = message.header.stamp = robot.stamp()
        camera.publish(image)
        emotions.publish(message)
    wait_for_pairs(robot, node, 3)
    node._print_line()
    robot.close(node)
    (warning,) = robot.wait_until(lambda: robot.logged("ignored a message"), "a warning")
    assert "has 0 scores, expected 3 finite ones" in warning
    assert rows(tmp_path)[0]["stamp"] == "-1.500000000"
    assert "\x1b" not in (tmp_path / "emotions.csv").read_text()
    assert len(frames(tmp_path)) == 3


def test_recorder_keeps_old_recording_without_results(robot, node_and_camera, tmp_path):
    (tmp_path / "emotions.csv").write_text("old")
    node = robot.start(EmotionRecorderNode, output=str(tmp_path))
    camera, _ = node_and_camera()
    wait_for_images(robot, node, camera, image_message(gray_image(255)))
    robot.close(node)
    assert (tmp_path / "emotions.csv").read_text() == "old"


def test_interrupted_recorder_completes_its_files(robot, node_and_camera, tmp_path):
    command = [sys.executable, "-m", "fer_ros.nodes.recorder.node", "--ros-args"]
    parameters = ["-r", f"__ns:={robot.namespace}", "-p", f"output:={tmp_path}"]
    with running([*command, *parameters]) as recorder:
        camera, emotions = node_and_camera()
        end = time.monotonic() + DEADLINE
        while len(rows(tmp_path)) < 25 and time.monotonic() < end:
            image = image_message(gray_image(100), robot.stamp())
            camera.publish(image)
            emotions.publish(results(image.header, "a"))
            time.sleep(0.02)
        # Several signals, as from a terminal that is closed and from `ros2 launch`.
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
            recorder.send_signal(number)
        output, log = recorder.communicate(timeout=DEADLINE)
    assert recorder.returncode == 0, log
    assert len(frames(tmp_path)) > 10
    assert cv2.imread(str(tmp_path / "annotated.png")) is not None
    assert f"{len(rows(tmp_path))} faces recorded: happy 100.0%" in output
