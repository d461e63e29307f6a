# SPDX-License-Identifier: Apache-2.0
"""Results, annotated images and model replacement of the emotion node, over DDS."""

import itertools
import math

import cv2
import numpy as np
import pytest

pytest.importorskip("fer_ros.msg", reason="needs ROS 2 and the package's own messages: make setup")

from rclpy.qos import QoSProfile
from robot import image_message, jpeg_message, untrained_model
from sensor_msgs.msg import CompressedImage, Image

from fer_ros.emotion import model_file
from fer_ros.emotion.classifier import Classifier
from fer_ros.emotion.labels import FER2013
from fer_ros.media import drawing
from fer_ros.nodes.common.log_throttle import LogThrottle
from fer_ros.nodes.emotion.node import EmotionNode
from fer_ros.nodes.emotion.state import NodeState
from fer_ros.srv import LoadModel


@pytest.fixture
def start(robot, model, quick_start):
    """Start an emotion node on `model`, with remappings and further parameters."""

    def started(*remappings, **parameters) -> EmotionNode:
        node = robot.start(EmotionNode, *remappings, **{"model": str(model), "models__any_folder": True, **parameters})
        assert node.autostart()
        return node

    return started


def test_result_has_all_fields_of_a_face(robot, start, model, astronaut):
    start()
    camera = robot.matched_camera()
    first, *_, last = [robot.process(camera, astronaut, "camera_optical_frame") for _ in range(6)]

    assert (last.image_width, last.image_height) == (512, 512)
    assert last.header.frame_id == "camera_optical_frame"
    assert last.model_id.startswith("untrained@")
    assert list(last.labels) == list(Classifier(model).labels)
    assert last.processing_time.sec + last.processing_time.nanosec > 0
    (face,) = last.faces
    assert face.face_id == first.faces[0].face_id == last.dominant_face_id != ""
    roi = face.roi
    assert roi.width > 50
    assert roi.height > 50
    assert roi.x_offset + roi.width <= 512
    assert roi.y_offset + roi.height <= 512
    assert (face.tracked_for.sec, face.tracked_for.nanosec) == (0, pytest.approx(5e8, abs=1e3))
    for vector in (face.scores, face.smoothed_scores):
        assert len(vector) == 7
        assert np.isfinite(vector).all()
        assert sum(vector) == pytest.approx(1, abs=1e-5)
    assert face.emotion == "happy"
    assert face.confidence == pytest.approx(max(face.smoothed_scores))
    assert all(map(math.isnan, (face.position.x, face.position.y, face.position.z)))


def test_image_without_faces_gives_empty_result(robot, start):
    start()
    result = robot.process(robot.matched_camera(), np.full((240, 320, 3), 128, np.uint8))
    assert (result.image_width, result.image_height) == (320, 240)
    assert list(result.faces) == []
    assert result.dominant_face_id == ""
    assert len(result.labels) == 7


@pytest.mark.parametrize(("width", "height"), [(1, 1), (7680, 4320)])
def test_images_of_any_size_give_results(robot, start, width, height):
    start()
    result = robot.process(robot.matched_camera(), np.zeros((height, width), np.uint8))
    assert (result.image_width, result.image_height) == (width, height)


def test_largest_face_comes_first(robot, start, astronaut):
    start()
    image = np.zeros((512, 800, 3), np.uint8)
    image[200:456, :256] = astronaut[::2, ::2]
    image[:, 288:] = astronaut
    large, small = robot.process(robot.matched_camera(), image).faces
    assert large.roi.width > small.roi.width
    assert large.roi.x_offset > 288 > small.roi.x_offset
    assert large.face_id != small.face_id


def test_each_image_gives_one_result(robot, start, astronaut):
    start()
    camera = robot.matched_camera()
    for _ in range(5):
        robot.process(camera, astronaut)
    stamps = [(result.header.stamp.sec, result.header.stamp.nanosec) for result in robot.results]
    assert len(stamps) == len(set(stamps)) == 5


def test_compressed_topic_follows_remapped_image(robot, start, astronaut):
    start("image:=front/camera", image_transport="compressed")
    camera = robot.matched_camera("front/camera/compressed", CompressedImage)
    camera.publish(jpeg_message(astronaut, "front"))
    robot.wait_until(lambda: robot.results, "a result")
    assert robot.results[0].header.frame_id == "front"
    assert len(robot.results[0].faces) == 1


def test_image_without_stamp_gives_result(robot, start, astronaut):
    start()
    robot.matched_camera().publish(image_message(astronaut))
    robot.wait_until(lambda: robot.results, "a result")
    assert robot.results[0].header.stamp.sec == 0
    assert len(robot.results[0].faces) == 1


