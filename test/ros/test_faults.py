# SPDX-License-Identifier: Apache-2.0
"""Faults around the emotion node: each costs what it hits, and no more. docs/reports/reliability.md lists them."""

import resource
import shutil
import subprocess
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("fer_ros.msg", reason="needs ROS 2 and the package's own messages: make setup")

import rclpy
from program import Program
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from robot import image_message, jpeg_message, untrained_model
from sensor_msgs.msg import CompressedImage
from std_srvs.srv import SetBool, Trigger

from fer_ros.faces.detectors.viola_jones import ViolaJones
from fer_ros.nodes.common import shared_memory
from fer_ros.nodes.common.image_conversion import Converter
from fer_ros.nodes.emotion.node import EmotionNode
from fer_ros.nodes.emotion.processor import ImageProcessor
from fer_ros.nodes.emotion.publishers.emotions import EmotionsPublisher
from fer_ros.nodes.emotion.state import NodeState
from fer_ros.srv import LoadModel
from fer_ros.types import Box, Detection


@pytest.fixture
def start(robot, light_model, quick_start):
    """Start an active emotion node that needs no torch."""

    def started(**parameters) -> EmotionNode:
        node = robot.start(EmotionNode, **{"model": str(light_model), "models__any_folder": True, **parameters})
        assert node.autostart()
        return node

    return started


# --- memory ---


@pytest.mark.parametrize(
    ("owner", "step"),
    [
        (Converter, "gray"),
        (NodeState, "recognize"),
        (EmotionsPublisher, "publish"),
        (NodeState, "scan_deferred"),
    ],
)
def test_out_of_memory_in_any_step_costs_one_image(robot, start, astronaut, monkeypatch, owner, step):
    start()
    camera = robot.matched_camera()
    with monkeypatch.context() as full:
        full.setattr(owner, step, raising(MemoryError("of this test")))
        camera.publish(image_message(astronaut))
        robot.wait_until(lambda: robot.logged("of this test"), "the error to be logged")
    assert len(robot.process(camera, astronaut).faces) == 1


def test_image_above_the_memory_limit_costs_one_image(robot, start, astronaut, monkeypatch):
    start(image_transport="compressed")
    camera = robot.matched_camera("image/compressed", CompressedImage)
    convert, limited = Converter.gray, []

    def with_little_memory(converter, message):
        limits = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (used_bytes() + 2**24, limits[1]))
        try:
            return convert(converter, message)
        finally:
            limited.append(True)
            resource.setrlimit(resource.RLIMIT_DATA, limits)

    with monkeypatch.context() as small:
        small.setattr(Converter, "gray", with_little_memory)
        camera.publish(jpeg_message(np.zeros((8000, 8000, 1), np.uint8)))
        robot.wait_until(lambda: limited, "the conversion")
    robot.wait_until(lambda: robot.logged("emory"), "the error to be logged")
    good = jpeg_message(astronaut)
    good.header.stamp = robot.stamp()
    assert len(robot.process(camera, good).faces) == 1


def test_full_shared_memory_is_told_and_images_come_by_udp(robot, light_model, tmp_path, astronaut):
    if rclpy.get_rmw_implementation_identifier() != "rmw_fastrtps_cpp":
        pytest.skip("only Fast DDS uses /dev/shm")
    unshare = ["unshare", "--mount", "--propagation", "private"]
    mount = "mount -t tmpfs -o size=64k tmpfs /dev/shm"
    if not shutil.which("unshare") or subprocess.run([*unshare, "sh", "-c", mount], capture_output=True).returncode:
        pytest.skip("mounting a small /dev/shm needs root, or a kernel that lets others do it")
    arguments = ["--ros-args", "-r", f"__ns:={robot.namespace}", "-p", f"model:={light_model}"]
    prefix = [*unshare, "sh", "-c", f'{mount} && exec "$0" "$@"']
    with Program("emotion_node", *arguments, log=tmp_path / "log", prefix=prefix) as node:
        camera = robot.matched_camera()
        small = cv2.resize(astronaut, (128, 128))
        robot.wait_until(lambda: camera.publish(image_message(small, robot.stamp())) or robot.results, "a result")
        assert "/dev/shm has 0 MB of free space" in node.output
        assert node.runs


# --- the model file ---


def test_replaced_or_truncated_model_file_changes_nothing(robot, start, light_model, tmp_path, astronaut):
    served = tmp_path / f"served{light_model.suffix}"
    shutil.copy(light_model, served)
    start(model=str(served))
    camera = robot.matched_camera()
    before = robot.process(camera, astronaut)
    served.write_bytes(served.read_bytes()[:1000])
    assert robot.process(camera, astronaut).faces[0].emotion == before.faces[0].emotion
    refused = robot.call(LoadModel, "emotion_node/load_model", model=str(served))
    assert (refused.success, refused.model_id) == (False, before.model_id)
    untrained_model(served, emotion="sad")
    assert robot.process(camera, astronaut).model_id == before.model_id
    loaded = robot.call(LoadModel, "emotion_node/load_model", model=str(served))
    assert loaded.success, loaded.message
    assert robot.process(camera, astronaut).faces[0].emotion == "sad"


