# SPDX-License-Identifier: Apache-2.0
"""The command fer-annotate: images, folders, videos and recordings; interruption, resuming, and bad input."""

import errno
import os
import signal
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from annotations import assert_equal, tables

import fer_ros
from fer_ros.annotation import run as annotation_run
from fer_ros.annotation.blur import all_detectors
from fer_ros.cli import demo
from fer_ros.cli.progress import Progress
from fer_ros.faces.detectors.registry import DETECTORS
from fer_ros.media.portrait import Portrait
from fer_ros.media.sources import VideoFile
from fer_ros.media.synthetic_scene import SyntheticScene


def names(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def video(path, photo, frames=8, rate=10):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), rate, (256, 256))
    for step in range(frames):
        writer.write(np.roll(photo, 2 * step, axis=1))
    writer.release()
    return path


def test_images_of_a_folder_stand_alone(annotate, tmp_path, photo):
    folder = tmp_path / "eight"
    folder.mkdir()
    images = {f"frame.{n:04}.jpg": np.clip(photo * (0.6 + 0.1 * n), 0, 255).astype(np.uint8) for n in range(4)}
    for name, image in images.items():
        cv2.imwrite(str(folder / name), image)
    (folder / "._frame.0001.jpg").write_text("of a Mac")
    code, rows, objects, output = annotate(folder)
    assert code == 0
    assert "4 inputs, 4 images, 4 faces: " in output
    recognizer = fer_ros.EmotionRecognizer(backend="opencv")
    for row, record, name in zip(rows, objects, images, strict=True):
        (face,) = recognizer.recognize(cv2.imread(str(folder / name)))
        assert_equal(record, face)
        assert (record["file"], record["frame"], record["time"]) == (str(folder / name), 0, None)
        assert (row["file"], row["frame"], row["time"], row["id"]) == (str(folder / name), "0", "", "")
        assert [np.float32(row[label]) for label in face.labels] == face.smoothed_scores.tolist()
    assert names(tmp_path / "out") == [
        "eight_contact_sheet.png",
        "emotions.csv",
        "emotions.jsonl",
        *(f"{name}_faces.png" for name in images),
    ]
    assert cv2.imread(str(tmp_path / "out" / "eight_contact_sheet.png")).shape[1] > 600


