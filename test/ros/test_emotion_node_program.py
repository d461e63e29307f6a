# SPDX-License-Identifier: Apache-2.0
"""The program emotion_node in a separate process."""

import itertools
import os
import re
import signal
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("fer_ros.msg", reason="needs ROS 2 and the package's own messages: make setup")

import rclpy
from program import Program
from robot import DEADLINE, image_message

from fer_ros.emotion import model_file
from fer_ros.msg import FaceEmotionArray
from fer_ros.nodes.emotion.parameters import Settings
from fer_ros.types import Box

CONFIG = Path(__file__).parents[2] / "config" / "emotion_node.yaml"
RATE = 30.0
"""Images per second, as of a webcam."""


def in_namespace(robot) -> list[str]:
    return ["--ros-args", "-r", f"__ns:={robot.namespace}"]


def ends_cleanly(program: Program, by: signal.Signals) -> bool:
    status = program.end(by)
    return status == 0 and "Traceback" not in program.output


def test_start_up_errors_are_reported_without_traceback(robot, light_model, tmp_path):
    text_file = tmp_path / "text.pt"
    text_file.write_text("no model")
    settings = {
        "no model": ([f"model:={tmp_path}/none.pt"], [f"{tmp_path}/none.pt"]),
        "a wrong model": ([f"model:={text_file}"], [str(text_file), "not a readable model file"]),
        "no cascade": ([f"model:={light_model}", "detector.cascade:=unknown"], ["unknown", "opencv-data"]),
        "a value out of range": (["detector.min_neighbors:=-3"], ["min_neighbors", "0 to 100", "-3"]),
    }
    started = {}
    for name, (parameters, _) in settings.items():
        arguments = itertools.chain.from_iterable(("-p", parameter) for parameter in parameters)
        started[name] = Program("emotion_node", *in_namespace(robot), *arguments, log=tmp_path / f"{name}.log")
    for name, program in started.items():
        with program:
            assert program.end() == 1, name
        assert all(text in program.output for text in settings[name][1]), program.output
        assert "Traceback" not in program.output
        assert " -> " not in program.output, "it has subscribed"


def test_program_runs_with_defaults(robot, tmp_path, astronaut):
    try:
        model_file.find(Settings().model)
    except FileNotFoundError as error:
        pytest.skip(str(error))
    robot.node.create_subscription(FaceEmotionArray, "/emotions", robot.add_result, 10)
    with Program("emotion_node", log=tmp_path / "log") as node:
        camera = robot.matched_camera("/image")
        (face,) = robot.process(camera, astronaut).faces
        assert face.emotion == "happy"
        assert megabytes(node, "VmHWM") < 370
        assert ends_cleanly(node, signal.SIGTERM), node.output


def test_program_holds_little_shared_memory_and_removes_it(robot, light_model, tmp_path, monkeypatch):
    if rclpy.get_rmw_implementation_identifier() != "rmw_fastrtps_cpp":
        pytest.skip("only Fast DDS has named shared memory segments")
    for variable in ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE"):
        if variable in os.environ:
            monkeypatch.setenv(variable, str(CONFIG.with_name("fastdds_large.xml")))
    others = segments()
    with Program("emotion_node", *in_namespace(robot), "-p", f"model:={light_model}", log=tmp_path / "log") as node:
        robot.matched_camera()
        assert megabytes(node, "RssShmem") < 20
        mapped = Path(f"/proc/{node.pid}/maps").read_text()
        own = {name for name in segments() - others if name in mapped}
        assert own
        assert ends_cleanly(node, signal.SIGINT), node.output
    assert not own & segments()


def megabytes(program: Program, field: str) -> float:
    """Return a field of /proc/<pid>/status."""
    status = Path(f"/proc/{program.pid}/status").read_text()
    return int(re.search(rf"{field}:\s+(\d+) kB", status)[1]) / 1024


def segments() -> set[str]:
    """Return the segments of all Fast DDS participants on this machine; their ports, 50 kB each, are kept for reuse."""
    # fastrtps_ up to Jazzy, fastdds_ since.
    return {path.name for path in Path("/dev/shm").glob("fast*_" + 16 * "[0-9a-f]")}


def test_program_runs_with_opencv_without_torch(robot, tmp_path, astronaut, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['torch'] = None\n")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}")
    with Program("emotion_node", *in_namespace(robot), log=tmp_path / "log") as node:
        (face,) = robot.process(robot.matched_camera(), astronaut).faces
        assert face.emotion == "happy"
        assert "backend opencv" in node.output
        assert megabytes(node, "VmHWM") < 180


def test_recording_gives_one_result_per_image(robot, light_model, recording, tmp_path, record_property):
    arguments = ["--params-file", str(CONFIG), "-p", f"model:={light_model}"]
    with Program("emotion_node", *in_namespace(robot), *arguments, log=tmp_path / "log") as node:
        camera = robot.matched_camera()
        sent, rate = play(robot, camera, recording + recording[::-1])
        record_property("images_per_second", rate)
        assert ends_cleanly(node, signal.SIGINT), node.output

    processed = [key(result) for result in robot.results]
    assert len(processed) >= 0.95 * len(sent)
    assert len(set(processed)) == len(processed), "two results of one image"
    assert set(processed) <= set(sent)
    faces = [face for result in robot.results for face in result.faces]
    assert len(faces) > len(sent)
    for vector in itertools.chain.from_iterable((face.scores, face.smoothed_scores) for face in faces):
        assert np.isfinite(vector).all()
        assert sum(vector) == pytest.approx(1, abs=1e-5)
    kept, continued = continuity(robot.results)
    assert kept >= 0.98 * continued


def play(robot, camera, images) -> tuple[list, float]:
    """Publish images at RATE, or as fast as a busy machine processes them; return their keys and the rate."""
    sent = []
    start = due = time.monotonic()
    for number, image in enumerate(images):
        message = image_message(image, robot.stamp(), f"frame {number}")
        camera.publish(message)
        sent.append(key(message))
        due = max(due + 1 / RATE, time.monotonic())
        late = time.monotonic() + 2
        while time.monotonic() < due or (not has_result(robot, sent[-1]) and time.monotonic() < late):
            time.sleep(0.002)
    end = time.monotonic() + DEADLINE / 10
    while not has_result(robot, sent[-1]) and time.monotonic() < end:
        time.sleep(0.01)
    return sent, len(sent) / (time.monotonic() - start)


def key(message) -> tuple:
    header = message.header
    return header.stamp.sec, header.stamp.nanosec, header.frame_id


def has_result(robot, wanted: tuple) -> bool:
    return bool(robot.results) and key(robot.results[-1]) == wanted


def continuity(results) -> tuple[int, int]:
    """Return how many faces kept their id, and how many stayed in place, from one image to the next."""
    kept = continued = 0
    for before, after in itertools.pairwise(results):
        for old, new in itertools.product(before.faces, after.faces):
            if box(old).iou(box(new)) > 0.5:
                continued += 1
                kept += old.face_id == new.face_id
    return kept, continued


def box(face) -> Box:
    return Box(face.roi.x_offset, face.roi.y_offset, face.roi.width, face.roi.height)
