"""The life of the emotion node: its states, its parameters, and what it says when it can do nothing."""

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
from fer_ros.nodes.emotion.node import EmotionNode
from fer_ros.srv import LoadModel

YUNET = os.environ.get("FER_ROS_YUNET", "")
"""Path of the model file, which is in no package."""
_ALT2 = {"detector.name": "viola_jones", "detector.cascade": "haarcascade_frontalface_alt2"}


@pytest.fixture
def make(robot, model, quick_start):
    """Makes an emotion node on `model` and leaves it unconfigured."""
    return lambda **parameters: robot.start(EmotionNode, **{"model": str(model), "autostart": False, **parameters})


# --- states ---


def change(robot, transition: int) -> bool:
    request = ChangeState.Request().transition
    request.id = transition
    return robot.call(ChangeState, "emotion_node/change_state", transition=request).success


def state(robot) -> int:
    return robot.call(GetState, "emotion_node/get_state").current_state.id


def topics(node, of) -> set[str]:
    """The node's own topics of the kind that `of` lists."""
    return {name.removeprefix(f"{node.get_namespace()}/") for name, _ in of(node.get_name(), node.get_namespace())}


def entities(node) -> list[int]:
    """How many of each kind the node holds."""
    return [len(list(kind)) for kind in (node.publishers, node.subscriptions, node.services, node.timers, node.guards)]


def test_every_state_holds_what_belongs_to_it_twice_over(robot, make, astronaut):
    node = make()
    bare_services = topics(node, node.get_service_names_and_types_by_node)
    threads, held = threading.active_count(), entities(node)

    def graph_shows(publishes: bool, listens: bool) -> None:
        def agrees() -> bool:
            published = topics(node, node.get_publisher_names_and_types_by_node)
            heard = topics(node, node.get_subscriber_names_and_types_by_node)
            return ({"emotions", "emotions/image"} <= published, "image" in heard) == (publishes, listens)

        robot.wait_until(agrees, "the graph to show it")

    for _ in range(2):
        assert state(robot) == State.PRIMARY_STATE_UNCONFIGURED
        graph_shows(publishes=False, listens=False)
        assert change(robot, Transition.TRANSITION_CONFIGURE)
        assert state(robot) == State.PRIMARY_STATE_INACTIVE
        graph_shows(publishes=True, listens=False)
        assert change(robot, Transition.TRANSITION_ACTIVATE)
        graph_shows(publishes=True, listens=True)
        camera = robot.heard_camera()
        robot.ask(camera, astronaut)
        assert change(robot, Transition.TRANSITION_DEACTIVATE)
        graph_shows(publishes=True, listens=False)
        robot.node.destroy_publisher(camera)
        assert change(robot, Transition.TRANSITION_CLEANUP)
        graph_shows(publishes=False, listens=False)
        assert topics(node, node.get_service_names_and_types_by_node) == bare_services
        assert "images" not in {thread.name for thread in threading.enumerate()}
        assert entities(node) == held
    # The executor's own threads come with the first work.
    assert threading.active_count() <= threads + 3
    assert change(robot, Transition.TRANSITION_UNCONFIGURED_SHUTDOWN)


def test_a_model_that_is_loaded_too_late_finds_the_node_cleaned_up_and_alive(robot, make, tmp_path, monkeypatch):
    make(autostart=True).autostart()
    loading, go_on = threading.Event(), threading.Event()

    def load_slowly(*arguments):
        loading.set()
        assert go_on.wait(DEADLINE)
        return Classifier(*arguments)

    monkeypatch.setattr(model_cache, "Classifier", load_slowly)
    model = untrained_model(tmp_path / "late.pt")
    client = robot.node.create_client(LoadModel, "emotion_node/load_model")
    robot.wait_until(client.service_is_ready, "the service")
    late = client.call_async(LoadModel.Request(model=str(model)))
    assert loading.wait(DEADLINE)
    assert change(robot, Transition.TRANSITION_DEACTIVATE)
    assert change(robot, Transition.TRANSITION_CLEANUP)
    go_on.set()
    robot.wait_until(late.done, "an answer")
    assert not late.result().success
    assert "not configured" in late.result().message
    assert late.result().model_id == ""
    monkeypatch.undo()
    assert change(robot, Transition.TRANSITION_CONFIGURE)


