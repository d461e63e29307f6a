# SPDX-License-Identifier: Apache-2.0
"""When the emotion node processes images, and when it drops its tracks."""

import numpy as np
import pytest

pytest.importorskip("fer_ros.msg", reason="needs ROS 2 and the package's own messages: make setup")

from builtin_interfaces.msg import Time
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.parameter import Parameter
from robot import DEADLINE, image_message
from std_srvs.srv import SetBool, Trigger

from fer_ros.msg import EmotionEvent, FaceEmotionArray
from fer_ros.nodes.emotion import image_gate
from fer_ros.nodes.emotion.node import EmotionNode


@pytest.fixture
def start(robot, model, quick_start):
    """Start an emotion node; `robot.events` are its messages on emotion_events."""
    robot.events = []
    robot.node.create_subscription(EmotionEvent, "emotion_events", robot.events.append, 50)

    def started(**parameters) -> EmotionNode:
        node = robot.start(EmotionNode, model=str(model), **{"events__appear_after": 0.0, **parameters})
        assert node.autostart()
        return node

    return started


def kinds(robot) -> list[tuple[int, str]]:
    return [(event.kind, event.face_id) for event in robot.events]


def subscribes(robot, node, topic="image") -> bool:
    names = node.get_subscriber_names_and_types_by_node(node.get_name(), node.get_namespace())
    return f"{robot.namespace}/{topic}" in dict(names)


def enable(robot, enabled: bool) -> SetBool.Response:
    return robot.call(SetBool, "emotion_node/enable", data=enabled)


def test_disabled_node_drops_tracks_and_unsubscribes(robot, start, astronaut):
    node = start()
    camera = robot.matched_camera()
    last = robot.process(camera, astronaut)
    assert enable(robot, False).success
    robot.wait_until(lambda: len(robot.events) == 2, "the LOST event")
    assert kinds(robot) == [(EmotionEvent.APPEARED, "f1"), (EmotionEvent.LOST, "f1")]
    assert robot.events[1].header == last.header
    assert not subscribes(robot, node)
    node.processor._worker.put("", image_message(astronaut, robot.stamp()))  # one that was in transit
    robot.node.destroy_publisher(camera)

    assert enable(robot, True).message == "enabled"
    (face,) = robot.process(robot.matched_camera(), astronaut).faces
    assert face.face_id == "f2"
    assert len(robot.results) == 2


def test_enable_before_activation(robot, start):
    node = start(autostart=False)
    for enabled in (True, False):
        response = enable(robot, enabled)
        assert response.success
        assert "when the node is activated" in response.message
    assert node.trigger_configure() == node.trigger_activate()
    robot.wait_until(lambda: robot.logged("disabled: no images"), "the warning")
    assert not subscribes(robot, node)
    assert enable(robot, True).message == "enabled"
    robot.wait_until(lambda: subscribes(robot, node), "a subscription")


def test_reset_gives_new_ids(robot, start, astronaut):
    node = start()
    camera = robot.matched_camera()
    robot.process(camera, astronaut)
    assert robot.call(Trigger, "emotion_node/reset").success
    (face,) = robot.process(camera, astronaut).faces
    assert face.face_id == "f2"
    assert list(face.smoothed_scores) == list(face.scores)
    robot.wait_until(lambda: len(robot.events) == 3, "all events")
    assert kinds(robot) == [(EmotionEvent.APPEARED, "f1"), (EmotionEvent.LOST, "f1"), (EmotionEvent.APPEARED, "f2")]
    node.trigger_deactivate()
    assert "not active" in robot.call(Trigger, "emotion_node/reset").message


def test_shutdown_of_active_node_publishes_lost(robot, start, astronaut):
    start()
    robot.process(robot.matched_camera(), astronaut)
    request = ChangeState.Request().transition
    request.id = Transition.TRANSITION_ACTIVE_SHUTDOWN
    assert robot.call(ChangeState, "emotion_node/change_state", transition=request).success
    robot.wait_until(lambda: (EmotionEvent.LOST, "f1") in kinds(robot), "the LOST event")


