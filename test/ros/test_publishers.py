# SPDX-License-Identifier: Apache-2.0
"""Publishers for third-party messages, over DDS."""

import importlib
import math
import sys

import numpy as np
import pytest

pytest.importorskip("fer_ros.msg", reason="needs ROS 2 and the package's own messages: make setup")

from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.qos import QoSDurabilityPolicy, QoSProfile
from robot import camera_info
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header
from visualization_msgs.msg import Marker, MarkerArray

from fer_ros.emotion.labels import FER2013
from fer_ros.media import drawing
from fer_ros.msg import FaceEmotionArray
from fer_ros.nodes.common.names import status_name
from fer_ros.nodes.emotion.node import EmotionNode
from fer_ros.nodes.emotion.publishers.base import unique_id
from fer_ros.types import Box, FaceResult, Landmarks

EMPTY = np.zeros((512, 512, 3), np.uint8)
PUBLISHERS = ("markers", "tf", "vision_msgs", "hri", "foxglove")
WITHOUT_WHEELS = {"tf": "tf2_msgs", "vision_msgs": "vision_msgs", "hri": "hri_msgs", "foxglove": "foxglove_msgs"}


def messages_of(package):
    return pytest.importorskip(f"{package}.msg", reason=f"needs {package}, which has no wheel")


@pytest.fixture
def start(robot, model, quick_start):
    """Start an emotion node with the given publishers."""

    def started(*publishers, **parameters) -> EmotionNode:
        switches = {f"publish.{publisher}": True for publisher in publishers}
        node = robot.start(EmotionNode, model=str(model), position__face_width=0.2, **switches, **parameters)
        assert node.autostart()
        return node

    return started


@pytest.fixture
def subscribe(robot):
    """Subscribe to a topic of the node, and return the list of received messages."""

    def subscribed(node, message_type, topic, qos=10) -> list:
        received = []
        subscription = robot.node.create_subscription(message_type, topic, received.append, qos)
        robot.wait_until(lambda: node.count_subscribers(subscription.topic_name), f"a subscription to {topic}")
        robot.wait_until(lambda: node.count_publishers(subscription.topic_name), f"a publisher on {topic}")
        return received

    return subscribed


class Camera:
    """A calibrated camera with a field of view of 90 degrees."""

    def __init__(self, robot, prefix="", size=512):
        self._robot = robot
        self._camera = robot.matched_camera(f"{prefix}image")
        self._info = robot.node.create_publisher(CameraInfo, f"{prefix}camera_info", 1)
        self._size = size

    def show(self, image, until, what):
        """Publish the image, each time after the previous result, until `until` returns a true value; return that."""

        def step():
            self._info.publish(camera_info(self._size, self._size))
            self._robot.process(self._camera, image, "camera_optical_frame")
            return until()

        return self._robot.wait_until(step, what)


def located_face(robot):
    """Return the face of the last result, if it has a position."""
    faces = robot.results[-1].faces
    return faces[0] if faces and not math.isnan(faces[0].position.z) else None


# --- switching on and off ---


def test_disabled_publishers_are_not_imported(robot, start, monkeypatch):
    modules = {f"fer_ros.nodes.emotion.publishers.{publisher}" for publisher in PUBLISHERS}
    for module in modules:
        monkeypatch.delitem(sys.modules, module, raising=False)
    node = start()
    topics = {topic for topic, _ in node.get_publisher_names_and_types_by_node("emotion_node", robot.namespace)}
    own = {f"{robot.namespace}/{topic}" for topic in ("emotions", "emotions/image", "emotion_events")}
    assert own <= topics
    others = ("markers", "detections", "label_info", "annotations", "/tf")
    assert not [topic for topic in topics if topic.endswith(others) or topic.startswith("/humans")]
    assert not modules & set(sys.modules)


@pytest.mark.parametrize("publisher", WITHOUT_WHEELS)
def test_missing_package_is_reported_with_install_command(robot, model, quick_start, publisher, monkeypatch):
    package = WITHOUT_WHEELS[publisher]
    monkeypatch.setitem(sys.modules, package, None)  # as where it is not installed
    monkeypatch.delitem(sys.modules, f"fer_ros.nodes.emotion.publishers.{publisher}", raising=False)
    node = robot.start(EmotionNode, model=str(model), publish__markers=True, **{f"publish.{publisher}": True})
    assert node.trigger_configure() == TransitionCallbackReturn.FAILURE
    (line,) = robot.wait_until(lambda: robot.logged("cannot configure"), "the reason")
    assert "\n" not in line
    assert f"apt install ros-$ROS_DISTRO-{package.replace('_', '-')}" in line
    assert not node.count_publishers(f"{robot.namespace}/emotions/markers")


