# SPDX-License-Identifier: Apache-2.0
"""Events and positions published by the emotion node."""

import math

import numpy as np
import pytest

pytest.importorskip("fer_ros.msg", reason="needs ROS 2 and the package's own messages: make setup")

from builtin_interfaces.msg import Time
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.qos import QoSDurabilityPolicy, QoSProfile, qos_profile_sensor_data
from robot import camera_info, image_message
from sensor_msgs.msg import CameraInfo
from std_srvs.srv import Trigger

from fer_ros.msg import EmotionEvent
from fer_ros.nodes.common import image_monitor
from fer_ros.nodes.emotion import camera_info as camera_info_module
from fer_ros.nodes.emotion.node import EmotionNode

EMPTY = np.zeros((512, 512, 3), np.uint8)


@pytest.fixture
def node(robot, model, quick_start):
    robot.events = []
    robot.node.create_subscription(EmotionEvent, "emotion_events", robot.events.append, 50)
    return robot.start(lambda **options: started(EmotionNode(**options)), model=str(model), position__face_width=0.2)


def to_time(seconds: float) -> Time:
    return Time(sec=int(seconds), nanosec=round(seconds % 1 * 1e9))


def started(node):
    assert node.autostart()
    return node


def event(robot, kind):
    return robot.wait_until(lambda: next((e for e in robot.events if e.kind == kind), None), f"event {kind}")


def appear(robot, camera, astronaut):
    """Publish images of the face until it has appeared; return the last result."""
    for _ in range(5):
        result = robot.process(camera, astronaut)
    return result


def test_face_appears_once_and_is_lost_once(robot, node, astronaut):
    camera = robot.matched_camera()
    result = appear(robot, camera, astronaut)
    for _ in range(12):
        robot.process(camera, EMPTY)
    lost = event(robot, EmotionEvent.LOST)
    appeared = event(robot, EmotionEvent.APPEARED)
    assert [e.kind for e in robot.events] == [EmotionEvent.APPEARED, EmotionEvent.LOST]
    assert result.dominant_face_id == appeared.face_id == lost.face_id == result.faces[0].face_id
    assert (appeared.dominant, appeared.previous, appeared.current) == (True, "", result.faces[0].emotion)
    assert appeared.header in [each.header for each in robot.results]
    assert (lost.previous, lost.current) == (result.faces[0].emotion, "")
    assert math.isnan(lost.confidence)


@pytest.mark.parametrize("rate", [0.1, 0.9, 100.0])
def test_face_keeps_id_and_appears_once_at_any_rate(robot, node, astronaut, rate):
    camera = robot.matched_camera()
    images = max(5, int(0.4 * rate))
    for number in range(images):
        robot.process(camera, image_message(astronaut, to_time(2000 + number / rate)))
    appeared = event(robot, EmotionEvent.APPEARED)
    assert {face.face_id for result in robot.results for face in result.faces} == {appeared.face_id}
    assert [e.kind for e in robot.events] == [EmotionEvent.APPEARED]


@pytest.mark.parametrize("stamp", [Time(), Time(sec=12, nanosec=500_000_000)])
def test_time_counts_by_arrival_while_stamps_stand_still(robot, node, astronaut, stamp):
    camera = robot.matched_camera()

    def publish_until(image, kind):
        def arrived():
            camera.publish(image_message(image, stamp))
            return any(e.kind == kind for e in robot.events)

        robot.wait_until(arrived, f"event {kind}")

    publish_until(astronaut, EmotionEvent.APPEARED)
    publish_until(EMPTY, EmotionEvent.LOST)
    assert [e.kind for e in robot.events] == [EmotionEvent.APPEARED, EmotionEvent.LOST]
    (line,) = robot.wait_until(lambda: robot.logged("counted by their arrival"), "a warning")
    assert f"images on {robot.namespace}/image have " in line
    assert ("no stamp" if stamp == Time() else "the same stamp, 12.500 s") in line


