"""When the emotion node works and when it does not, and what that means for the people it knows."""

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
    """Starts an emotion node; `robot.events` is what it says on emotion_events."""
    robot.events = []
    robot.node.create_subscription(EmotionEvent, "emotion_events", robot.events.append, 50)

    def started(**parameters) -> EmotionNode:
        node = robot.start(EmotionNode, model=str(model), **{"events__appear_after": 0.0, **parameters})
        assert node.autostart()
        return node

    return started


def kinds(robot) -> list[tuple[int, str]]:
    return [(event.kind, event.face_id) for event in robot.events]


def listens(robot, node, topic="image") -> bool:
    names = node.get_subscriber_names_and_types_by_node(node.get_name(), node.get_namespace())
    return f"{robot.namespace}/{topic}" in dict(names)


def enable(robot, wanted: bool) -> SetBool.Response:
    return robot.call(SetBool, "emotion_node/enable", data=wanted)


def test_disabled_it_says_farewell_and_then_nothing(robot, start, astronaut):
    node = start()
    camera = robot.heard_camera()
    last = robot.ask(camera, astronaut)
    assert enable(robot, False).success
    robot.wait_until(lambda: len(robot.events) == 2, "the farewell")
    assert kinds(robot) == [(EmotionEvent.APPEARED, "f1"), (EmotionEvent.LOST, "f1")]
    assert robot.events[1].header == last.header
    assert not listens(robot, node)
    node.processor._worker.put("", image_message(astronaut, robot.stamp()))  # one that was on its way
    robot.node.destroy_publisher(camera)

    assert enable(robot, True).message == "enabled"
    (face,) = robot.ask(robot.heard_camera(), astronaut).faces
    assert face.face_id == "f2"
    assert len(robot.answers) == 2


def test_it_can_be_disabled_before_it_is_active(robot, start):
    node = start(autostart=False)
    for wanted in (True, False):
        response = enable(robot, wanted)
        assert response.success
        assert "not" in response.message
    assert node.trigger_configure() == node.trigger_activate()
    robot.wait_until(lambda: robot.logged("disabled: active"), "a word about it")
    assert not listens(robot, node)
    assert enable(robot, True).message == "enabled"
    robot.wait_until(lambda: listens(robot, node), "a subscription")


def test_reset_makes_everybody_a_stranger(robot, start, astronaut):
    node = start()
    camera = robot.heard_camera()
    robot.ask(camera, astronaut)
    assert robot.call(Trigger, "emotion_node/reset").success
    (face,) = robot.ask(camera, astronaut).faces
    assert face.face_id == "f2"
    assert list(face.smoothed_scores) == list(face.scores)
    robot.wait_until(lambda: len(robot.events) == 3, "all events")
    assert kinds(robot) == [(EmotionEvent.APPEARED, "f1"), (EmotionEvent.LOST, "f1"), (EmotionEvent.APPEARED, "f2")]
    node.trigger_deactivate()
    assert "not active" in robot.call(Trigger, "emotion_node/reset").message


def test_everybody_is_lost_when_an_active_node_is_shut_down(robot, start, astronaut):
    start()
    robot.ask(robot.heard_camera(), astronaut)
    request = ChangeState.Request().transition
    request.id = Transition.TRANSITION_ACTIVE_SHUTDOWN
    assert robot.call(ChangeState, "emotion_node/change_state", transition=request).success
    robot.wait_until(lambda: (EmotionEvent.LOST, "f1") in kinds(robot), "the farewell")


def test_it_works_for_a_camera_only_while_somebody_listens_to_what_it_says(robot, start, astronaut):
    node = start(cameras=["eye", "other"])
    assert not listens(robot, node, "eye/image")
    for number in (1, 2):
        listener = robot.node.create_subscription(FaceEmotionArray, "eye/emotions", robot.hear, 10)
        camera = robot.heard_camera("eye/image")
        (face,) = robot.ask(camera, astronaut).faces
        assert face.face_id == f"f{number}"
        assert not listens(robot, node, "other/image")
        robot.node.destroy_subscription(listener)
        robot.wait_until(lambda: not listens(robot, node, "eye/image"), "the end of the work")
        robot.node.destroy_publisher(camera)


def test_it_can_be_told_to_work_always(robot, start):
    node = start(cameras=["eye"], lazy=False)
    assert listens(robot, node, "eye/image")
    assert node.set_parameters([Parameter("lazy", value=True)])[0].successful
    robot.wait_until(lambda: not listens(robot, node, "eye/image"), "the end of the work")


def at(seconds: float) -> Time:
    return Time(sec=int(seconds), nanosec=round(seconds % 1 * 1e9))


def test_a_looped_recording_shows_other_people(robot, start, astronaut):
    start()
    camera = robot.heard_camera()
    for _ in range(2):
        for stamp in (100.0, 100.5, 101.0, 101.5):
            answer = robot.ask(camera, image_message(astronaut, at(stamp), f"loop {len(robot.answers) // 4}"))
            (face,) = answer.faces
            assert face.face_id == ("f1" if len(robot.answers) <= 4 else "f2")
            assert face.tracked_for.sec + face.tracked_for.nanosec * 1e-9 == pytest.approx(stamp - 100)
    robot.wait_until(lambda: len(robot.events) == 3, "all events")
    assert kinds(robot) == [(EmotionEvent.APPEARED, "f1"), (EmotionEvent.LOST, "f1"), (EmotionEvent.APPEARED, "f2")]
    # Of the time in which she was seen, not of that in which she was missed.
    assert robot.events[1].header == robot.answers[3].header


def test_a_late_image_is_left_out_and_counted(robot, start, astronaut, monkeypatch):
    monkeypatch.setattr(image_gate, "JUMP", DEADLINE)  # a busy machine may need a second for an image
    only = start().processor.cameras[""]
    camera = robot.heard_camera()
    robot.ask(camera, image_message(astronaut, at(100.0)))
    camera.publish(image_message(astronaut, at(99.9)))
    robot.wait_until(lambda: only.statistics.late, "it to be seen")
    (face,) = robot.ask(camera, image_message(astronaut, at(100.1))).faces
    assert face.face_id == "f1"
    assert [answer.header.stamp.sec for answer in robot.answers] == [100, 100]


def test_no_more_images_are_answered_than_are_wanted(robot, start, astronaut):
    node = start()
    only = node.processor.cameras[""]
    camera = robot.heard_camera()
    robot.ask(camera, astronaut)
    assert node.set_parameters([Parameter("max_rate", value=0.001)])[0].successful
    camera.publish(image_message(astronaut, robot.stamp()))
    robot.wait_until(lambda: len(robot.answers) == 2, "the first answer at this rate")
    for number in (1, 2, 3):
        camera.publish(image_message(astronaut, robot.stamp()))
        robot.wait_until(lambda number=number: only.statistics.above_max_rate == number, "it to be passed over")
    assert len(robot.answers) == 2


def test_no_more_faces_are_classified_than_are_wanted(robot, start, astronaut):
    node = start()
    camera = robot.heard_camera()
    picture = np.zeros((512, 800, 3), np.uint8)
    picture[200:456, :256] = astronaut[::2, ::2]
    picture[:, 288:] = astronaut
    assert len(robot.ask(camera, picture).faces) == 2
    assert node.set_parameters([Parameter("max_faces", value=1)])[0].successful
    (face,) = robot.ask(camera, picture).faces
    assert face.roi.x_offset > 288