def test_subscriber_of_publisher_starts_processing(robot, model, quick_start, subscribe, astronaut):
    node = robot.start(EmotionNode, model=str(model), cameras=["eye"], publish__markers=True)
    assert node.autostart()
    image = f"{robot.namespace}/eye/image"
    assert not node.count_subscribers(image)  # /robot/eye/emotions has no subscriber
    subscribe(node, MarkerArray, "eye/emotions/markers")
    robot.wait_until(lambda: node.count_subscribers(image), "a subscription to the camera")


@pytest.mark.parametrize("publisher", PUBLISHERS)
def test_cleanup_destroys_publishers(robot, model, quick_start, publisher, astronaut):
    if publisher in WITHOUT_WHEELS:
        messages_of(WITHOUT_WHEELS[publisher])
    switches = {f"publish.{publisher}": True, "events.appear_after": 0.0}
    node = robot.start(EmotionNode, model=str(model), **switches)

    def entities():
        return len(list(node.publishers)), len(list(node.timers)), len(node._managed_entities)

    before = entities()
    for _ in range(2):
        assert node.autostart()
        robot.process(robot.matched_camera(), astronaut)
        assert node.trigger_deactivate() == node.trigger_cleanup() == TransitionCallbackReturn.SUCCESS
        assert entities() == before


# --- markers ---


def test_markers_follow_face_and_are_deleted_when_lost(robot, start, subscribe, astronaut):
    received = subscribe(start("markers"), MarkerArray, "emotions/markers")
    camera = Camera(robot)
    camera.show(astronaut, lambda: located_face(robot) and received, "markers")
    face = located_face(robot)
    robot.wait_until(lambda: received[-1].markers[0].header == robot.results[-1].header, "the last markers")
    sphere, text = received[-1].markers
    for marker in (sphere, text):
        assert marker.action == Marker.ADD
        assert marker.id == int(face.face_id.removeprefix("f"))
        assert marker.header.frame_id == "camera_optical_frame"
        assert marker.lifetime.sec == 1
        assert (marker.pose.position.x, marker.pose.position.z) == (face.position.x, face.position.z)
        blue, green, red = drawing.color_of(face.emotion)
        assert (marker.color.r, marker.color.g, marker.color.b) == pytest.approx((red / 255, green / 255, blue / 255))
    assert (sphere.type, text.type) == (Marker.SPHERE, Marker.TEXT_VIEW_FACING)
    assert sphere.pose.position.y == face.position.y > text.pose.position.y  # y points down
    assert text.text.startswith(f"{face.face_id} {face.emotion} ")
    assert (sphere.ns, text.ns) == ("faces", "labels")
    assert text.scale.x == text.scale.z / 2, "RViz takes the width of a blank from it"

    def deleted():
        return {m.ns for array in received for m in array.markers if (m.action, m.id) == (Marker.DELETE, sphere.id)}

    camera.show(astronaut, lambda: robot.results[-1].faces[0].tracked_for.sec, "APPEARED")
    camera.show(EMPTY, lambda: deleted() == {"faces", "labels"}, "the deletion of the markers")


def test_markers_need_calibration(robot, start, subscribe, astronaut):
    received = subscribe(start("markers"), MarkerArray, "emotions/markers")
    camera = robot.matched_camera()
    for _ in range(3):
        robot.process(camera, astronaut)
    assert received == []


def test_positions_without_frame_id_are_not_published(robot, start, subscribe, astronaut):
    received = subscribe(start("markers"), MarkerArray, "emotions/markers")
    camera = Camera(robot)
    camera.show(astronaut, lambda: located_face(robot) and received, "markers")
    received.clear()
    for _ in range(2):
        assert robot.process(camera._camera, astronaut, "").faces[0].position.z > 0
    (line,) = robot.wait_until(lambda: robot.logged("have an empty frame_id"), "the log line")
    assert line.startswith("no markers")
    assert not received


class NamedNode:
    def __init__(self, name):
        self._name = name

    def get_fully_qualified_name(self):
        return self._name


@pytest.mark.parametrize(
    ("node", "camera", "unique", "status"),
    [
        ("/emotion_node", "", "f1", "emotion_node: task"),
        ("/emotion_node", "left", "left_f1", "emotion_node: task"),
        ("/robot1/emotion_node", "left", "robot1_left_f1", "robot1/emotion_node: task"),
        ("/a/b/face", "", "a_b_face_f1", "a/b/face: task"),
    ],
)
def test_names_are_unique_by_node(node, camera, unique, status):
    assert unique_id(NamedNode(node), camera, "f1") == unique
    assert status_name(NamedNode(node), "task") == status


# --- tf ---