def test_results_follow_only_after_the_notice(robot, model, quick_start, astronaut):
    node = robot.start(EmotionNode, model=str(model), labels="expressions", notice__seconds=1.0)
    assert node.autostart()
    robot.events = []
    robot.node.create_subscription(EmotionEvent, "emotion_events", robot.events.append, 50)
    camera = robot.matched_camera()
    first = robot.wait_until(
        lambda: (result := robot.process(camera, astronaut)).faces and result, "a result with the face"
    )
    event(robot, EmotionEvent.APPEARED)
    assert [e.kind for e in robot.events] == [EmotionEvent.NOTICE, EmotionEvent.APPEARED]
    noticed, appeared = (e.header.stamp.sec + 1e-9 * e.header.stamp.nanosec for e in robot.events)
    assert appeared - noticed == pytest.approx(1.0, abs=1e-6)
    assert appeared == first.header.stamp.sec + 1e-9 * first.header.stamp.nanosec
    assert robot.events[0].current == ""
    assert robot.events[1].current == first.faces[0].emotion == "smiling"
    assert "happy" not in first.labels
    assert math.isnan(first.faces[0].valence)


def subscribe_late(robot) -> list[EmotionEvent]:
    """Subscribe to the events once a face has appeared; return the list of what arrives."""
    event(robot, EmotionEvent.APPEARED)
    late = []
    robot.node.create_subscription(EmotionEvent, "emotion_events", late.append, 50)
    return late


def test_late_subscriber_is_told_who_is_present(robot, node, astronaut):
    camera = robot.matched_camera()
    appear(robot, camera, astronaut)
    late = subscribe_late(robot)
    robot.wait_until(lambda: robot.process(camera, astronaut) and late, "an event for the late subscriber")
    for _ in range(12):
        robot.process(camera, EMPTY)
    event(robot, EmotionEvent.LOST)
    robot.wait_until(lambda: len(late) > 1, "LOST")
    assert [(e.kind, e.face_id) for e in late] == [(EmotionEvent.PRESENT, "f1"), (EmotionEvent.LOST, "f1")]
    assert (late[0].dominant, late[0].previous, late[0].current) == (True, "", robot.events[0].current)
    assert [e.kind for e in robot.events] == [EmotionEvent.APPEARED, EmotionEvent.PRESENT, EmotionEvent.LOST]


def test_subscriber_before_reset_is_told_who_was_present(robot, node, astronaut):
    camera = robot.matched_camera()
    appear(robot, camera, astronaut)
    late = subscribe_late(robot)
    robot.wait_until(lambda: node.count_subscribers(f"{robot.namespace}/emotion_events") == 2, "the late subscriber")
    robot.wait_until(lambda: robot.call(Trigger, "emotion_node/reset").success and late, "events")
    robot.wait_until(lambda: len(late) > 1, "LOST")
    assert [e.kind for e in late] == [EmotionEvent.PRESENT, EmotionEvent.LOST]


def test_deactivation_publishes_lost(robot, node, astronaut):
    result = appear(robot, robot.matched_camera(), astronaut)
    request = ChangeState.Request().transition
    request.id = Transition.TRANSITION_DEACTIVATE
    assert robot.call(ChangeState, "emotion_node/change_state", transition=request).success
    lost = event(robot, EmotionEvent.LOST)
    assert lost.header == result.header
    assert lost.face_id == result.faces[0].face_id


def camera_info_publisher(robot, info: CameraInfo):
    publisher = robot.node.create_publisher(CameraInfo, "camera_info", qos_profile_sensor_data)
    robot.wait_until(lambda: publisher.get_subscription_count() > 0, "a subscription to camera_info")
    return lambda: publisher.publish(info)


def test_calibrated_camera_gives_positions(robot, node, astronaut):
    camera = robot.matched_camera()
    publish = camera_info_publisher(robot, camera_info(512, 512))

    def located_face():
        publish()
        (face,) = robot.process(camera, astronaut).faces
        return face if not math.isnan(face.position.z) else None

    face = robot.wait_until(located_face, "a position")
    assert face.position.z == pytest.approx(0.2 * 256 / face.roi.width, rel=0.05)
    center = face.roi.x_offset + face.roi.width / 2 - 256
    assert face.position.x == pytest.approx(face.position.z * center / 256, rel=0.1)
    assert face.position.y < 0  # above the center of the image; y points down


