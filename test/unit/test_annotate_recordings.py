# SPDX-License-Identifier: Apache-2.0
"""The command fer-annotate on rosbag2 recordings, and copies of them with the emotions added."""

import json
import sys

import cv2
import pytest
from annotations import assert_equal
from recordings import TOPIC, read_bag, rolled, write_bag

import fer_ros
from fer_ros import resources
from fer_ros.media import bags as annotation_bags
from fer_ros.media.bag_writer import message_types
from fer_ros.media.image_header import ImageError


@pytest.mark.parametrize(("storage", "compressed"), [("sqlite3", False), ("mcap", True)])
def test_recording_gives_the_recognizers_results(annotate, tmp_path, photo, storage, compressed):
    images = rolled(photo)
    mixed = [images[index] for index in (0, 2, 1, 3, 4, 5)]  # one image overtook another
    code, rows, objects, output = annotate(write_bag(tmp_path / "bag", mixed, storage, compressed=compressed))
    assert code == 0, output
    recognizer = fer_ros.EmotionRecognizer(backend="opencv")
    assert len(objects) == len(images)
    for row, record, (stamp, image) in zip(rows, objects, images, strict=True):
        if compressed:
            image = cv2.imdecode(cv2.imencode(".jpg", image)[1], cv2.IMREAD_GRAYSCALE)  # the luma, as the node has it
        (face,) = recognizer.recognize(image, stamp * 1e-9)
        assert_equal(record, face)
        assert row["time"] == f"{stamp // 10**9}.{stamp % 10**9:09d}"
    assert {"bag_faces.webm", "bag_timeline.png"} <= {path.name for path in (tmp_path / "out").iterdir()}


def test_recording_with_several_topics_needs_a_choice(annotate, tmp_path, photo):
    bag = write_bag(tmp_path / "bag", rolled(photo, 2), topics=("/left", "/right"))
    code, rows, _, output = annotate(bag)
    assert (code, rows) == (2, [])
    assert "has several image topics: /left, /right; choose one with --topic" in output
    assert annotate(bag, "--topic", "/right")[0] == 0
    code, _, _, output = annotate(bag, "--topic", "/up")
    assert "has no image topic /up; its image topics: /left, /right" in output


def test_unusable_recordings_are_named_and_others_annotated(annotate, tmp_path, photo):
    empty = write_bag(tmp_path / "empty", [], topics=())
    cut = write_bag(tmp_path / "cut", rolled(photo))
    (database,) = cut.glob("*.db3")
    database.write_bytes(database.read_bytes()[: database.stat().st_size // 2])
    broken = write_bag(tmp_path / "broken", rolled(photo, 2), "mcap")
    (storage,) = broken.glob("*.mcap")
    storage.write_bytes(bytes(100))
    good = write_bag(tmp_path / "good", rolled(photo, 2))
    code, _, objects, output = annotate(empty, cut, broken, good)
    assert code == 1
    errors = [line for line in output.splitlines() if line.startswith("fer-annotate: error: ")]
    assert len(errors) == 3, output
    assert "empty has no image topic; its topics: " in errors[0]
    assert sum(row["file"] == str(good) for row in objects) == 2


def test_recording_without_rosbags_names_the_extra(annotate, tmp_path, photo, monkeypatch):
    bag = write_bag(tmp_path / "bag", rolled(photo, 1))
    monkeypatch.setitem(sys.modules, "rosbags.rosbag2", None)
    code, _, _, output = annotate(bag)
    assert code == 2
    assert "needs the package rosbags: pip install rosbags" in output


def test_recording_skips_images_that_cannot_be_converted(annotate, tmp_path, photo, monkeypatch):
    bag = write_bag(tmp_path / "bag", rolled(photo, 3))
    gray, calls = annotation_bags.encodings.gray, []

    def convert(raw):
        calls.append(raw)
        if len(calls) == 2:
            raise ImageError("no such encoding", "encoding")
        return gray(raw)

    monkeypatch.setattr(annotation_bags.encodings, "gray", convert)
    code, _, objects, output = annotate(bag)
    assert (code, [row["frame"] for row in objects]) == (0, [0, 2])
    assert f"bag: image 1 of {TOPIC} is left out: no such encoding" in output


def test_bag_copy_has_all_messages_and_the_emotions(annotate, tmp_path, photo):
    bag = write_bag(tmp_path / "bag", rolled(photo), "mcap")
    code, _, objects, output = annotate(bag, "--bag")
    assert code == 0, output
    copied = read_bag(tmp_path / "out" / "bag_emotions")
    original = read_bag(bag)
    assert [message for message in copied if message[0] in (TOPIC, "/chatter")] == original
    types = message_types()
    emotions = [
        (at, types.deserialize_cdr(content, kind)) for topic, kind, at, content in copied if topic == "/emotions"
    ]
    assert [at for at, _ in emotions] == [at for _, _, at, _ in original]
    for (_, message), record, (stamp, _) in zip(emotions, objects, rolled(photo), strict=True):
        assert message.header.stamp.sec * 10**9 + message.header.stamp.nanosec == stamp
        assert (message.header.frame_id, message.image_width, message.image_height) == ("camera", 256, 256)
        (face,) = message.faces
        assert (face.face_id, face.emotion, face.roi.x_offset) == (record["id"], record["emotion"], record["box"][0])
        assert face.scores.tolist() == list(record["scores"].values())
    events = [types.deserialize_cdr(content, kind) for topic, kind, _, content in copied if topic == "/emotion_events"]
    assert [(event.kind, event.face_id, event.current) for event in events] == [(1, "f1", "happy")]
    # The copy can be annotated again; its topics are taken then.
    code, again, _, _ = annotate(tmp_path / "out" / "bag_emotions", "--bag", output=tmp_path / "again")
    assert (code, len(again)) == (0, 6)
    topics = {topic for topic, *_ in read_bag(tmp_path / "again" / "bag_emotions_emotions")}
    assert {"/emotions", "/fer_annotate/emotions"} <= topics


def test_bag_copy_of_a_damaged_recording_has_its_readable_part(annotate, tmp_path, photo):
    bag = write_bag(tmp_path / "bag", rolled(photo, 12))
    (database,) = bag.glob("*.db3")
    database.write_bytes(database.read_bytes()[: database.stat().st_size // 2])
    for _ in range(2):  # the second run replaces the copy of the first
        code, rows, _, output = annotate(bag, "--bag")
        assert code in (1, 2), output
        if rows:
            copied = read_bag(tmp_path / "out" / "bag_emotions")
            assert sum(topic == "/emotions" for topic, *_ in copied) == len(rows)
    if rows:
        (tmp_path / "out" / "bag_emotions" / "note.txt").write_text("of the user")
        annotate(bag, "--bag")
        assert (tmp_path / "out" / "bag_emotions" / "note.txt").exists()
        assert (tmp_path / "out" / "bag_emotions_2").is_dir()


def test_message_types_have_the_hashes_of_ros():
    generated = next((folder for folder in resources.folders("message_files") if list(folder.glob("*.json"))), None)
    if generated is None:
        pytest.skip("the messages are not built, or this ROS 2 has no type hashes")
    types = message_types()
    for name in ("FaceEmotion", "FaceEmotionArray", "EmotionEvent"):
        described = json.loads((generated / f"{name}.json").read_text())
        hashes = {entry["type_name"]: entry["hash_string"] for entry in described["type_hashes"]}
        assert types.hash_rihs01(f"fer_ros/msg/{name}") == hashes[f"fer_ros/msg/{name}"]