def test_tf_has_frame_at_each_face(robot, start, subscribe, astronaut):
    tf_message = messages_of("tf2_msgs").TFMessage
    received = subscribe(start("tf"), tf_message, "/tf", 100)
    camera = Camera(robot)
    camera.show(astronaut, lambda: located_face(robot) and received, "a transform")
    (transform,) = received[0].transforms
    result = next(result for result in robot.results if result.header == transform.header)
    (face,) = result.faces
    assert transform.child_frame_id == f"face_{robot.namespace.strip('/')}_{face.face_id}"
    translation, rotation = transform.transform.translation, transform.transform.rotation
    assert (translation.x, translation.y, translation.z) == (face.position.x, face.position.y, face.position.z)

    # REP 155: x out of the face, here toward the camera, z to the top of the head.
    to_camera = Rotation.from_quat([rotation.x, rotation.y, rotation.z, rotation.w])
    assert to_camera.apply([1, 0, 0]) == pytest.approx([0, 0, -1])
    assert to_camera.apply([0, 0, 1]) == pytest.approx([0, -1, 0])


# --- vision_msgs ---


def test_detections_have_all_classes_and_latched_labels(robot, start, subscribe, astronaut):
    vision_msgs = messages_of("vision_msgs")
    node = start("vision_msgs")
    received = subscribe(node, vision_msgs.Detection2DArray, "emotions/detections")
    camera = robot.matched_camera()
    result = robot.process(camera, astronaut)
    robot.wait_until(lambda: received and received[-1].header == result.header, "detections")
    (detection,), (face,) = received[-1].detections, result.faces
    assert detection.id == face.face_id
    assert detection.header == result.header
    assert detection.bbox.center.position.x == face.roi.x_offset + face.roi.width / 2
    assert detection.bbox.center.position.y == face.roi.y_offset + face.roi.height / 2
    assert (detection.bbox.size_x, detection.bbox.size_y) == (face.roi.width, face.roi.height)
    results = {result.hypothesis.class_id: result.hypothesis.score for result in detection.results}
    assert results == dict(zip(result.labels, face.smoothed_scores, strict=True))
    assert detection.results[0].hypothesis.score == max(results.values())
    assert math.isnan(detection.results[0].pose.pose.position.x)

    empty = robot.process(camera, EMPTY)
    robot.wait_until(lambda: received[-1].header == empty.header, "an image without detections")
    assert list(received[-1].detections) == []

    latched = QoSProfile(depth=1, durability=QoSDurabilityPolicy.TRANSIENT_LOCAL)
    label_info = subscribe(node, vision_msgs.LabelInfo, "emotions/label_info", latched)
    robot.wait_until(lambda: label_info, "the classes")
    assert [(each.class_id, each.class_name) for each in label_info[0].class_map] == list(enumerate(result.labels))
    assert label_info[0].threshold == pytest.approx(0.35)


# --- hri ---


def test_hri_topics_exist_from_appeared_to_lost(robot, start, subscribe, astronaut):
    hri_msgs = messages_of("hri_msgs")
    node = start("hri", events__appear_after=0.0)
    tracked = subscribe(node, hri_msgs.IdsList, "/humans/faces/tracked")
    camera = robot.matched_camera()
    name = f"{robot.namespace.strip('/')}_{robot.process(camera, astronaut).faces[0].face_id}"
    robot.wait_until(lambda: tracked and tracked[-1].ids == [name], "the id")
    own = f"/humans/faces/{name}"
    received = {
        topic: subscribe(node, message_type, f"{own}/{topic}")
        for topic, message_type in (
            ("roi", hri_msgs.NormalizedRegionOfInterest2D),
            ("cropped", Image),
            ("expression", hri_msgs.Expression),
        )
    }
    robot.wait_until(lambda: robot.process(camera, astronaut) and all(received.values()), "a message on each topic")
    assert node.count_publishers(f"{own}/aligned") == 1

    result = next(each for each in robot.results if each.header == received["roi"][0].header)
    (face,) = result.faces
    region = received["roi"][0]
    assert region.xmin * 512 == pytest.approx(face.roi.x_offset)
    assert region.ymax * 512 == pytest.approx(face.roi.y_offset + face.roi.height)
    assert 0 <= region.xmin < region.xmax <= 1
    assert 0 <= region.ymin < region.ymax <= 1

    expression = received["expression"][-1]
    assert expression.expression == hri_msgs.Expression.HAPPY
    assert 0 < expression.confidence <= 1
    assert expression.valence > 0

    cropped = received["cropped"][-1]
    assert (cropped.width, cropped.height, cropped.encoding) == (128, 128, "bgr8")
    pixels = np.asarray(cropped.data, np.uint8).reshape(128, 128, 3)
    roi = astronaut[face.roi.y_offset :, face.roi.x_offset :][: face.roi.height, : face.roi.width]
    assert pixels.mean() == pytest.approx(roi.mean(), abs=6)

    def gone():
        return tracked[-1].ids == [] and not any(node.count_publishers(f"{own}/{topic}") for topic in received)

    robot.wait_until(lambda: robot.process(camera, EMPTY) and gone(), "the topics to be gone")