# --- too much at once ---


def test_two_hundred_faces_are_all_answered(robot, start, monkeypatch):
    boxes = [Box(32 * column, 48 * row, 24, 24) for row in range(10) for column in range(20)]
    found = [Detection(box, 1.0) for box in boxes]
    start(tracking__enabled=False)
    camera = robot.matched_camera()
    monkeypatch.setattr(ViolaJones, "detect", lambda *_: found)
    image = np.random.default_rng(0).integers(0, 256, (480, 640, 3)).astype(np.uint8)
    ids = [sorted(face.face_id for face in robot.process(camera, image).faces) for _ in range(3)]
    assert len(set(ids[0])) == 200
    assert ids == 3 * [ids[0]]


def test_image_every_millisecond_is_answered_with_the_newest(robot, start, astronaut):
    only = start().processor.cameras[""]
    camera = robot.matched_camera()
    image = image_message(np.ascontiguousarray(astronaut[::4, ::4]))
    for _ in range(300):
        image.header.stamp = robot.stamp()
        camera.publish(image)
        time.sleep(0.001)
    assert len(robot.process(camera, astronaut).faces) == 1
    # None waits in a queue: those before it were answered or replaced.
    assert robot.results[-1].header == max(robot.results, key=stamp_of).header
    assert only.statistics.skipped > 0


def test_thousand_service_calls_are_answered_beside_images(robot, start, astronaut):
    start()
    camera = robot.matched_camera()
    parameter = Parameter("max_faces", value=1).to_parameter_msg()
    requests = {
        "reset": (Trigger, Trigger.Request()),
        "enable": (SetBool, SetBool.Request(data=True)),
        "set_parameters": (SetParameters, SetParameters.Request(parameters=[parameter])),
        "load_model": (LoadModel, LoadModel.Request(model="no_such_model")),
    }
    clients = {name: robot.node.create_client(kind, f"emotion_node/{name}") for name, (kind, _) in requests.items()}
    for client in clients.values():
        robot.wait_until(client.service_is_ready, "the service")
    small = np.ascontiguousarray(astronaut[::3, ::3])
    for _ in range(50):
        # Five of each at a time: DDS keeps ten.
        calls = [client.call_async(requests[name][1]) for name, client in clients.items() for _ in range(5)]
        robot.process(camera, small)
        robot.wait_until(lambda calls=calls: all(call.done() for call in calls), "all answers")
    assert not robot.logged("unhandled error")
    assert len(robot.process(camera, small).faces) == 1


# --- exceptions ---


def test_failing_reset_is_answered(robot, start, astronaut, monkeypatch):
    start()
    camera = robot.matched_camera()
    with monkeypatch.context() as broken:
        broken.setattr(ImageProcessor, "_drop_tracks", raising(KeyError("of this test")))
        assert not robot.call(Trigger, "emotion_node/reset").success
    assert robot.call(Trigger, "emotion_node/reset").success
    assert len(robot.process(camera, astronaut).faces) == 1


def test_node_outlives_errors_while_it_looks_for_subscribers(robot, start, astronaut, monkeypatch):
    start()
    with monkeypatch.context() as broken:
        broken.setattr(ImageProcessor, "_is_needed", raising(KeyError("of this test")))
        robot.wait_until(lambda: robot.logged("of this test"), "the error to be logged")
    assert len(robot.process(robot.matched_camera(), astronaut).faces) == 1


# --- kill -9 ---


def test_killed_node_leaves_nothing_after_the_next_start(robot, light_model, tmp_path, astronaut):
    arguments = ["--ros-args", "-r", f"__ns:={robot.namespace}", "-p", f"model:={light_model}"]
    with Program("emotion_node", *arguments, log=tmp_path / "first") as node:
        robot.process(robot.matched_camera(), astronaut)
        left = [*shared_memory.owned_segments(node.pid)]
        node.kill()
    with Program("emotion_node", *arguments, log=tmp_path / "second"):
        camera = robot.matched_camera()
        assert len(robot.process(camera, astronaut).faces) == 1
        assert not [path for path in left if Path(path).exists()]


def raising(error):
    """Return a function that raises an error."""

    def fail(*_, **__):
        raise error

    return fail


def used_bytes() -> int:
    """Return the size of the private writable memory of this process, which RLIMIT_DATA limits."""
    with open("/proc/self/status") as status:
        return next(1024 * int(line.split()[1]) for line in status if line.startswith("VmData"))


def stamp_of(result) -> float:
    """Return the stamp in seconds."""
    return result.header.stamp.sec + 1e-9 * result.header.stamp.nanosec
