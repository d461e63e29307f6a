"""The emotion node on real DDS: what it answers, to what, and with which model."""

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
from fer_ros.nodes.emotion.node import EmotionNode
from fer_ros.nodes.emotion.state import NodeState
from fer_ros.srv import LoadModel


@pytest.fixture
def serve(robot, model, quick_start):
    """Starts an emotion node on `model`, with remappings and further parameters."""

    def start(*remappings, **parameters) -> EmotionNode:
        node = robot.start(EmotionNode, *remappings, **{"model": str(model), **parameters})
        assert node.autostart()
        return node

    return start


def test_a_face_is_answered_with_everything_that_is_known_of_it(robot, serve, model, astronaut):
    serve()
    camera = robot.heard_camera()
    first, *_, last = [robot.ask(camera, astronaut, "camera_optical_frame") for _ in range(6)]

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


def test_an_image_without_faces_is_answered_too(robot, serve):
    serve()
    answer = robot.ask(robot.heard_camera(), np.full((240, 320, 3), 128, np.uint8))
    assert (answer.image_width, answer.image_height) == (320, 240)
    assert list(answer.faces) == []
    assert answer.dominant_face_id == ""
    assert len(answer.labels) == 7


@pytest.mark.parametrize(("width", "height"), [(1, 1), (7680, 4320)])
def test_images_of_any_size_are_answered(robot, serve, width, height):
    serve()
    answer = robot.ask(robot.heard_camera(), np.zeros((height, width), np.uint8))
    assert (answer.image_width, answer.image_height) == (width, height)


def test_the_largest_of_several_faces_comes_first(robot, serve, astronaut):
    serve()
    picture = np.zeros((512, 800, 3), np.uint8)
    picture[200:456, :256] = astronaut[::2, ::2]
    picture[:, 288:] = astronaut
    large, small = robot.ask(robot.heard_camera(), picture).faces
    assert large.roi.width > small.roi.width
    assert large.roi.x_offset > 288 > small.roi.x_offset
    assert large.face_id != small.face_id


def test_no_image_is_answered_twice(robot, serve, astronaut):
    serve()
    camera = robot.heard_camera()
    for _ in range(5):
        robot.ask(camera, astronaut)
    stamps = [(answer.header.stamp.sec, answer.header.stamp.nanosec) for answer in robot.answers]
    assert len(stamps) == len(set(stamps)) == 5


def test_compressed_images_arrive_beside_what_image_is_remapped_to(robot, serve, astronaut):
    serve("image:=front/picture", image_transport="compressed")
    camera = robot.heard_camera("front/picture/compressed", CompressedImage)
    camera.publish(jpeg_message(astronaut, "front"))
    robot.wait_until(lambda: robot.answers, "an answer")
    assert robot.answers[0].header.frame_id == "front"
    assert len(robot.answers[0].faces) == 1


def test_an_image_that_nobody_has_stamped_is_answered(robot, serve, astronaut):
    serve()
    robot.heard_camera().publish(image_message(astronaut))
    robot.wait_until(lambda: robot.answers, "an answer")
    assert robot.answers[0].header.stamp.sec == 0
    assert len(robot.answers[0].faces) == 1


def test_the_picture_is_drawn_only_while_somebody_looks(robot, serve, astronaut, monkeypatch):
    drawn = []
    monkeypatch.setattr(drawing, "draw", lambda picture, *_: drawn.append(1) or picture.copy())
    node = serve()
    camera = robot.heard_camera()
    for _ in range(3):
        robot.ask(camera, astronaut)
    assert drawn == []

    pictures = []
    viewer = robot.node.create_subscription(Image, "emotions/image", pictures.append, 1)
    topic = f"{robot.namespace}/emotions/image"
    robot.wait_until(lambda: node.count_subscribers(topic), "the viewer to be seen")
    answer = robot.ask(camera, astronaut)
    robot.wait_until(lambda: robot.ask(camera, astronaut) and pictures, "a picture")
    assert pictures[-1].encoding == "bgr8"
    assert (pictures[-1].width, pictures[-1].height, pictures[-1].step) == (512, 512, 1536)
    assert pictures[-1].header.frame_id == answer.header.frame_id

    robot.node.destroy_subscription(viewer)
    robot.wait_until(lambda: not node.count_subscribers(topic), "the viewer to be gone")
    robot.ask(camera, astronaut)  # the publisher learns of it a moment later than the graph
    before = len(drawn)
    robot.wait_until(lambda: len(drawn) == before or drawn.clear(), "an image that is not drawn")


