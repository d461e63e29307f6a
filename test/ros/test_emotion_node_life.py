# SPDX-License-Identifier: Apache-2.0
"""States, parameters and time-out messages of the emotion node."""

import os
import threading

import cv2
import numpy as np
import pytest

pytest.importorskip("fer_ros.msg", reason="needs ROS 2 and the package's own messages: make setup")

import rclpy
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.srv import SetParametersAtomically
from rclpy.qos import QoSDurabilityPolicy, QoSProfile, QoSReliabilityPolicy
from robot import DEADLINE, image_message, parameters_of, untrained_model
from sensor_msgs.msg import CompressedImage, Image

from fer_ros.emotion import model_cache
from fer_ros.emotion.classifier import Classifier
from fer_ros.emotion.labels import FER2013
from fer_ros.nodes.common import image_monitor
from fer_ros.nodes.common.parameters import ParameterError
from fer_ros.nodes.emotion import processor
from fer_ros.nodes.emotion.node import EmotionNode
from fer_ros.srv import LoadModel

YUNET = os.environ.get("FER_ROS_YUNET", "")
"""Path of the model file, which no package contains."""
_ALT2 = {"detector.name": "viola_jones", "detector.cascade": "haarcascade_frontalface_alt2"}


@pytest.fixture
def create(robot, model, quick_start):
    """Create an emotion node on `model` and leave it unconfigured."""
    return lambda **parameters: robot.start(
        EmotionNode, **{"model": str(model), "autostart": False, "models__any_folder": True, **parameters}
    )


# --- states ---


def change(robot, transition: int) -> bool:
    request = ChangeState.Request().transition
    request.id = transition
    return robot.call(ChangeState, "emotion_node/change_state", transition=request).success


def state(robot) -> int:
    return robot.call(GetState, "emotion_node/get_state").current_state.id


def topics(node, query) -> set[str]:
    """Return the topics or services of the node that the graph query `query` lists."""
    return {name.removeprefix(f"{node.get_namespace()}/") for name, _ in query(node.get_name(), node.get_namespace())}


def entities(node) -> list[int]:
    """Return how many entities of each kind the node has."""
    return [len(list(kind)) for kind in (node.publishers, node.subscriptions, node.services, node.timers, node.guards)]


def test_each_state_has_its_topics_in_two_life_cycles(robot, create, astronaut):
    node = create()
    bare_services = topics(node, node.get_service_names_and_types_by_node)
    threads, initial = threading.active_count(), entities(node)

    def graph_shows(publishes: bool, subscribes: bool) -> None:
        def agrees() -> bool:
            published = topics(node, node.get_publisher_names_and_types_by_node)
            subscribed = topics(node, node.get_subscriber_names_and_types_by_node)
            return ({"emotions", "emotions/image"} <= published, "image" in subscribed) == (publishes, subscribes)

        robot.wait_until(agrees, "the graph to show it")

    for _ in range(2):
        assert state(robot) == State.PRIMARY_STATE_UNCONFIGURED
        graph_shows(publishes=False, subscribes=False)
        assert change(robot, Transition.TRANSITION_CONFIGURE)
        assert state(robot) == State.PRIMARY_STATE_INACTIVE
        graph_shows(publishes=True, subscribes=False)
        assert change(robot, Transition.TRANSITION_ACTIVATE)
        graph_shows(publishes=True, subscribes=True)
        camera = robot.matched_camera()
        robot.process(camera, astronaut)
        assert change(robot, Transition.TRANSITION_DEACTIVATE)
        graph_shows(publishes=True, subscribes=False)
        robot.node.destroy_publisher(camera)
        assert change(robot, Transition.TRANSITION_CLEANUP)
        graph_shows(publishes=False, subscribes=False)
        assert topics(node, node.get_service_names_and_types_by_node) == bare_services
        assert "images" not in {thread.name for thread in threading.enumerate()}
        assert entities(node) == initial
    # The executor starts its threads with its first callbacks.
    assert threading.active_count() <= threads + 3
    assert change(robot, Transition.TRANSITION_UNCONFIGURED_SHUTDOWN)