def test_hri_list_is_empty_after_deactivation(robot, start, subscribe, astronaut):
    hri_msgs = messages_of("hri_msgs")
    node = start("hri", events__appear_after=0.0)
    tracked = subscribe(node, hri_msgs.IdsList, "/humans/faces/tracked")
    camera = robot.matched_camera()
    robot.process(camera, astronaut)
    robot.wait_until(lambda: tracked and tracked[-1].ids, "an id")
    assert node.trigger_deactivate() == TransitionCallbackReturn.SUCCESS
    robot.wait_until(lambda: tracked[-1].ids == [], "an empty list")
    assert not node.count_publishers(f"/humans/faces/{robot.namespace.strip('/')}_f1/roi")


def test_hri_list_has_unique_ids_of_all_cameras(robot, start, subscribe, astronaut):
    hri_msgs = messages_of("hri_msgs")
    node = start("hri", events__appear_after=0.0, cameras=["left", "right"])
    tracked = subscribe(node, hri_msgs.IdsList, "/humans/faces/tracked")
    cameras = []
    for name in ("left", "right"):
        robot.node.create_subscription(FaceEmotionArray, f"{name}/emotions", robot.add_result, 100)
        cameras.append(robot.matched_camera(f"{name}/image"))
    for camera in cameras:
        robot.process(camera, astronaut)
    left, right = (f"{robot.namespace.strip('/')}_{name}_f1" for name in ("left", "right"))
    robot.wait_until(lambda: tracked and tracked[-1].ids == [left, right], "both ids")
    robot.wait_until(lambda: robot.process(cameras[0], EMPTY) and tracked[-1].ids == [right], "only the other id")


def face_showing(emotion):
    scores = np.ones(1, np.float32)
    return FaceResult(
        box=Box(0, 0, 1, 1), labels=("happy",), scores=scores, smoothed_scores=scores, emotion=emotion, confidence=1.0
    )


def test_hri_expressions():
    messages_of("hri_msgs")
    hri = importlib.import_module("fer_ros.nodes.emotion.publishers.hri")
    emotions = (*FER2013, "calm", "unknown")
    expressions = [hri._expression(face_showing(emotion), Header()).expression for emotion in emotions]
    assert expressions == ["angry", "disgusted", "scared", "happy", "sad", "surprised", "neutral", "", ""]


def test_hri_aligned_crop_has_level_eyes():
    messages_of("hri_msgs")
    hri = importlib.import_module("fer_ros.nodes.emotion.publishers.hri")
    image = np.zeros((200, 200, 3), np.uint8)
    eyes = Landmarks(left_eye=(80.0, 90.0), right_eye=(120.0, 110.0))
    for x, y in (eyes.left_eye, eyes.right_eye):
        image[int(y) - 3 : int(y) + 4, int(x) - 3 : int(x) + 4] = 255
    rows = np.nonzero(hri._crop(image, Box(60, 60, 80, 80), eyes.roll).any(axis=(1, 2)))[0]
    rolled = np.nonzero(hri._crop(image, Box(60, 60, 80, 80)).any(axis=(1, 2)))[0]
    assert np.ptp(rows) < 18 < np.ptp(rolled)


# --- foxglove ---


def test_foxglove_annotations_match_boxes(robot, start, subscribe, astronaut):
    foxglove_msgs = messages_of("foxglove_msgs")
    received = subscribe(start("foxglove"), foxglove_msgs.ImageAnnotations, "emotions/annotations")
    camera = robot.matched_camera()
    result = robot.process(camera, astronaut)
    (face,) = result.faces
    robot.wait_until(lambda: received and received[-1].points, "annotations")
    (box,), (text,) = received[-1].points, received[-1].texts
    assert box.type == foxglove_msgs.PointsAnnotation.LINE_LOOP
    assert box.timestamp == text.timestamp
    roi = face.roi
    xs, ys = {point.x for point in box.points}, {point.y for point in box.points}
    assert xs == {roi.x_offset, roi.x_offset + roi.width}
    assert ys == {roi.y_offset, roi.y_offset + roi.height}
    assert text.text.startswith("happy ")
    count = len(received)
    robot.process(camera, EMPTY)
    robot.wait_until(lambda: len(received) > count and not received[-1].points, "an empty message")