def test_raw_and_compressed_pictures_are_the_same_drawing(robot, serve, astronaut, monkeypatch):
    drawn, draw = [], drawing.draw
    monkeypatch.setattr(drawing, "draw", lambda *of: drawn.append(draw(*of)) or drawn[-1])
    serve()
    camera = robot.heard_camera()
    raw, compressed = [], []
    robot.node.create_subscription(Image, "emotions/image", raw.append, 1)
    robot.node.create_subscription(CompressedImage, "emotions/image/compressed", compressed.append, 1)

    robot.wait_until(lambda: robot.ask(camera, astronaut) and raw and compressed, "both to be heard")
    for _ in range(2):  # after the first, none that was drawn for an earlier image is still to come
        drawn.clear()
        header = robot.ask(camera, astronaut).header
        robot.wait_until(lambda header=header: raw[-1].header == header == compressed[-1].header, "both pictures")
    assert len(drawn) == 1
    assert compressed[-1].format == "bgr8; jpeg compressed bgr8"
    picture = cv2.imdecode(np.asarray(compressed[-1].data, np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape == drawn[0].shape
    assert np.abs(picture.astype(int) - drawn[0]).mean() < 3


def bad_images(good: np.ndarray) -> dict[str, Image]:
    """Images that cannot be read, by a word that their complaint must have in it."""

    def spoilt(**fields) -> Image:
        image = image_message(good)
        for name, value in fields.items():
            setattr(image, name, value)
        return image

    data = image_message(good).data
    return {
        "bytes": spoilt(data=data[:-1]),
        "no pixels": spoilt(height=0, data=data[:0]),
        "rgb9": spoilt(encoding="rgb9"),
        "step": spoilt(step=100),
        "depth": spoilt(encoding="32FC1", step=2048, data=data * 2),
    }


def test_bad_images_are_named_and_the_next_good_one_is_answered(robot, serve, astronaut):
    serve()
    camera = robot.heard_camera()
    # In an answer's wake, so that each is seen and not replaced by the next.
    for number, (word, image) in enumerate(bad_images(astronaut).items(), 1):
        camera.publish(image)
        robot.wait_until(lambda number=number: robot.logged(f"so far: {number})"), f"a complaint about {word}")
        assert word in robot.logged(f"so far: {number})")[0]
        assert len(robot.ask(camera, astronaut).faces) == 1
    assert len(robot.answers) == 5
    assert not robot.logged("unhandled error")


def test_the_same_complaint_is_not_repeated_for_every_image(robot, serve, astronaut):
    only = serve().processor.cameras[""]
    camera = robot.heard_camera()
    for number, word in enumerate(("rgb9", "rgb9", "rgb9", "step"), 1):
        camera.publish(bad_images(astronaut)[word])
        robot.wait_until(lambda number=number: only.statistics.unreadable == number, f"bad image {number} to be seen")
    robot.wait_until(lambda: robot.logged("so far: 4)"), "the other complaint")
    assert len(robot.logged("cannot read image")) == 2


def test_a_corrupt_jpeg_is_named(robot, serve, astronaut):
    serve(image_transport="compressed")
    camera = robot.heard_camera("image/compressed", CompressedImage)
    broken = jpeg_message(astronaut)
    broken.data = broken.data[: len(broken.data) // 2]
    camera.publish(broken)
    robot.wait_until(lambda: robot.logged("cannot read image"), "a complaint")
    camera.publish(jpeg_message(astronaut))
    robot.wait_until(lambda: robot.answers, "an answer to a good image")


def test_an_error_of_the_nodes_own_does_not_end_it(robot, serve, astronaut, monkeypatch):
    serve()
    camera = robot.heard_camera()

    def fail(*_):
        raise ZeroDivisionError("made for this test")

    with monkeypatch.context() as broken:
        broken.setattr(NodeState, "recognize", fail)
        camera.publish(image_message(astronaut))
        (line,) = robot.wait_until(lambda: robot.logged("made for this test"), "the error to be logged")
    assert "Traceback" in line
    assert len(robot.ask(camera, astronaut).faces) == 1


def test_qos_can_be_set_by_parameter(robot, serve, astronaut):
    topic = f"{robot.namespace}/image"
    node = serve(**{f"qos_overrides.{topic}.subscription.reliability": "reliable"})
    reliable = robot.heard_camera(qos=QoSProfile(depth=1))
    assert len(robot.ask(reliable, astronaut).faces) == 1
    (endpoint,) = node.get_subscriptions_info_by_topic(topic)
    assert endpoint.qos_profile.reliability.name == "RELIABLE"


# --- ~/load_model ---


def load(robot, model) -> LoadModel.Response:
    return robot.call(LoadModel, "emotion_node/load_model", model=str(model))


def test_another_model_takes_over_and_people_keep_their_names(robot, serve, tmp_path, astronaut):
    serve()
    camera = robot.heard_camera()
    before = robot.ask(camera, astronaut)
    other = untrained_model(tmp_path / "other.pt", labels=("sad", "happy", "calm"), answer="calm")
    response = load(robot, other)
    assert response.success, response.message
    after = robot.ask(camera, astronaut)
    assert response.model_id == after.model_id != before.model_id
    assert list(response.labels) == list(after.labels) == ["sad", "happy", "calm"]
    assert after.faces[0].face_id == before.faces[0].face_id
    assert list(after.faces[0].smoothed_scores) == pytest.approx(list(after.faces[0].scores))


def test_a_bad_model_changes_nothing(robot, serve, tmp_path, astronaut):
    serve()
    camera = robot.heard_camera()
    before = robot.ask(camera, astronaut)
    letter, empty = tmp_path / "letter.pt", tmp_path / "empty.pt"
    letter.write_text("Dear robot")
    empty.touch()
    for bad, word in {
        tmp_path / "missing.pt": "no file",
        letter: "not a readable model file",
        empty: "not a readable model file",
    }.items():
        response = load(robot, bad)
        assert not response.success
        assert word in response.message
        assert str(bad) in response.message
        assert response.model_id == before.model_id
    after = robot.ask(camera, astronaut)
    assert after.model_id == before.model_id
    assert after.faces[0].emotion == before.faces[0].emotion == "happy"


def test_fifty_models_in_turn_leave_no_image_unanswered(robot, serve, model, tmp_path, astronaut):
    other = untrained_model(tmp_path / "other.pt", labels=FER2013[::-1], answer="sad")
    words = {model_file.identify(model): "happy", model_file.identify(other): "sad"}
    serve()
    camera = robot.heard_camera()
    client = robot.node.create_client(LoadModel, "emotion_node/load_model")
    robot.wait_until(client.service_is_ready, "the service")
    small = np.ascontiguousarray(astronaut[::3, ::3])
    for number in range(50):
        swap = client.call_async(LoadModel.Request(model=str((other, model)[number % 2])))
        while not swap.done():
            # One by one, since a busy machine drops images for other reasons; each must be answered.
            robot.ask(camera, small)
        assert swap.result().success
    served = [answer.model_id for answer in robot.answers]
    assert set(served) == set(words)
    assert sum(before != after for before, after in itertools.pairwise(served)) > 25
    for answer in robot.answers:
        (face,) = answer.faces
        for vector in (face.scores, face.smoothed_scores):
            assert answer.labels[int(np.argmax(vector))] == words[answer.model_id]
