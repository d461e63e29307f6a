# SPDX-License-Identifier: Apache-2.0
"""Launch files, run by `ros2 launch`."""

import contextlib
import math
import os
import shutil
import signal
import subprocess
import sys
import threading
import uuid
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from fer_ros.nodes.common import rviz

ROOT = Path(__file__).parents[2]
DEADLINE = 60.0
"""Seconds for what takes a few on an idle machine."""

needs_ros2_launch = pytest.mark.skipif(
    not (shutil.which("ros2") and find_spec("launch_ros") and find_spec("ros2launch")),
    reason="`ros2 launch` is not installed: it comes with ROS 2, and not as wheels",
)


def launch(*arguments: str) -> subprocess.Popen:
    """Run `ros2 launch fer_ros <arguments>` in a new session."""
    return subprocess.Popen(
        ["ros2", "launch", "fer_ros", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finish(launched: subprocess.Popen) -> str:
    """Wait for it and all processes it has started to end, and return its output."""
    try:
        output, _ = launched.communicate(timeout=DEADLINE)
        leftover = subprocess.run(["ps", "-o", "args=", "-s", str(launched.pid)], capture_output=True, text=True).stdout
        assert not leftover, leftover
        return output
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(launched.pid, signal.SIGKILL)
        launched.wait()


def wait_for_lines(launched: subprocess.Popen, texts: list[str]) -> list[str]:
    """Wait until each text is in a line of its output, end it, and return the lines."""
    missing, lines = set(texts), []
    for line in launched.stdout:
        lines.append(line)
        missing -= {text for text in missing if text in line}
        if not missing:
            break
    launched.send_signal(signal.SIGINT)
    finish(launched)
    assert not missing, "".join(lines)
    return lines


@pytest.fixture
def model(tmp_path) -> Path:
    """Write a valid model file with random weights."""
    import torch

    from fer_ros.emotion import model_file
    from fer_ros.emotion.labels import FER2013
    from fer_ros.networks import create

    torch.set_num_threads(1)  # several threads wait for each other for seconds on a busy machine
    path = tmp_path / "untrained.pt"
    model_file.write(path, create("mini_xception", len(FER2013)), model_file.ModelMetadata("mini_xception", FER2013))
    return path


@needs_ros2_launch
@pytest.mark.parametrize(
    ("file", "arguments"),
    [
        (
            "emotion",
            "namespace cameras image camera_info model image_transport autostart params_file log_level rviz "
            "discovery use_sim_time",
        ),
        ("demo", "source rate loop use_sim_time namespace image model rviz"),
        ("behaviors", "scene"),
        ("trainer", "namespace datasets output emotion_node params_file log_level use_sim_time"),
        ("dashboard", "namespace host port open cameras emotion_node trainer_node params_file log_level use_sim_time"),
    ],
)
def test_launch_arguments_have_descriptions(file, arguments):
    shown = finish(launch(f"{file}.launch.py", "--show-args"))
    assert [name for name in arguments.split() if f"'{name}':" not in shown] == []
    assert "no description given" not in shown


@needs_ros2_launch
def test_demo_runs_in_namespace_and_ends_on_sigint(model, tmp_path):
    pytest.importorskip("skimage", reason="the scene shows a photograph that scikit-image ships")
    namespace = f"robot_{uuid.uuid4().hex[:8]}"
    launched = launch("demo.launch.py", f"namespace:={namespace}", "image:=eye/image_raw", f"model:={model}")
    # Read continuously, so that no process blocks on a full pipe.
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.extend(launched.stdout))
    reader.start()
    try:
        recorder = [sys.executable, "-m", "fer_ros.nodes.recorder.node", "--ros-args"]
        rules = ["-r", f"__ns:=/{namespace}", "-r", "image:=eye/image_raw"]
        settings = [f"output:={tmp_path / 'recording'}", "duration:=1.0", f"timeout:={DEADLINE}"]
        recorded = subprocess.run(
            [*recorder, *rules, *(argument for setting in settings for argument in ("-p", setting))],
            capture_output=True,
            text=True,
            timeout=2 * DEADLINE,
        )
    finally:
        launched.send_signal(signal.SIGINT)
        reader.join(DEADLINE)
        finish(launched)
    assert recorded.returncode == 0, recorded.stderr + "".join(lines)
    assert (tmp_path / "recording" / "annotated.png").is_file()
    assert "Traceback" not in "".join(lines)


@needs_ros2_launch
def test_behaviors_react_to_the_smile_of_the_scene():
    pytest.importorskip("skimage", reason="the scene shows a photograph that scikit-image ships")
    pytest.importorskip("py_trees", reason="the behavior tree needs it")
    launched = launch("behaviors.launch.py", "scene:=true", f"namespace:=robot_{uuid.uuid4().hex[:8]}")
    wait_for_lines(launched, ["greeter]: Hello, f1!", "behavior_tree]: It is good to see you smile."])


@needs_ros2_launch
def test_demo_without_subscriber_says_what_it_waits_for(model):
    namespace = f"robot_{uuid.uuid4().hex[:8]}"
    launched = launch(
        "demo.launch.py", f"namespace:={namespace}", f"model:={model}", "use_sim_time:=true", "discovery:=localhost"
    )
    awaited = [
        f"[{namespace}.emotion_node]: use_sim_time is true, but no time arrives on /clock",
        f"[{namespace}.video_publisher_node]: use_sim_time is true, but no time arrives on /clock",
        f"waiting for subscribers of /{namespace}/image: 0 of 1",
        f"idle: the results have no subscriber, so images are not processed; subscribe to /{namespace}/emotions",
    ]
    lines = wait_for_lines(launched, awaited)
    assert not any("no publisher" in line for line in lines)


@needs_ros2_launch
def test_trainer_runs_in_namespace_and_ends_on_sigint(tmp_path):
    launched = launch("trainer.launch.py", "namespace:=robot_with_trainer", f"output:={tmp_path}")
    lines = [next(line for line in launched.stdout if "ready to train" in line)]
    launched.send_signal(signal.SIGINT)
    lines.append(finish(launched))
    assert f"[robot_with_trainer.trainer_node]: ready to train; runs go to {tmp_path}" in lines[0]
    assert "process has finished cleanly" in lines[1]
    assert "Traceback" not in lines[1]


@needs_ros2_launch
@pytest.mark.parametrize(
    ("file", "arguments", "reason"),
    [
        ("emotion", "params_file:=/none.yaml", "/none.yaml does not exist"),
        ("emotion", "autostart:=tr", "autostart is 'tr', expected true or false"),
        ("emotion", "image_transport:=unknown", "image_transport is 'unknown', expected one of: raw, compressed"),
        ("emotion", "log_level:=verbose", "log_level is 'verbose'"),
        ("emotion", "discovery:=lan", "discovery is 'lan', expected one of: localhost, subnet"),
        ("emotion", "modl:=x image:=/y", "emotion.launch.py has no argument 'modl', did you mean 'model'"),
        ("emotion", "cameras:=front,back image:=/camera/image_raw", "as in image:=image_raw for /front/image_raw"),
        (
            "emotion",
            "cameras:=front,back camera_topics:=/a/image",
            "camera_topics has 1 topics, but cameras has 2 names",
        ),
        ("demo", "sources:=0 namespace:=robot", "demo.launch.py has no argument 'sources', did you mean 'source'"),
        ("demo", "loop:=maybe", "loop is 'maybe', expected true or false"),
        ("demo", "rviz:=tr", "rviz is 'tr', expected true or false"),
        ("demo", "rate:=fast", "rate is 'fast', expected a number"),
        ("trainer", "dataset:=/data", "trainer.launch.py has no argument 'dataset', did you mean 'datasets'"),
    ],
)
def test_wrong_launch_argument_starts_nothing(file, arguments, reason):
    output = finish(launch(f"{file}.launch.py", *arguments.split()))
    assert reason in output
    assert "process started" not in output
    assert "Traceback" not in output


@needs_ros2_launch
@pytest.mark.parametrize(
    ("distribution", "chosen", "environment"),
    [
        ("kilted", "localhost", {"ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}),
        ("jazzy", "subnet", {"ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET"}),
        ("humble", "localhost", {"ROS_LOCALHOST_ONLY": "1"}),
        ("humble", "subnet", {"ROS_LOCALHOST_ONLY": "0"}),
        ("kilted", "", {}),
    ],
)
def test_discovery_sets_the_variable_of_the_distribution(distribution, chosen, environment, monkeypatch):
    from fer_ros.nodes.common.launch import discovery

    monkeypatch.setenv("ROS_DISTRO", distribution)
    assert discovery({"discovery": chosen}) == environment


@needs_ros2_launch
def test_launch_ends_with_reason_of_the_node():
    assert "there is no model 'no_such_model'" in finish(launch("emotion.launch.py", "model:=no_such_model"))


CONFIGURATION = ROOT / "config" / "fer.rviz"


def displays_of(configuration: str) -> dict[str, dict]:
    """Return the displays of an RViz configuration by name."""
    return {display["Name"]: display for display in yaml.safe_load(configuration)["Visualization Manager"]["Displays"]}


def test_rviz_configuration_matches_topics_and_qos():
    displays = displays_of(CONFIGURATION.read_text())
    assert {name: (display["Class"].split("/")[1], display["Enabled"]) for name, display in displays.items()} == {
        "Emotions": ("Image", True),
        "Camera": ("Image", False),  # ticked, it would double the traffic
        "Faces": ("MarkerArray", True),
        "Camera axes": ("Axes", True),
        "Grid of half meters": ("Grid", True),
    }
    assert all(display["Value"] == display["Enabled"] for display in displays.values())
    with_topics = [display["Topic"] for display in displays.values() if "Topic" in display]
    assert {topic["Value"]: topic["Reliability Policy"] for topic in with_topics} == {
        "/emotions/image": "Reliable",
        "/image": "Best Effort",
        "/emotions/markers": "Reliable",
    }


def test_rviz_configuration_shows_markers_in_any_camera_frame():
    manager = yaml.safe_load(CONFIGURATION.read_text())["Visualization Manager"]
    assert manager["Transformation"]["Current"]["Class"] == "rviz_common/Identity", "which needs no tf"
    view = manager["Views"]["Current"]
    assert (view["Distance"], view["Pitch"], view["Yaw"]) == (3, -1, pytest.approx(3 / 2 * math.pi, abs=1e-4))
    assert view["Focal Point"] == {"X": 0, "Y": 0, "Z": 1}
    assert displays_of(CONFIGURATION.read_text())["Grid of half meters"]["Plane"] == "XZ"


def test_rviz_configuration_lays_out_the_window():
    geometry = yaml.safe_load(CONFIGURATION.read_text())["Window Geometry"]
    assert (geometry["Width"], geometry["Height"]) == (1200, 740)
    # Without a value RViz reads an uninitialized one.
    assert geometry["Hide Left Dock"] is geometry["Hide Right Dock"] is False
    assert geometry["QMainWindow State"] == rviz.window_state([("Emotions", True), ("Camera", False)])


def test_rviz_shows_every_camera():
    cameras = [
        rviz.CameraTopics(name, f"/{name}/emotions/image", f"/{name}/raw/compressed", f"/{name}/emotions/markers")
        for name in ("front", "back")
    ]
    written = rviz.configuration(CONFIGURATION.read_text(), cameras)
    displays = displays_of(written)
    assert {name: display["Topic"]["Value"] for name, display in displays.items() if "Topic" in display} == {
        f"{display} {name}": f"/{name}/{topic}"
        for name in ("front", "back")
        for display, topic in (
            ("Emotions", "emotions/image"),
            ("Camera", "raw/compressed"),
            ("Faces", "emotions/markers"),
        )
    }
    geometry = yaml.safe_load(written)["Window Geometry"]
    state = bytes.fromhex(geometry["QMainWindow State"])
    for title in ("Emotions front", "Emotions back", "Camera back", "Displays"):
        assert title.encode("utf-16-be") in state
    assert geometry["Hide Left Dock"] is False


def test_rviz_configuration_of_one_camera_is_the_shipped_one():
    template = CONFIGURATION.read_text()
    topics = rviz.CameraTopics("", "/emotions/image", "/image", "/emotions/markers")
    assert yaml.safe_load(rviz.configuration(template, [topics])) == yaml.safe_load(template)


@needs_ros2_launch
@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (
            "namespace:=robot image:=camera/image_raw",
            {
                "Emotions": "/robot/emotions/image",
                "Camera": "/robot/camera/image_raw",
                "Faces": "/robot/emotions/markers",
            },
        ),
        (
            "cameras:=front,back image_transport:=compressed",
            {
                "Emotions front": "/front/emotions/image",
                "Camera front": "/front/image/compressed",
                "Faces front": "/front/emotions/markers",
                "Emotions back": "/back/emotions/image",
                "Camera back": "/back/image/compressed",
                "Faces back": "/back/emotions/markers",
            },
        ),
        (
            "cameras:=eye,door camera_topics:=/webcam/image,hall/image namespace:=/robot",
            {
                "Emotions eye": "/robot/eye/emotions/image",
                "Camera eye": "/webcam/image",
                "Faces eye": "/robot/eye/emotions/markers",
                "Emotions door": "/robot/door/emotions/image",
                "Camera door": "/robot/hall/image",
                "Faces door": "/robot/door/emotions/markers",
            },
        ),
    ],
)
def test_launch_arguments_reach_the_displays_of_rviz(tmp_path, monkeypatch, arguments, shown):
    """RViz is not installed beside the wheels: a package with a program of its name copies its configuration."""
    program = tmp_path / "lib" / "rviz2" / "rviz2"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\ncp $2 {tmp_path}/shown.rviz\n")
    program.chmod(0o755)
    index = tmp_path / "share" / "ament_index" / "resource_index" / "packages"
    index.mkdir(parents=True)
    (index / "rviz2").touch()
    monkeypatch.setenv("AMENT_PREFIX_PATH", f"{tmp_path}:{os.environ['AMENT_PREFIX_PATH']}")
    output = finish(launch("emotion.launch.py", "rviz:=true", "model:=no_such_model", *arguments.split()))
    displays = displays_of((tmp_path / "shown.rviz").read_text())
    assert {name: each["Topic"]["Value"] for name, each in displays.items() if "Topic" in each} == shown, output
