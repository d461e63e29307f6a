# SPDX-License-Identifier: Apache-2.0
"""Launch files, run by `ros2 launch`."""

import contextlib
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
            "use_sim_time",
        ),
        ("demo", "source rate loop use_sim_time namespace image model rviz"),
        ("trainer", "namespace datasets output emotion_node params_file log_level use_sim_time"),
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
def test_demo_without_subscriber_says_what_it_waits_for(model):
    namespace = f"robot_{uuid.uuid4().hex[:8]}"
    launched = launch("demo.launch.py", f"namespace:={namespace}", f"model:={model}", "use_sim_time:=true")
    awaited = {
        f"[{namespace}.emotion_node]: use_sim_time is true, but no time arrives on /clock": "",
        f"[{namespace}.video_publisher_node]: use_sim_time is true, but no time arrives on /clock": "",
        f"waiting for subscribers of /{namespace}/image: 0 of 1": "",
        f"idle: the results have no subscriber, so images are not processed; subscribe to /{namespace}/emotions": "",
    }
    lines = []
    for line in launched.stdout:
        lines.append(line)
        awaited |= {text: line for text in awaited if text in line}
        if all(awaited.values()):
            break
    launched.send_signal(signal.SIGINT)
    finish(launched)
    assert all(awaited.values()), "".join(lines)
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
def test_launch_ends_with_reason_of_the_node():
    assert "there is no model 'no_such_model'" in finish(launch("emotion.launch.py", "model:=no_such_model"))


def test_rviz_configuration_matches_topics_and_qos():
    configuration = yaml.safe_load((ROOT / "config" / "fer.rviz").read_text())["Visualization Manager"]
    assert configuration["Global Options"]["Fixed Frame"] == "camera_optical_frame"
    displays = configuration["Displays"]
    assert {display["Class"] for display in displays} == {
        "rviz_default_plugins/Image",
        "rviz_default_plugins/MarkerArray",
    }
    assert {display["Topic"]["Value"]: display["Topic"]["Reliability Policy"] for display in displays} == {
        "/emotions/image": "Reliable",
        "/image": "Best Effort",
        "/emotions/markers": "Reliable",
    }