def test_latched_calibration_is_received(robot, node, astronaut):
    latched = QoSProfile(depth=1, durability=QoSDurabilityPolicy.TRANSIENT_LOCAL)
    robot.node.create_publisher(CameraInfo, "camera_info", latched).publish(camera_info(512, 512))
    camera = robot.matched_camera()

    def is_located():
        (face,) = robot.process(camera, astronaut).faces
        return not math.isnan(face.position.z)

    robot.wait_until(is_located, "a position")


def test_calibration_beside_the_images_is_received(robot, model, quick_start, astronaut):
    started(robot.start(EmotionNode, "image:=eye/image_raw", model=str(model)))
    camera = robot.matched_camera("eye/image_raw")
    infos = robot.node.create_publisher(CameraInfo, "eye/camera_info", qos_profile_sensor_data)

    def is_located():
        infos.publish(camera_info(512, 512))
        (face,) = robot.process(camera, astronaut).faces
        return not math.isnan(face.position.z)

    robot.wait_until(is_located, "a position")


def test_remapped_calibration_keeps_its_topic(robot, model, quick_start):
    node = started(robot.start(EmotionNode, "image:=eye/image_raw", "camera_info:=calibration", model=str(model)))
    subscribed = f"{robot.namespace}/calibration"
    robot.wait_until(lambda: node.count_subscribers(subscribed), f"a subscription to {subscribed}")
    assert not node.count_subscribers(f"{robot.namespace}/eye/camera_info")


def test_missing_positions_are_explained(robot, node, astronaut, monkeypatch):
    monkeypatch.setattr(image_monitor, "TIMEOUT", 0.5)
    monkeypatch.setattr(camera_info_module, "_CHECK_PERIOD", 0.05)
    camera = robot.matched_camera()

    def wait_for(*texts):
        def lines():
            robot.process(camera, astronaut)
            return [line for line in robot.logged("no positions") if all(text in line for text in texts)]

        assert len(robot.wait_until(lines, texts)) == 1

    wait_for(f"no publisher on {robot.namespace}/camera_info", "-r camera_info:=/its/topic")
    other = robot.node.create_publisher(CameraInfo, "eye/camera_info", qos_profile_sensor_data)
    wait_for("camera_info is published on", other.topic_name)
    silent = robot.node.create_publisher(CameraInfo, "camera_info", qos_profile_sensor_data)
    wait_for("no message on", f"{robot.namespace}/robot publishes there", "transient_local")
    uncalibrated = camera_info(512, 512)
    uncalibrated.k = [0.0] * 9
    robot.wait_until(lambda: silent.get_subscription_count() > 0, "a subscription")

    def explained():
        silent.publish(uncalibrated)
        robot.process(camera, astronaut)
        return robot.logged("uncalibrated camera, its k is 0")

    assert len(robot.wait_until(explained, "an explanation")) == 1


def test_camera_info_has_qos_overrides(robot, model, quick_start):
    name = f"qos_overrides.{robot.namespace}/camera_info.subscription"
    parameters = {f"{name}.durability": "transient_local", f"{name}.reliability": "reliable"}
    node = started(robot.start(EmotionNode, model=str(model), lazy=False, **parameters))
    (endpoint,) = robot.wait_until(
        lambda: node.get_subscriptions_info_by_topic(f"{robot.namespace}/camera_info"), "a subscription"
    )
    assert endpoint.qos_profile.durability == QoSDurabilityPolicy.TRANSIENT_LOCAL


def test_calibration_of_other_image_size_is_reported(robot, node, astronaut):
    camera = robot.matched_camera()
    publish = camera_info_publisher(robot, camera_info(1280, 720))

    def warnings():
        publish()
        (face,) = robot.process(camera, astronaut).faces
        assert math.isnan(face.position.z)
        return robot.logged("no positions: camera_info is for images of 1280x720")

    (warning,) = robot.wait_until(warnings, "a warning")
    assert "512x512" in warning