def test_each_of_eight_people_is_answered_as_alone(annotate, tmp_path):
    """The people differ by hair, clothes, light and expression; a tracker would take them for one."""
    folder, people = tmp_path / "eight", [Portrait(), Portrait(other=True)]
    folder.mkdir()
    for number in range(8):
        image = people[number % 2].image(surprise=number // 4)
        cv2.imwrite(str(folder / f"{number}.png"), cv2.convertScaleAbs(image, alpha=0.8 + 0.1 * (number % 4)))
    code, _, together, _ = annotate(folder)
    assert (code, len(together)) == (0, 8)
    assert [row["emotion"] for row in together] == 4 * ["happy"] + 4 * ["surprise"]
    for number, row in enumerate(together):
        _, _, (alone,), _ = annotate(folder / f"{number}.png", output=tmp_path / str(number))
        assert row == alone


def test_video_is_tracked_with_the_times_of_its_container(annotate, tmp_path, photo):
    clip = video(tmp_path / "12:30 clip.avi", photo)
    code, rows, objects, _ = annotate(clip)
    assert code == 0
    recognizer, source = fer_ros.EmotionRecognizer(backend="opencv"), VideoFile(clip)
    expected = []
    while (image := source.read()) is not None:
        stamp = round(source.stamp * 1e9)
        expected += [(stamp, face) for face in recognizer.recognize(image, stamp * 1e-9)]
    assert len(rows) == len(expected) == 8
    for row, record, (stamp, face) in zip(rows, objects, expected, strict=True):
        assert_equal(record, face)
        assert row["time"] == f"{stamp // 10**9}.{stamp % 10**9:09d}"
    assert {row["id"] for row in rows} == {"f1"}
    assert float(rows[-1]["time"]) == pytest.approx(0.7)
    annotated = cv2.VideoCapture(str((tmp_path / "out" / "12:30 clip.avi_faces.webm").absolute()))
    assert sum(annotated.read()[0] for _ in range(20)) == 8
    assert cv2.imread(str(tmp_path / "out" / "12:30 clip.avi_timeline.png")) is not None


def test_plot_is_left_out_without_matplotlib(annotate, tmp_path, photo, monkeypatch):
    for module in ("matplotlib", "matplotlib.figure", "matplotlib.backends.backend_agg"):
        monkeypatch.setitem(sys.modules, module, None)
    code, rows, _, output = annotate(video(tmp_path / "clip.avi", photo, 3))
    assert (code, len(rows)) == (0, 3)
    assert "clip.avi_timeline.png is left out: the package matplotlib is not installed" in output
    assert names(tmp_path / "out") == ["clip.avi_faces.webm", "emotions.csv", "emotions.jsonl"]


def test_files_of_others_are_never_overwritten(annotate, tmp_path, photo):
    cv2.imwrite(str(tmp_path / "photo.png"), photo)
    (tmp_path / "photo.png_faces.png").write_text("of the user")
    before = (tmp_path / "photo.png").read_bytes()
    for _ in range(2):  # a second run replaces the files of the first
        code, rows, _, _ = annotate(tmp_path / "photo.png", output=tmp_path)
        assert (code, len(rows)) == (0, 1)
        assert (tmp_path / "photo.png").read_bytes() == before
        assert (tmp_path / "photo.png_faces.png").read_text() == "of the user"
        assert names(tmp_path) == [
            *("emotions.csv", "emotions.jsonl", "photo.png", "photo.png_faces.png", "photo.png_faces_2.png")
        ]
    (tmp_path / "emotions.csv").write_text("edited\n")
    code, _, _, output = annotate(tmp_path / "photo.png", output=tmp_path)
    assert code == 2
    assert "emotions.csv exists and was not written by this command: use another --output" in output
    assert (tmp_path / "emotions.csv").read_text() == "edited\n"


def test_copies_in_the_input_folder_are_no_input(annotate, tmp_path, photo):
    cv2.imwrite(str(tmp_path / "photo.png"), photo)
    for _ in range(2):
        code, rows, _, _ = annotate(tmp_path, output=tmp_path)
        assert (code, [Path(row["file"]).name for row in rows]) == (0, ["photo.png"])


def test_blur_leaves_no_face_that_a_detector_finds(annotate, tmp_path, photo):
    cv2.imwrite(str(tmp_path / "photo.png"), photo)
    clip = video(tmp_path / "clip.avi", photo, 4)
    code, rows, _, _ = annotate(tmp_path / "photo.png", clip, "--blur")
    assert (code, len(rows)) == (0, 5)
    copies = [cv2.imread(str(tmp_path / "out" / "photo.png_faces.png"))]
    blurred = cv2.VideoCapture(str(tmp_path / "out" / "clip.avi_faces.webm"))
    while (read := blurred.read())[0]:
        copies.append(read[1])
    assert len(copies) == 5
    assert np.array_equal(copies[0][150:], photo[150:]), "nothing is drawn"
    for detector in all_detectors():
        assert not any(detector.detect(cv2.cvtColor(copy, cv2.COLOR_BGR2GRAY)) for copy in copies)


def test_blur_hides_every_face_of_a_crowd(annotate, tmp_path):
    scene = SyntheticScene(320, 240)
    crowd = np.vstack([np.hstack([scene.image(row + time) for time in (5.5, 8.5, 10.7)]) for row in (0, 0.3)])
    cv2.imwrite(str(tmp_path / "crowd.png"), crowd)
    code, rows, _, _ = annotate(tmp_path / "crowd.png", "--blur")
    assert code == 0
    assert len(rows) >= 11
    copy = cv2.imread(str(tmp_path / "out" / "crowd.png_faces.png"), cv2.IMREAD_GRAYSCALE)
    for detector in all_detectors():
        assert not detector.detect(copy)


def test_blur_hides_a_face_in_frames_between_detections(photo):
    blur = annotation_run.FaceBlur([], is_sequence=True)
    box = DETECTORS.create("viola_jones").detect(cv2.cvtColor(photo, cv2.COLOR_BGR2GRAY))[0].box
    given = [[], [box], [], [box], []]
    done = [image for step, boxes in enumerate(given) for image, _ in blur.add(photo, step * 10**8, boxes)]
    done += [image for image, _ in blur.flush()]
    assert len(done) == 5
    for image in done:
        assert (
            image[box.y : box.bottom, box.x : box.right] != photo[box.y : box.bottom, box.x : box.right]
        ).mean() > 0.8


def test_resume_completes_an_interrupted_run(annotate, tmp_path, photo, monkeypatch):
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(tmp_path / name), photo)
    clip = video(tmp_path / "c.avi", photo, 12)
    inputs = [tmp_path / "a.png", clip, tmp_path / "b.png"]
    _, whole, _, _ = annotate(*inputs, output=tmp_path / "whole")

    steps, step = [], Progress.step

    def interrupt(progress):
        step(progress)
        steps.append(1)
        if len(steps) == 6:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Progress, "step", interrupt)
    code, rows, objects, output = annotate(*inputs)
    assert code == 130
    assert output.endswith("fer-annotate: stopped; --resume continues\n")
    assert len(rows) == len(objects) == 6
    part = cv2.VideoCapture(str(tmp_path / "out" / "c.avi_faces.webm"))
    assert sum(part.read()[0] for _ in range(20)) == 5, "the video is playable"

    code, rows, objects, output = annotate(*inputs, "--resume")
    assert code == 0
    assert "2 inputs (1 more were complete)" in output
    assert len(objects) == len(rows)
    assert rows == whole
    assert names(tmp_path / "out") == names(tmp_path / "whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(annotation_run, "draw", lambda *_: pytest.fail("nothing is left to do"))
        code, rows, _, _ = annotate(*inputs, "--resume")
    assert (code, rows) == (0, whole)
    code, _, _, output = annotate(*inputs, "--resume", "--blur")
    assert code == 2
    assert "had other options (blur): leave out --resume" in output


def test_unreadable_inputs_are_named_and_others_annotated(annotate, tmp_path, photo):
    cv2.imwrite(str(tmp_path / "good one.png"), photo)
    (tmp_path / "text.png").write_text("not an image")
    (tmp_path / "huge.ppm").write_bytes(b"P6\n40000 40000\n255\n" + bytes(100))
    (tmp_path / "broken.mp4").write_bytes(bytes(500))
    strange = tmp_path / os.fsdecode(b"no\xe9.png")
    cv2.imwrite(str(tmp_path / "x.png"), photo)
    (tmp_path / "x.png").rename(strange)
    bad = ["text.png", "huge.ppm", "broken.mp4", "none.jpg"]
    code, rows, objects, output = annotate(*(tmp_path / name for name in bad), strange, tmp_path / "good one.png")
    assert code == 1
    errors = [line for line in output.splitlines() if line.startswith("fer-annotate: error: ")]
    assert len(errors) == 4
    assert all(any(name in line for line in errors) for name in bad)
    assert len(rows) == len(objects) == 2
    assert rows[0]["file"].endswith(r"no\udce9.png")
    assert objects[0]["file"] == str(strange)
    code, rows, _, _ = annotate(tmp_path / "text.png")
    assert (code, rows) == (2, [])


def test_truncated_video_is_annotated_and_named(annotate, tmp_path, photo):
    whole = video(tmp_path / "whole.avi", photo, 12).read_bytes()
    (tmp_path / "cut.avi").write_bytes(whole[: len(whole) // 2])
    code, rows, _, output = annotate(tmp_path / "cut.avi", tmp_path / "whole.avi")
    assert code == 1
    assert "cut.avi ends after" in output
    assert "whole.avi ends" not in output
    assert 12 + 3 <= len(rows) <= 12 + 7


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "no_model"], "no model 'no_model'"),
        (["--detector", "yunet"], "'yunet' needs its model option"),
        (["--backend", "none"], "none"),
    ],
)
def test_unusable_options_are_one_line(annotate, tmp_path, photo, arguments, message):
    cv2.imwrite(str(tmp_path / "a.png"), photo)
    code, _, _, output = annotate(tmp_path / "a.png", *arguments)
    assert code == 2
    assert output.count("\n") == 1
    assert message in output
    assert not (tmp_path / "out").exists()


