# SPDX-License-Identifier: Apache-2.0
"""fer-demo with real processes over real DDS: recorded emotions, complete files, and no process left."""

import contextlib
import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import pytest

pytest.importorskip("fer_ros.msg", reason="needs ROS 2 and the package's own messages: make setup")
pytest.importorskip("skimage", reason="the scene shows a photograph that scikit-image ships")

from robot import DEADLINE
from running import running

from fer_ros import resources
from fer_ros.cli import demo, errors

COMMAND = [sys.executable, "-m", "fer_ros.cli.demo"]


pytestmark = pytest.mark.usefixtures("measure_children")


def rows(folder: Path) -> list[dict[str, str]]:
    with open(folder / "emotions.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def children(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # a thread that has ended meanwhile
            found += [int(child) for child in (task / "children").read_text().split()]
    return found


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def shipped_model() -> Path:
    try:
        return resources.find("models", "mini_xception", (".pt",))
    except FileNotFoundError as error:
        pytest.skip(str(error))


def test_demo_recognizes_the_smile_of_the_scene(shipped_model, tmp_path):
    ended = subprocess.run(
        [*COMMAND, "--duration", "3", "--output", str(tmp_path)], capture_output=True, text=True, timeout=150
    )
    assert ended.returncode == 0, ended.stderr
    recorded = rows(tmp_path)
    assert list(recorded[0])[:7] == ["stamp", "face_id", "x", "y", "width", "height", "label"]
    happy = sum(row["label"] == "happy" for row in recorded)
    assert happy >= 0.9 * len(recorded)
    assert all(sum(float(score) for score in list(row.values())[7:]) == pytest.approx(1, abs=1e-3) for row in recorded)
    video = cv2.VideoCapture(str(tmp_path / "annotated.mp4"))
    assert video.read()[1].shape == (480, 640, 3)
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) >= 0.8 * len({row["stamp"] for row in recorded})
    assert cv2.imread(str(tmp_path / "annotated.png")).shape == (480, 640, 3)
    assert "images/s" in ended.stdout
    assert "images processed" in ended.stdout
    assert "images published" in ended.stderr


def test_interrupted_demo_completes_files_and_ends_nodes(light_model, tmp_path):
    command = [*COMMAND, "--model", str(light_model), "--duration", "0", "--output", str(tmp_path)]
    with running(command, stderr=subprocess.DEVNULL) as process:
        line = process.stdout.readline()  # returns also when the demo ends
        nodes = children(process.pid)
        process.send_signal(signal.SIGINT)
        summary, _ = process.communicate(timeout=DEADLINE)
    assert "images/s" in line
    assert process.returncode == 0
    assert len(nodes) == 3
    assert not [pid for pid in nodes if is_alive(pid)]
    assert "images processed" in summary
    assert rows(tmp_path) is not None
    assert cv2.VideoCapture(str(tmp_path / "annotated.mp4")).isOpened()


def test_demo_interrupted_at_start_leaves_no_process(light_model, tmp_path):
    command = [*COMMAND, "--model", str(light_model), "--output", str(tmp_path)]
    with running(command) as process:
        end = time.monotonic() + DEADLINE
        while len(nodes := children(process.pid)) < 3 and process.poll() is None and time.monotonic() < end:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=DEADLINE)
    assert process.returncode in (errors.STOPPED, errors.FAILED)
    assert len(nodes) == 3
    assert not [pid for pid in nodes if is_alive(pid)]
    assert "Traceback" not in log


def test_demo_reports_a_failed_node_and_keeps_files(tmp_path):
    (tmp_path / "broken.onnx").write_bytes(bytes(100))
    (tmp_path / "emotions.csv").write_text("of the last run")
    ended = subprocess.run(
        [*COMMAND, "--model", str(tmp_path / "broken.onnx"), "--output", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=2 * DEADLINE,
    )
    assert ended.returncode == 1
    assert ended.stderr.endswith("fer-demo: error: emotion_node exited with status 1; its log is above\n")
    assert ended.stderr.count("broken.onnx") == 1
    assert (tmp_path / "emotions.csv").read_text() == "of the last run"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "no_model"], "no model 'no_model'"),
        (["--detector", "yunet"], "'yunet' needs its model option"),
        (["--animation", "demo.avi"], "an animation is one of .webp, .gif, .png, not demo.avi"),
    ],
)
def test_demo_refuses_unusable_options_in_one_line(arguments, message, tmp_path, capsys):
    assert demo.main([*arguments, "--output", str(tmp_path / "out")]) == 2
    output = capsys.readouterr().err
    assert message in output
    assert output.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_demo_refuses_bad_input_before_starting_nodes(tmp_path, capsys):
    assert demo.main(["--input", str(tmp_path / "none.mp4"), "--output", str(tmp_path / "out")]) == 2
    assert "no file or folder" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "duration", "loop"),
    [
        ([], 20, False),
        (["--input", "clip.mp4"], 0, False),
        (["--input", "0"], 0, False),
        (["--input", "face.png"], 20, True),
        (["--input", "clip.mp4", "--duration", "3"], 3, False),
        (["--input", ""], 20, False),
    ],
)
def test_demo_duration_of_each_kind_of_source(arguments, duration, loop):
    planned = demo.plan(demo.parser().parse_args(arguments))
    assert (planned.duration, planned.loop) == (duration, loop)


def test_environment_limits_discovery_to_this_machine():
    chosen = demo.environment({"ROS_DISTRO": "kilted"})
    assert 1 <= int(chosen["ROS_DOMAIN_ID"]) <= 60
    assert chosen["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "LOCALHOST"
    assert Path(chosen["FASTDDS_DEFAULT_PROFILES_FILE"]).match("config/fastdds*.xml")
    assert "FASTRTPS_DEFAULT_PROFILES_FILE" in demo.environment({"ROS_DISTRO": "jazzy"})
    assert demo.environment({"ROS_DISTRO": "humble"})["ROS_LOCALHOST_ONLY"] == "1"
    kept = {"ROS_DOMAIN_ID": "7", "ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET", "FASTRTPS_DEFAULT_PROFILES_FILE": "mine"}
    assert {key: demo.environment(kept)[key] for key in kept} == kept
    assert "FASTDDS_DEFAULT_PROFILES_FILE" not in demo.environment(kept)


def test_environment_selects_profile_of_cyclone_dds():
    with_cyclone = {"ROS_DISTRO": "kilted", "RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp"}
    chosen = demo.environment(with_cyclone)
    assert chosen["CYCLONEDDS_URI"].startswith("file:///")
    assert Path(chosen["CYCLONEDDS_URI"].removeprefix("file://")).match("config/cyclonedds.xml")
    assert "FASTDDS_DEFAULT_PROFILES_FILE" not in chosen
    assert demo.environment({**with_cyclone, "CYCLONEDDS_URI": "mine"})["CYCLONEDDS_URI"] == "mine"