def test_an_active_node_can_be_shut_down(robot, make, astronaut):
    make()
    assert change(robot, Transition.TRANSITION_CONFIGURE)
    assert change(robot, Transition.TRANSITION_ACTIVATE)
    robot.ask(robot.heard_camera(), astronaut)
    assert change(robot, Transition.TRANSITION_ACTIVE_SHUTDOWN)
    assert state(robot) == State.PRIMARY_STATE_FINALIZED
    assert "images" not in {thread.name for thread in threading.enumerate()}


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"model": "/not/here.pt"}, ["/not/here.pt"]),
        ({"model": "unheard_of"}, ["unheard_of", "absolute path"]),
        ({"detector.cascade": "unheard_of"}, ["unheard_of", "opencv-data"]),
        ({"detector.name": "crystal_ball"}, ["detector.name", "crystal_ball", "viola_jones, mtcnn, dlib, yunet"]),
        ({"detector.name": "yunet"}, ["yunet", "model"]),
        ({"image_transport": "pigeon"}, ["image_transport", "pigeon", "raw, compressed"]),
        (
            {"detector.min_size": 90, "detector.max_size": 60},
            ["detector.min_size (90 px)", "detector.max_size (60 px)"],
        ),
    ],
)
def test_what_cannot_be_configured_is_named_and_leaves_the_node_unconfigured(robot, make, parameters, words):
    node = make(**parameters)
    assert not change(robot, Transition.TRANSITION_CONFIGURE)
    assert state(robot) == State.PRIMARY_STATE_UNCONFIGURED
    (line,) = robot.wait_until(lambda: robot.logged("cannot configure"), "a reason")
    assert all(word in line for word in words), line
    assert "emotions" not in topics(node, node.get_publisher_names_and_types_by_node)


def test_contradictory_parameters_can_be_put_right_and_configured(robot, make):
    make(detector__min_size=90, detector__max_size=60)
    assert not change(robot, Transition.TRANSITION_CONFIGURE)
    assert set_parameters(robot, detector__min_size=30).successful
    assert change(robot, Transition.TRANSITION_CONFIGURE)


# --- parameters ---


def set_parameters(robot, **values):
    messages = [parameter.to_parameter_msg() for parameter in parameters_of(values)]
    return robot.call(SetParametersAtomically, "emotion_node/set_parameters_atomically", parameters=messages).result


def test_tuning_takes_effect_while_the_node_runs(robot, make, astronaut):
    make(autostart=True).autostart()
    camera = robot.heard_camera()
    before = robot.ask(camera, astronaut).faces[0]
    assert set_parameters(robot, detector__max_size=60).successful
    assert not robot.ask(camera, astronaut).faces
    assert set_parameters(robot, detector__min_size=100, detector__max_size=0).successful
    assert robot.ask(camera, astronaut).faces[0].face_id == before.face_id


def test_a_tilted_smile_in_the_dark_is_found_and_read_as_far_as_the_node_is_told_to(robot, make, astronaut):
    make(autostart=True, model="mini_xception", tracking__contrast="off").autostart()
    camera = robot.heard_camera()
    turn = cv2.getRotationMatrix2D((222, 118), -25.0, 1.0)
    tilted = cv2.warpAffine(astronaut, turn, (512, 512), borderMode=cv2.BORDER_REPLICATE)[:240, 100:340]
    dark = np.ascontiguousarray(tilted // 8)
    upright = robot.ask(camera, np.ascontiguousarray(astronaut[:240, 100:340])).faces[0]
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
        found[contrast, max_roll, alignment] = robot.ask(camera, dark).faces
    assert [bool(faces) for faces in found.values()] == [False, False, False, True, True]
    as_it_is, aligned = (faces[0] for faces in list(found.values())[-2:])
    assert aligned.emotion == upright.emotion == "happy"
    happy = FER2013.index("happy")
    assert abs(aligned.scores[happy] - upright.scores[happy]) < 0.2
    assert list(aligned.scores) != list(as_it_is.scores)


@pytest.mark.parametrize("detector", ["mtcnn", "dlib", "yunet"])
def test_another_detector_takes_over_while_the_node_runs_and_people_keep_their_names(robot, make, astronaut, detector):
    if detector == "yunet" and not YUNET:
        pytest.skip("FER_ROS_YUNET does not name a YuNet model file")
    make(autostart=True, detector__model=YUNET).autostart()
    camera = robot.heard_camera()
    before = robot.ask(camera, astronaut).faces[0]
    for values in ({"detector.name": detector}, _ALT2):
        result = set_parameters(robot, **values)
        if "needs the package" in result.reason:
            pytest.skip(result.reason)
        assert result.successful, result.reason
        (face,) = robot.ask(camera, astronaut).faces
        assert face.face_id == before.face_id
        assert face.roi != before.roi
        assert abs(face.roi.width - before.roi.width) < 25


def test_a_detector_that_cannot_be_had_changes_nothing(robot, make, astronaut, tmp_path):
    make(autostart=True).autostart()
    camera = robot.heard_camera()
    wrong = tmp_path / "wrong.onnx"
    wrong.write_text("no network")
    for values, word in (
        ({"detector.cascade": "unheard_of"}, "opencv-data"),
        ({"detector.name": "yunet"}, "model"),
        ({"detector.name": "yunet", "detector.model": "/not/here.onnx"}, "/not/here.onnx"),
        ({"detector.name": "yunet", "detector.model": str(wrong)}, "is not a YuNet"),
    ):
        result = set_parameters(robot, **values)
        assert not result.successful
        assert word in result.reason
        assert len(robot.ask(camera, astronaut).faces) == 1


def test_what_makes_no_sense_is_refused_with_a_reason(robot, make, astronaut):
    make(autostart=True).autostart()
    for values, word in (
        ({"detector.min_neighbors": -3}, "detector.min_neighbors"),
        ({"detector.scale_factor": 1.0}, "scale_factor"),
        ({"detector.scale_factor": "fast"}, "type"),
        ({"detector.min_size": 90, "detector.max_size": 60}, "above detector.max_size (60 px)"),
        ({"tracking.max_roll": 120.0}, "max_roll"),
        ({"alignment": "always"}, "expected one of: off, tilted, on"),
        ({"tracking.contrast": "candles"}, "expected one of: off, auto, equalize"),
        ({"model": "another"}, "read-only"),
    ):
        result = set_parameters(robot, **values)
        assert not result.successful
        assert word in result.reason
    assert len(robot.ask(robot.heard_camera(), astronaut).faces) == 1


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"detector.min_neighbors": -3}, ["min_neighbors must be an integer, 0 to 100", "-3"]),
        ({"detector.min_neighbors": "many"}, ["min_neighbors must be an integer", "many"]),
        ({"smoothing.time_constant": 1}, ["smoothing.time_constant must be a double", "decimal point"]),
    ],
)
def test_a_node_is_not_made_with_parameters_of_wrong_type_or_range(robot, parameters, words):
    with pytest.raises(ParameterError) as error:
        EmotionNode(parameter_overrides=parameters_of(parameters))
    assert all(word in str(error.value) for word in words)


