"""Who comes and goes before the emotion node, and where they stand."""

import math

import numpy as np
import pytest

pytest.importorskip("fer_ros.msg", reason="needs ROS 2 and the package's own messages: make setup")

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.qos import qos_profile_sensor_data
from robot import calibration
from sensor_msgs.msg import CameraInfo

from fer_ros.msg import EmotionEvent
from fer_ros.nodes.emotion.node import EmotionNode

NOBODY = np.zeros((512, 512, 3), np.uint8)


@pytest.fixture
def node(robot, model, quick_start):
    robot.events = []
    robot.node.create_subscription(EmotionEvent, "emotion_events", robot.events.append, 50)
    return robot.start(lambda **options: started(EmotionNode(**options)), model=str(model), position__face_width=0.2)


def started(node):
    assert node.autostart()
    return node


def event(robot, kind):
    return robot.wait_until(lambda: next((e for e in robot.events if e.kind == kind), None), f"event {kind}")


def appear(robot, camera, astronaut):
    """Shows the face until it counts; the answer to the last image."""
    for _ in range(5):
        answer = robot.ask(camera, astronaut)
    return answer


def test_somebody_appears_once_and_is_lost_once(robot, node, astronaut):
    camera = robot.heard_camera()
    answer = appear(robot, camera, astronaut)
    for _ in range(12):
        robot.ask(camera, NOBODY)
    lost = event(robot, EmotionEvent.LOST)
    appeared = event(robot, EmotionEvent.APPEARED)
    assert [e.kind for e in robot.events] == [EmotionEvent.APPEARED, EmotionEvent.LOST]
    assert answer.dominant_face_id == appeared.face_id == lost.face_id == answer.faces[0].face_id
    assert (appeared.dominant, appeared.previous, appeared.current) == (True, "", answer.faces[0].emotion)
    assert appeared.header in [each.header for each in robot.answers]
    assert (lost.previous, lost.current) == (answer.faces[0].emotion, "")
    assert math.isnan(lost.confidence)


def test_everybody_is_lost_when_the_node_goes_inactive(robot, node, astronaut):
    answer = appear(robot, robot.heard_camera(), astronaut)
    request = ChangeState.Request().transition
    request.id = Transition.TRANSITION_DEACTIVATE
    assert robot.call(ChangeState, "emotion_node/change_state", transition=request).success
    lost = event(robot, EmotionEvent.LOST)
    assert lost.header == answer.header
    assert lost.face_id == answer.faces[0].face_id


def tell_calibration(robot, info: CameraInfo):
    publisher = robot.node.create_publisher(CameraInfo, "camera_info", qos_profile_sensor_data)
    robot.wait_until(lambda: publisher.get_subscription_count() > 0, "a subscription to camera_info")
    return lambda: publisher.publish(info)


def test_with_a_calibrated_camera_a_face_has_a_place(robot, node, astronaut):
    camera = robot.heard_camera()
    publish = tell_calibration(robot, calibration(512, 512))

    def placed():
        publish()
        (face,) = robot.ask(camera, astronaut).faces
        return face if not math.isnan(face.position.z) else None

    face = robot.wait_until(placed, "a position")
    assert face.position.z == pytest.approx(0.2 * 256 / face.roi.width, rel=0.05)
    center = face.roi.x_offset + face.roi.width / 2 - 256
    assert face.position.x == pytest.approx(face.position.z * center / 256, rel=0.1)
    assert face.position.y < 0  # above the middle of the image; y points down


def test_a_calibration_of_other_images_is_named_and_gives_no_place(robot, node, astronaut):
    camera = robot.heard_camera()
    publish = tell_calibration(robot, calibration(1280, 720))

    def complained():
        publish()
        (face,) = robot.ask(camera, astronaut).faces
        assert math.isnan(face.position.z)
        return robot.logged("no positions: camera_info is for images of 1280x720")

    (complaint,) = robot.wait_until(complained, "a complaint")
    assert "512x512" in complaint
