# SPDX-License-Identifier: Apache-2.0
"""Tracking by the emotion node, with moving faces in synthetic images, over DDS."""

import cv2
import numpy as np
import pytest

pytest.importorskip("fer_ros.msg", reason="needs ROS 2 and the package's own messages: make setup")

from fer_ros.msg import EmotionEvent
from fer_ros.nodes.emotion.node import EmotionNode

WIDTH, HEIGHT = 640, 240


@pytest.fixture
def node(robot, model, quick_start):
    robot.events = []
    robot.node.create_subscription(EmotionEvent, "emotion_events", robot.events.append, 50)
    node = robot.start(EmotionNode, model=str(model))
    assert node.autostart()
    return node


@pytest.fixture(scope="module")
def head(astronaut) -> np.ndarray:
    return astronaut[20:220, 130:330]


def scene(*heads: tuple[np.ndarray, int, float]) -> np.ndarray:
    """Return a gray image with heads of (image, size in pixels, x of the center), each in front of those before it."""
    image = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    for head, size, x in heads:
        left, top = round(x) - size // 2, (HEIGHT - size) // 2
        image[top : top + size, left : left + size] = cv2.resize(head, (size, size), interpolation=cv2.INTER_AREA)
    return image


def test_crossing_faces_keep_their_ids(robot, node, head):
    camera = robot.matched_camera()
    mirrored = np.ascontiguousarray(head[:, ::-1])
    steps = 30
    for step in range(steps):
        progress = step / (steps - 1)
        robot.process(camera, scene((mirrored, 130, 560 - 480 * progress), (head, 200, 100 + 440 * progress)))
    both = [result.faces for result in robot.results if len(result.faces) == 2]
    assert {(faces[0].face_id, faces[1].face_id) for faces in both} == {("f1", "f2")}
    # Before and after the crossing.
    assert both[0][0].roi.x_offset < both[0][1].roi.x_offset
    assert both[-1][0].roi.x_offset > both[-1][1].roi.x_offset
    assert {face.face_id for result in robot.results for face in result.faces} == {"f1", "f2"}
    assert {event.kind for event in robot.events} == {EmotionEvent.APPEARED}


def test_face_hidden_for_half_a_second_keeps_its_id(robot, node, head):
    camera = robot.matched_camera()
    seen = []
    for step in range(15):
        hidden = 5 <= step < 10  # at 10 Hz
        result = robot.process(camera, scene() if hidden else scene((head, 200, 120 + 25 * step)))
        seen.append([face.face_id for face in result.faces])
    assert seen == [["f1"]] * 5 + [[]] * 5 + [["f1"]] * 5
    assert [event.kind for event in robot.events] == [EmotionEvent.APPEARED]