def test_load_model_survives_cleanup_while_loading(robot, create, tmp_path, monkeypatch):
    create(autostart=True).autostart()
    loading, proceed = threading.Event(), threading.Event()

    def load_slowly(*arguments):
        loading.set()
        assert proceed.wait(DEADLINE)
        return Classifier(*arguments)

    monkeypatch.setattr(model_cache, "Classifier", load_slowly)
    model = untrained_model(tmp_path / "late.pt")
    client = robot.node.create_client(LoadModel, "emotion_node/load_model")
    robot.wait_until(client.service_is_ready, "the service")
    late = client.call_async(LoadModel.Request(model=str(model)))
    assert loading.wait(DEADLINE)
    assert change(robot, Transition.TRANSITION_DEACTIVATE)
    assert change(robot, Transition.TRANSITION_CLEANUP)
    proceed.set()
    robot.wait_until(late.done, "a response")
    assert not late.result().success
    assert "not configured" in late.result().message
    assert late.result().model_id == ""
    monkeypatch.undo()
    assert change(robot, Transition.TRANSITION_CONFIGURE)


def test_active_node_can_be_shut_down(robot, create, astronaut):
    create()
    assert change(robot, Transition.TRANSITION_CONFIGURE)
    assert change(robot, Transition.TRANSITION_ACTIVATE)
    robot.process(robot.matched_camera(), astronaut)
    assert change(robot, Transition.TRANSITION_ACTIVE_SHUTDOWN)
    assert state(robot) == State.PRIMARY_STATE_FINALIZED
    assert "images" not in {thread.name for thread in threading.enumerate()}


@pytest.mark.parametrize(
    ("parameters", "texts"),
    [
        ({"model": "/not/here.pt"}, ["/not/here.pt"]),
        ({"model": "unknown"}, ["unknown", "or a path"]),
        ({"detector.cascade": "unknown"}, ["unknown", "opencv-data"]),
        ({"detector.name": "unknown"}, ["detector.name", "unknown", "viola_jones, mtcnn, dlib, yunet"]),
        ({"detector.name": "yunet"}, ["yunet", "model"]),
        ({"image_transport": "unknown"}, ["image_transport", "unknown", "raw, compressed"]),
        (
            {"detector.min_size": 90, "detector.max_size": 60},
            ["detector.min_size (90 px)", "detector.max_size (60 px)"],
        ),
    ],
)
def test_failed_configuration_is_reported(robot, create, parameters, texts):
    node = create(**parameters)
    assert not change(robot, Transition.TRANSITION_CONFIGURE)
    assert state(robot) == State.PRIMARY_STATE_UNCONFIGURED
    (line,) = robot.wait_until(lambda: robot.logged("cannot configure"), "the reason")
    assert all(text in line for text in texts), line
    assert "emotions" not in topics(node, node.get_publisher_names_and_types_by_node)


def test_contradictory_parameters_can_be_corrected(robot, create):
    create(detector__min_size=90, detector__max_size=60)
    assert not change(robot, Transition.TRANSITION_CONFIGURE)
    assert set_parameters(robot, detector__min_size=30).successful
    assert change(robot, Transition.TRANSITION_CONFIGURE)


# --- parameters ---


def set_parameters(robot, **values):
    messages = [parameter.to_parameter_msg() for parameter in parameters_of(values)]
    return robot.call(SetParametersAtomically, "emotion_node/set_parameters_atomically", parameters=messages).result


def test_dynamic_parameters_take_effect(robot, create, astronaut):
    create(autostart=True).autostart()
    camera = robot.matched_camera()
    before = robot.process(camera, astronaut).faces[0]
    assert set_parameters(robot, detector__max_size=60).successful
    assert not robot.process(camera, astronaut).faces
    assert set_parameters(robot, detector__min_size=100, detector__max_size=0).successful
    assert robot.process(camera, astronaut).faces[0].face_id == before.face_id