def test_output_that_is_no_folder_is_one_line(annotate, tmp_path, photo):
    cv2.imwrite(str(tmp_path / "a.png"), photo)
    (tmp_path / "file").write_text("")
    code, _, _, output = annotate(tmp_path / "a.png", output=tmp_path / "file")
    assert code == 2
    assert output.startswith("fer-annotate: error: ")
    assert output.count("\n") == 1


def test_folder_that_cannot_be_written_is_one_line(annotate, tmp_path, photo, monkeypatch):
    cv2.imwrite(str(tmp_path / "a.png"), photo)
    (tmp_path / "out").mkdir()
    monkeypatch.setattr(Path, "write_text", raising_read_only)  # root may write into any folder
    code, _, _, output = annotate(tmp_path / "a.png")
    assert code == 2
    assert output.count("\n") == 1
    assert "Read-only file system" in output
    assert names(tmp_path / "out") == []


def raising_read_only(path, *_, **__):
    raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))


def test_full_disk_is_one_line_that_names_the_file(annotate, tmp_path, photo):
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(tmp_path / name), photo)
    write = Path.write_bytes

    def full(path, content):
        if "b.png_faces.png" in path.name:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(path, content)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        code, _, _, output = annotate(tmp_path / "a.png", tmp_path / "b.png")
    assert code == 2
    assert output.endswith("b.png_faces.png: No space left on device\n")
    assert output.count("\n") == 1
    assert (tmp_path / "out" / "a.png_faces.png").exists()
    code, rows, _, output = annotate(tmp_path / "a.png", tmp_path / "b.png", "--resume")
    assert (code, len(rows)) == (0, 2)
    assert "1 input (1 more were complete)" in output


def test_demo_annotates_images_without_ros(tmp_path, photo, capsys):
    cv2.imwrite(str(tmp_path / "a.png"), photo)
    for given in (tmp_path / "a.png", tmp_path):
        assert demo.main(["--input", str(given), "--output", str(tmp_path / "out")]) == 0
        assert "1 input, 1 image, 1 face: happy 1" in capsys.readouterr().out
        assert len(tables(tmp_path / "out")[0]) == 1