def test_lazy_node_subscribes_only_for_subscribers(robot, start, astronaut):
    node = start(cameras=["eye", "other"])
    assert not subscribes(robot, node, "eye/image")
    for number in (1, 2):
        subscriber = robot.node.create_subscription(FaceEmotionArray, "eye/emotions", robot.add_result, 10)
        camera = robot.matched_camera("eye/image")
        (face,) = robot.process(camera, astronaut).faces
        assert face.face_id == f"f{number}"
        assert not subscribes(robot, node, "other/image")
        robot.node.destroy_subscription(subscriber)
        robot.wait_until(lambda: not subscribes(robot, node, "eye/image"), "the end of the subscription")
        robot.node.destroy_publisher(camera)


def test_lazy_is_dynamic(robot, start):
    node = start(cameras=["eye"], lazy=False)
    assert subscribes(robot, node, "eye/image")
    assert node.set_parameters([Parameter("lazy", value=True)])[0].successful
    robot.wait_until(lambda: not subscribes(robot, node, "eye/image"), "the end of the subscription")


def at(seconds: float) -> Time:
    return Time(sec=int(seconds), nanosec=round(seconds % 1 * 1e9))


def test_looped_recording_gets_new_ids(robot, start, astronaut):
    start()
    camera = robot.matched_camera()
    for _ in range(2):
        for stamp in (100.0, 100.5, 101.0, 101.5):
            result = robot.process(camera, image_message(astronaut, at(stamp), f"loop {len(robot.results) // 4}"))
            (face,) = result.faces
            assert face.face_id == ("f1" if len(robot.results) <= 4 else "f2")
            assert face.tracked_for.sec + face.tracked_for.nanosec * 1e-9 == pytest.approx(stamp - 100)
    robot.wait_until(lambda: len(robot.events) == 3, "all events")
    assert kinds(robot) == [(EmotionEvent.APPEARED, "f1"), (EmotionEvent.LOST, "f1"), (EmotionEvent.APPEARED, "f2")]
    # The header of the last image of the first loop.
    assert robot.events[1].header == robot.results[3].header


def test_late_image_is_dropped_and_counted(robot, start, astronaut, monkeypatch):
    monkeypatch.setattr(image_gate, "JUMP", DEADLINE)  # a busy machine may need a second per image
    only = start().processor.cameras[""]
    camera = robot.matched_camera()
    robot.process(camera, image_message(astronaut, at(100.0)))
    camera.publish(image_message(astronaut, at(99.9)))
    robot.wait_until(lambda: only.statistics.late, "it to be counted")
    (face,) = robot.process(camera, image_message(astronaut, at(100.1))).faces
    assert face.face_id == "f1"
    assert [result.header.stamp.sec for result in robot.results] == [100, 100]


def test_max_rate_limits_processed_images(robot, start, astronaut):
    node = start()
    only = node.processor.cameras[""]
    camera = robot.matched_camera()
    robot.process(camera, astronaut)
    assert node.set_parameters([Parameter("max_rate", value=0.1)])[0].successful
    camera.publish(image_message(astronaut, robot.stamp()))
    robot.wait_until(lambda: len(robot.results) == 2, "the first result at this rate")
    for number in (1, 2, 3):
        camera.publish(image_message(astronaut, robot.stamp()))
        robot.wait_until(lambda number=number: only.statistics.above_max_rate == number, "it to be dropped")
    assert len(robot.results) == 2


def test_max_faces_limits_classified_faces(robot, start, astronaut):
    node = start()
    camera = robot.matched_camera()
    image = np.zeros((512, 800, 3), np.uint8)
    image[200:456, :256] = astronaut[::2, ::2]
    image[:, 288:] = astronaut
    assert len(robot.process(camera, image).faces) == 2
    assert node.set_parameters([Parameter("max_faces", value=1)])[0].successful
    (face,) = robot.process(camera, image).faces
    assert face.roi.x_offset > 288