def test_roll_and_contrast_parameters_find_rolled_dark_face(robot, create, astronaut):
    create(autostart=True, model="mini_xception", tracking__contrast="off").autostart()
    camera = robot.matched_camera()
    rotation = cv2.getRotationMatrix2D((222, 118), -25.0, 1.0)
    rolled = cv2.warpAffine(astronaut, rotation, (512, 512), borderMode=cv2.BORDER_REPLICATE)[:240, 100:340]
    dark = np.ascontiguousarray(rolled // 8)
    upright = robot.process(camera, np.ascontiguousarray(astronaut[:240, 100:340])).faces[0]
    found = {}
    for contrast, max_roll, alignment in (
        ("off", 0.0, "tilted"),
        ("off", 30.0, "tilted"),
        ("auto", 0.0, "tilted"),
        ("auto", 30.0, "off"),
        ("auto", 30.0, "tilted"),
    ):
        assert set_parameters(
            robot, tracking__contrast=contrast, tracking__max_roll=max_roll, alignment=alignment
        ).successful
        found[contrast, max_roll, alignment] = robot.process(camera, dark).faces
    assert [bool(faces) for faces in found.values()] == [False, False, False, True, True]
    unaligned, aligned = (faces[0] for faces in list(found.values())[-2:])
    assert aligned.emotion == upright.emotion == "happy"
    happy = FER2013.index("happy")
    assert abs(aligned.scores[happy] - upright.scores[happy]) < 0.2
    assert list(aligned.scores) != list(unaligned.scores)


@pytest.mark.parametrize("detector", ["mtcnn", "dlib", "yunet"])
def test_detector_change_keeps_face_ids(robot, create, astronaut, detector):
    if detector == "yunet" and not YUNET:
        pytest.skip("FER_ROS_YUNET does not name a YuNet model file")
    create(autostart=True, detector__model=YUNET).autostart()
    camera = robot.matched_camera()
    before = robot.process(camera, astronaut).faces[0]
    for values in ({"detector.name": detector}, _ALT2):
        result = set_parameters(robot, **values)
        if "needs the package" in result.reason:
            pytest.skip(result.reason)
        assert result.successful, result.reason
        (face,) = robot.process(camera, astronaut).faces
        assert face.face_id == before.face_id
        assert face.roi != before.roi
        assert abs(face.roi.width - before.roi.width) < 25


def test_failed_detector_change_keeps_detector(robot, create, astronaut, tmp_path):
    create(autostart=True).autostart()
    camera = robot.matched_camera()
    wrong = tmp_path / "wrong.onnx"
    wrong.write_text("no network")
    for values, text in (
        ({"detector.cascade": "unknown"}, "opencv-data"),
        ({"detector.name": "yunet"}, "model"),
        ({"detector.name": "yunet", "detector.model": "/not/here.onnx"}, "/not/here.onnx"),
        ({"detector.name": "yunet", "detector.model": str(wrong)}, "is not a YuNet"),
    ):
        result = set_parameters(robot, **values)
        assert not result.successful
        assert text in result.reason
        assert len(robot.process(camera, astronaut).faces) == 1


def test_invalid_parameter_changes_are_rejected(robot, create, astronaut):
    create(autostart=True).autostart()
    for values, text in (
        ({"detector.min_neighbors": -3}, "detector.min_neighbors"),
        ({"detector.scale_factor": 1.0}, "scale_factor"),
        ({"detector.scale_factor": "fast"}, "must be a double"),
        ({"detector.min_size": 90, "detector.max_size": 60}, "above detector.max_size (60 px)"),
        ({"tracking.max_roll": 120.0}, "max_roll"),
        ({"alignment": "always"}, "expected one of: off, tilted, on"),
        ({"tracking.contrast": "unknown"}, "expected one of: off, auto, equalize"),
        ({"model": "another"}, "read-only"),
    ):
        result = set_parameters(robot, **values)
        assert not result.successful
        assert text in result.reason
    assert len(robot.process(robot.matched_camera(), astronaut).faces) == 1


@pytest.mark.parametrize(
    ("parameters", "texts"),
    [
        ({"detector.min_neighbors": -3}, ["min_neighbors must be an integer, 0 to 100", "-3"]),
        ({"detector.min_neighbors": "many"}, ["min_neighbors must be an integer", "many"]),
        ({"smoothing.time_constant": "long"}, ["smoothing.time_constant must be a double", "long"]),
        ({"smoothing.time_constant": 61}, ["smoothing.time_constant must be a double, 0.0 to 60.0", "61"]),
        ({"model": 5}, ["model must be a string", "quotes"]),
        ({"alignment": 1}, ["alignment must be a string, off, tilted, on"]),
        ({"tracking.contrast": True}, ["tracking.contrast must be a string, off, auto, equalize", "True"]),
    ],
)
def test_invalid_initial_parameters_are_rejected(robot, parameters, texts):
    with pytest.raises(ParameterError) as error:
        EmotionNode(parameter_overrides=parameters_of(parameters))
    assert all(text in str(error.value) for text in texts)


# --- time-out of images ---


@pytest.fixture
def short_timeout(monkeypatch):
    monkeypatch.setattr(image_monitor, "TIMEOUT", 0.5)


def test_timeout_without_publisher_is_logged(short_timeout, robot, create, astronaut):
    create(autostart=True).autostart()
    (line,) = robot.wait_until(lambda: robot.logged("waiting for images"), "the log line")
    assert f"no publisher on {robot.namespace}/image;" in line
    robot.process(robot.matched_camera(), astronaut)
    robot.wait_until(lambda: robot.logged("receiving images"), "the log line")


@pytest.mark.parametrize(
    ("transport", "message_type", "topic", "text"),
    [
        ("raw", CompressedImage, "image/compressed", "image/compressed has compressed images: set the parameter"),
        ("compressed", Image, "image", "image has raw images: set the parameter image_transport to raw"),
    ],
)
def test_wrong_transport_is_named_with_its_topic(short_timeout, robot, create, transport, message_type, topic, text):
    robot.node.create_publisher(message_type, topic, 1)
    create(autostart=True, image_transport=transport).autostart()
    line = robot.wait_until(lambda: robot.logged("waiting for images"), "the log line")[-1]
    assert f"{robot.namespace}/{text}" in line
    assert "image_transport" in line


def test_idle_node_says_what_it_waits_for(robot, model, quick_start, monkeypatch):
    monkeypatch.setattr(processor, "_IDLE_LOGGED_AFTER", 0.3)
    robot.start(EmotionNode, model=str(model), cameras=["eye"]).autostart()
    (line,) = robot.wait_until(lambda: robot.logged("idle"), "the log line")
    assert f"subscribe to {robot.namespace}/eye/emotions or another output" in line


def test_node_without_autostart_says_what_it_waits_for(robot, create):
    create().autostart()
    (line,) = robot.wait_until(lambda: robot.logged("waiting to be configured"), "the log line")
    assert f"ros2 lifecycle set {robot.namespace}/emotion_node configure" in line


@pytest.mark.parametrize(
    ("middleware", "texts"),
    [
        ("rmw_fastrtps_cpp", ["shared memory segment", "FASTDDS_DEFAULT_PROFILES_FILE=", "config/fastdds.xml"]),
        ("rmw_cyclonedds_cpp", ["net.core.rmem_max", "CYCLONEDDS_URI=file://", "config/cyclonedds.xml"]),
        ("rmw_zenoh_cpp", ["dropped by the middleware"]),
    ],
)
def test_timeout_with_matched_publisher_is_explained(
    short_timeout, robot, create, astronaut, monkeypatch, middleware, texts
):
    monkeypatch.setattr(image_monitor, "get_rmw_implementation_identifier", lambda: middleware)
    create(autostart=True).autostart()
    camera = robot.camera()
    (line,) = robot.wait_until(lambda: robot.logged("no image on"), "a warning")
    assert f"{robot.namespace}/robot publishes there" in line
    assert all(text in line for text in texts)
    robot.wait_until(lambda: camera.publish(image_message(astronaut)) or robot.results, "a response")
    (line,) = robot.wait_until(lambda: robot.logged("still publishes"), "a warning")
    assert "frozen" in line


def test_timeout_with_incompatible_qos_is_explained(short_timeout, robot, create):
    topic = f"{robot.namespace}/image"
    create(autostart=True, **{f"qos_overrides.{topic}.subscription.reliability": "reliable"}).autostart()
    camera_like = QoSProfile(
        depth=1, reliability=QoSReliabilityPolicy.BEST_EFFORT, durability=QoSDurabilityPolicy.VOLATILE
    )
    robot.node.create_publisher(Image, "image", camera_like)
    (line,) = robot.wait_until(lambda: robot.logged("no image on"), "a warning")
    assert "reliab" in line.lower()
    assert f"qos_overrides.{topic}.subscription" in line


@pytest.fixture
def other_participant():
    """Return the context of another DDS participant; within one participant a topic has only one type."""
    context = rclpy.Context()
    rclpy.init(context=context)
    yield context
    rclpy.shutdown(context=context)


def test_timeout_with_other_message_type_is_explained(short_timeout, robot, create, other_participant):
    create(autostart=True).autostart()
    other_node = rclpy.create_node("other_node", namespace=robot.namespace, context=other_participant)
    other_node.create_publisher(CompressedImage, "image", 1)
    (line,) = robot.wait_until(lambda: robot.logged("no image on"), "a warning")
    assert "sensor_msgs/msg/CompressedImage" in line
    assert "image_transport" in line


def test_services_respond_while_waiting_for_images(robot, create, astronaut):
    node = create(autostart=True)
    node.autostart()
    robot.matched_camera().publish(image_message(astronaut))
    assert set_parameters(robot, detector__min_neighbors=4).successful
    assert state(robot) == State.PRIMARY_STATE_ACTIVE