def test_annotated_image_is_drawn_only_for_subscribers(robot, start, astronaut, monkeypatch):
    drawn = []
    monkeypatch.setattr(drawing, "draw", lambda image, *_: drawn.append(1) or image.copy())
    node = start()
    camera = robot.matched_camera()
    for _ in range(3):
        robot.process(camera, astronaut)
    assert drawn == []

    images = []
    viewer = robot.node.create_subscription(Image, "emotions/image", images.append, 1)
    topic = f"{robot.namespace}/emotions/image"
    robot.wait_until(lambda: node.count_subscribers(topic), "the viewer to be discovered")
    result = robot.process(camera, astronaut)
    robot.wait_until(lambda: robot.process(camera, astronaut) and images, "a image")
    assert images[-1].encoding == "bgr8"
    assert (images[-1].width, images[-1].height, images[-1].step) == (512, 512, 1536)
    assert images[-1].header.frame_id == result.header.frame_id

    robot.node.destroy_subscription(viewer)
    robot.wait_until(lambda: not node.count_subscribers(topic), "the viewer to be gone")
    robot.process(camera, astronaut)  # the publisher notices it a moment later than the graph
    before = len(drawn)
    robot.wait_until(lambda: len(drawn) == before or drawn.clear(), "an image that is not drawn")


def test_raw_and_compressed_images_are_drawn_once(robot, start, astronaut, monkeypatch):
    drawn, draw = [], drawing.draw
    monkeypatch.setattr(drawing, "draw", lambda *arguments: drawn.append(draw(*arguments)) or drawn[-1])
    start()
    camera = robot.matched_camera()
    raw, compressed = [], []
    robot.node.create_subscription(Image, "emotions/image", raw.append, 1)
    robot.node.create_subscription(CompressedImage, "emotions/image/compressed", compressed.append, 1)

    robot.wait_until(lambda: robot.process(camera, astronaut) and raw and compressed, "both images")
    for _ in range(2):  # after the first, no image drawn for an earlier result is still in transit
        drawn.clear()
        header = robot.process(camera, astronaut).header
        robot.wait_until(lambda header=header: raw[-1].header == header == compressed[-1].header, "both images")
    assert len(drawn) == 1
    assert compressed[-1].format == "bgr8; jpeg compressed bgr8"
    image = cv2.imdecode(np.asarray(compressed[-1].data, np.uint8), cv2.IMREAD_COLOR)
    assert image.shape == drawn[0].shape
    assert np.abs(image.astype(int) - drawn[0]).mean() < 3


def bad_images(good: np.ndarray) -> dict[str, Image]:
    """Return unreadable images, by a text that must be in their warning."""

    def damaged(**fields) -> Image:
        image = image_message(good)
        for name, value in fields.items():
            setattr(image, name, value)
        return image

    data = image_message(good).data
    return {
        "bytes": damaged(data=data[:-1]),
        "no pixels": damaged(height=0, data=data[:0]),
        "rgb9": damaged(encoding="rgb9"),
        "step": damaged(step=100),
        "depth": damaged(encoding="32FC1", step=2048, data=data * 2),
    }


def test_unreadable_images_are_reported_and_skipped(robot, start, astronaut):
    start().processor.cameras[""]._throttle = LogThrottle(interval=0.0)  # two of them are of one kind
    camera = robot.matched_camera()
    # After a result, so that none is replaced by the next one.
    for number, (text, image) in enumerate(bad_images(astronaut).items(), 1):
        camera.publish(image)
        robot.wait_until(lambda number=number: robot.logged(f"so far: {number})"), f"a warning about {text}")
        assert text in robot.logged(f"so far: {number})")[0]
        assert len(robot.process(camera, astronaut).faces) == 1
    assert len(robot.results) == 5
    assert not robot.logged("unhandled error")


def test_same_warning_is_throttled(robot, start, astronaut):
    only = start().processor.cameras[""]
    camera = robot.matched_camera()
    for number, text in enumerate(("rgb9", "rgb9", "rgb9", "step"), 1):
        camera.publish(bad_images(astronaut)[text])
        robot.wait_until(lambda number=number: only.statistics.unreadable == number, f"unreadable image {number}")
    robot.wait_until(lambda: robot.logged("so far: 4)"), "the other warning")
    assert len(robot.logged("cannot read image")) == 2