# --- silence ---


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(image_monitor, "TIMEOUT", 0.5)


def test_it_says_when_nobody_publishes_and_when_somebody_does(impatient, robot, make, astronaut):
    make(autostart=True).autostart()
    (line,) = robot.wait_until(lambda: robot.logged("waiting for images"), "a word about it")
    assert f"no publisher on {robot.namespace}/image;" in line
    robot.ask(robot.heard_camera(), astronaut)
    robot.wait_until(lambda: robot.logged("receiving images"), "a word about it")


@pytest.mark.parametrize(
    ("middleware", "words"),
    [
        ("rmw_fastrtps_cpp", ["shared memory segment", "FASTDDS_DEFAULT_PROFILES_FILE=", "config/fastdds.xml"]),
        ("rmw_cyclonedds_cpp", ["net.core.rmem_max", "CYCLONEDDS_URI=file://", "config/cyclonedds.xml"]),
        ("rmw_zenoh_cpp", ["dropped by the middleware"]),
    ],
)
def test_it_says_why_a_matched_publisher_is_not_heard(
    impatient, robot, make, astronaut, monkeypatch, middleware, words
):
    monkeypatch.setattr(image_monitor, "get_rmw_implementation_identifier", lambda: middleware)
    make(autostart=True).autostart()
    camera = robot.camera()
    (line,) = robot.wait_until(lambda: robot.logged("no image on"), "a warning")
    assert f"{robot.namespace}/robot publishes there" in line
    assert all(word in line for word in words)
    robot.wait_until(lambda: camera.publish(image_message(astronaut)) or robot.answers, "an answer")
    (line,) = robot.wait_until(lambda: robot.logged("still publishes"), "a warning")
    assert "frozen" in line


def test_it_says_when_the_publishers_qos_never_matches(impatient, robot, make):
    topic = f"{robot.namespace}/image"
    make(autostart=True, **{f"qos_overrides.{topic}.subscription.reliability": "reliable"}).autostart()
    camera_like = QoSProfile(
        depth=1, reliability=QoSReliabilityPolicy.BEST_EFFORT, durability=QoSDurabilityPolicy.VOLATILE
    )
    robot.node.create_publisher(Image, "image", camera_like)
    (line,) = robot.wait_until(lambda: robot.logged("no image on"), "a warning")
    assert "reliab" in line.lower()
    assert f"qos_overrides.{topic}.subscription" in line


@pytest.fixture
def elsewhere():
    """Another DDS participant; within one, a topic has only one type."""
    context = rclpy.Context()
    rclpy.init(context=context)
    yield context
    rclpy.shutdown(context=context)


def test_it_says_when_the_topic_carries_something_else(impatient, robot, make, elsewhere):
    make(autostart=True).autostart()
    stranger = rclpy.create_node("stranger", namespace=robot.namespace, context=elsewhere)
    stranger.create_publisher(CompressedImage, "image", 1)
    (line,) = robot.wait_until(lambda: robot.logged("no image on"), "a warning")
    assert "sensor_msgs/msg/CompressedImage" in line
    assert "image_transport" in line


def test_the_wait_for_images_does_not_hold_up_services(robot, make, astronaut):
    node = make(autostart=True)
    node.autostart()
    robot.heard_camera().publish(image_message(astronaut))
    assert set_parameters(robot, detector__min_neighbors=4).successful
    assert state(robot) == State.PRIMARY_STATE_ACTIVE