def test_truncated_jpegs_of_different_lengths_are_logged_once(robot, start, astronaut):
    only = start(image_transport="compressed").processor.cameras[""]
    camera = robot.matched_camera("image/compressed", CompressedImage)
    broken = jpeg_message(astronaut)
    for number in range(1, 21):
        broken.data = broken.data[:-100]
        camera.publish(broken)
        robot.wait_until(lambda number=number: only.statistics.unreadable == number, f"unreadable image {number}")
    assert len(robot.logged("cannot read image")) == 1


def test_corrupt_jpeg_is_reported(robot, start, astronaut):
    start(image_transport="compressed")
    camera = robot.matched_camera("image/compressed", CompressedImage)
    broken = jpeg_message(astronaut)
    broken.data = broken.data[: len(broken.data) // 2]
    camera.publish(broken)
    robot.wait_until(lambda: robot.logged("cannot read image"), "a warning")
    camera.publish(jpeg_message(astronaut))
    robot.wait_until(lambda: robot.results, "the result of a good image")


def test_node_survives_an_unhandled_error(robot, start, astronaut, monkeypatch):
    start()
    camera = robot.matched_camera()

    def fail(*_):
        raise ZeroDivisionError("raised by this test")

    with monkeypatch.context() as broken:
        broken.setattr(NodeState, "recognize", fail)
        camera.publish(image_message(astronaut))
        (line,) = robot.wait_until(lambda: robot.logged("raised by this test"), "the error to be logged")
    assert "Traceback" in line
    assert len(robot.process(camera, astronaut).faces) == 1


def test_qos_is_overridden_by_parameter(robot, start, astronaut):
    topic = f"{robot.namespace}/image"
    node = start(**{f"qos_overrides.{topic}.subscription.reliability": "reliable"})
    reliable = robot.matched_camera(qos=QoSProfile(depth=1))
    assert len(robot.process(reliable, astronaut).faces) == 1
    (endpoint,) = node.get_subscriptions_info_by_topic(topic)
    assert endpoint.qos_profile.reliability.name == "RELIABLE"


# --- ~/load_model ---


def load(robot, model) -> LoadModel.Response:
    return robot.call(LoadModel, "emotion_node/load_model", model=str(model))


def test_load_model_keeps_face_ids(robot, start, tmp_path, astronaut):
    start()
    camera = robot.matched_camera()
    before = robot.process(camera, astronaut)
    other = untrained_model(tmp_path / "other.pt", labels=("sad", "happy", "calm"), emotion="calm")
    response = load(robot, other)
    assert response.success, response.message
    after = robot.process(camera, astronaut)
    assert response.model_id == after.model_id != before.model_id
    assert list(response.labels) == list(after.labels) == ["sad", "happy", "calm"]
    assert after.faces[0].face_id == before.faces[0].face_id
    assert list(after.faces[0].smoothed_scores) == pytest.approx(list(after.faces[0].scores))


def test_load_model_keeps_current_model_on_failure(robot, start, tmp_path, astronaut):
    start()
    camera = robot.matched_camera()
    before = robot.process(camera, astronaut)
    text, empty = tmp_path / "text.pt", tmp_path / "empty.pt"
    text.write_text("no model")
    empty.touch()
    for bad, reason in {
        tmp_path / "missing.pt": "no file",
        text: "not a readable model file",
        empty: "not a readable model file",
    }.items():
        response = load(robot, bad)
        assert not response.success
        assert reason in response.message
        assert str(bad) in response.message
        assert response.model_id == before.model_id
    after = robot.process(camera, astronaut)
    assert after.model_id == before.model_id
    assert after.faces[0].emotion == before.faces[0].emotion == "happy"


def test_load_model_fifty_times_loses_no_image(robot, start, model, tmp_path, astronaut):
    other = untrained_model(tmp_path / "other.pt", labels=FER2013[::-1], emotion="sad")
    emotions = {model_file.identify(model): "happy", model_file.identify(other): "sad"}
    start()
    camera = robot.matched_camera()
    client = robot.node.create_client(LoadModel, "emotion_node/load_model")
    robot.wait_until(client.service_is_ready, "the service")
    small = np.ascontiguousarray(astronaut[::3, ::3])
    for number in range(50):
        replacement = client.call_async(LoadModel.Request(model=str((other, model)[number % 2])))
        while not replacement.done():
            # One by one, since a busy machine drops images for other reasons; each must give a result.
            robot.process(camera, small)
        assert replacement.result().success
    used = [result.model_id for result in robot.results]
    assert set(used) == set(emotions)
    assert sum(before != after for before, after in itertools.pairwise(used)) > 25
    for result in robot.results:
        (face,) = result.faces
        for vector in (face.scores, face.smoothed_scores):
            assert result.labels[int(np.argmax(vector))] == emotions[result.model_id]
