# SPDX-License-Identifier: Apache-2.0
"""The command fer-detect."""

import csv
import os
import signal

import cv2
import numpy as np
import pytest
from detector_kinds import create_detector
from PIL import Image

from fer_ros.cli.detect import detector_color, main
from fer_ros.cli.progress import Progress
from fer_ros.types import Box

FACE = Box(89, 33, 48, 48)


@pytest.fixture
def photo(astronaut):
    """Return an image with one face: (256, 256, 3) uint8, BGR."""
    return cv2.cvtColor(cv2.resize(astronaut, (256, 256), interpolation=cv2.INTER_AREA), cv2.COLOR_GRAY2BGR)


@pytest.fixture
def detect(tmp_path, capsys):
    """Return a function that runs the command and returns its exit code, the rows of the table and its output."""

    def run(*arguments):
        output = tmp_path / "output"
        code = main([*map(str, arguments), "--output", str(output)])
        table = output / "boxes.csv"
        rows = list(csv.DictReader(table.open())) if table.exists() else []
        captured = capsys.readouterr()
        return code, rows, captured.out + captured.err

    return run


def box(row):
    return Box(*(int(row[name]) for name in ("x", "y", "width", "height")))


def video(path, photo, frames=12):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (256, 256))
    for step in range(frames):
        writer.write(np.roll(photo, 2 * step, axis=1))
    writer.release()
    return path


def test_detect_compares_detectors_on_a_folder_and_a_video(detect, tmp_path, photo):
    kinds = ["viola_jones", "mtcnn"]
    create_detector("mtcnn")
    folder = tmp_path / "images"
    folder.mkdir()
    cv2.imwrite(str(folder / "face.png"), photo)
    cv2.imwrite(str(folder / "wall.png"), np.full((100, 200, 3), 90, np.uint8))
    clip = video(tmp_path / "face.avi", photo, 4)
    code, rows, output = detect(folder, clip, "--track", "--detectors", *kinds)
    assert code == 0
    assert [(row["detector"], row["file"], row["frame"]) for row in rows] == [
        (kind, str(path), str(frame))
        for path, frames in ((folder / "face.png", 1), (clip, 4))
        for frame in range(frames)
        for kind in kinds
    ]
    assert all(box(row).iou(Box(FACE.x + 2 * int(row["frame"]), 33, 48, 48)) > 0.6 for row in rows)
    assert all(bool(row["left_eye_x"]) == (row["detector"] == "mtcnn") for row in rows)
    assert "6 images" in output
    assert output.count("5 (100%), 0") == 2
    drawn = cv2.imread(str(tmp_path / "output" / "face.png_faces.png"))
    assert drawn.shape == photo.shape
    assert not np.array_equal(drawn, photo)
    annotated = cv2.VideoCapture(str(tmp_path / "output" / "face.avi_faces.mp4"))
    assert annotated.get(cv2.CAP_PROP_FRAME_COUNT) == 4


def save_16_bit(path, photo):
    cv2.imwrite(str(path), photo[:, :, 0].astype(np.uint16) * 257)


def save_cmyk(path, photo):
    Image.fromarray(photo).convert("CMYK").save(path)


def save_gray(path, photo):
    cv2.imwrite(str(path), photo[:, :, 0])


@pytest.mark.parametrize(
    ("name", "save"),
    [("16.png", save_16_bit), ("cmyk.jpg", save_cmyk), ("gray.png", save_gray)],
)
def test_detect_reads_gray_16_bit_and_cmyk_images(detect, tmp_path, photo, name, save):
    save(tmp_path / name, photo)
    code, (row,), _ = detect(tmp_path / name)
    assert code == 0
    assert box(row).iou(FACE) > 0.7


def test_detect_warns_of_an_image_smaller_than_any_face(detect, tmp_path, photo):
    cv2.imwrite(str(tmp_path / "tiny.png"), photo[:20, :24])
    code, rows, output = detect(tmp_path / "tiny.png")
    assert (code, rows) == (0, [])
    assert "tiny.png is 24x20: smaller than the smallest face searched for (30 pixels)" in output


def test_detect_warns_of_a_truncated_video(detect, tmp_path, photo):
    whole = video(tmp_path / "whole.avi", photo).read_bytes()
    cut = tmp_path / "cut.avi"
    cut.write_bytes(whole[: len(whole) // 2])
    code, rows, output = detect(cut, "--min-size", 40)
    assert code == 0
    assert 3 <= len(rows) <= 7
    assert "cut.avi ends after" in output
    assert "of 12 images" in output


def test_detect_skips_unreadable_files_with_a_warning(detect, tmp_path, photo):
    (tmp_path / "a.png").write_text("not an image")
    (tmp_path / "b.mp4").write_bytes(b"\0" * 500)
    cv2.imwrite(str(tmp_path / "c.png"), photo)
    code, rows, output = detect(tmp_path / "a.png", tmp_path / "b.mp4", tmp_path / "c.png")
    assert (code, len(rows)) == (0, 1)
    assert "a.png: not a readable image: it is of an unknown format" in output
    assert "b.mp4 is neither a video nor an image" in output
    code, _, output = detect(tmp_path / "a.png")
    assert code == 2
    assert output.endswith("error: no image could be read\n")


def test_detect_writes_a_copy_of_each_image_and_over_none(detect, tmp_path, photo):
    names = ["frame.0001.jpg", "frame.0002.jpg", "a_png.rf.1f.jpg", "a_png.rf.2f.jpg", "7"]
    folder = tmp_path / "output"  # also the folder of the images
    folder.mkdir()
    for name in names[:4]:
        cv2.imwrite(str(folder / name), photo)
    video(tmp_path / "clip.avi", photo, 2).rename(folder / "7")
    (folder / "frame.0001.jpg_faces.png").write_text("of the user")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    for _ in range(2):
        code, rows, _ = detect(*(folder / name for name in names))
        assert (code, len(rows)) == (0, 6)
        assert {name: (folder / name).read_bytes() for name in before} == before
        written = {path.name for path in folder.iterdir()} - {*before, "boxes.csv", ".fer-detect.json"}
        assert written == {
            *("frame.0001.jpg_faces_2.png", "frame.0002.jpg_faces.png"),
            *("a_png.rf.1f.jpg_faces.png", "a_png.rf.2f.jpg_faces.png", "7_faces.mp4"),
        }


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_detect_leaves_whole_files(detect, tmp_path, photo, monkeypatch, number):
    steps, step = [], Progress.step

    def interrupt(progress):
        step(progress)
        steps.append(1)
        if len(steps) == 5:
            os.kill(os.getpid(), number)

    monkeypatch.setattr(Progress, "step", interrupt)
    code, rows, output = detect(video(tmp_path / "clip.avi", photo))
    assert (code, len(rows)) == (130, 5)
    assert output.endswith("fer-detect: stopped\n")
    annotated = cv2.VideoCapture(str(tmp_path / "output" / "clip.avi_faces.mp4"))
    assert sum(annotated.read()[0] for _ in range(20)) == 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["/not/here.png"], "there is no file or folder /not/here.png"),
        (["--cascade", "unknown"], "cascade 'unknown' was not found"),
        (["--detectors", "yunet"], "'yunet' needs its model option"),
        (["--detectors", "yunet", "--model", "/not/here.onnx"], "there is no model file /not/here.onnx"),
        (["--detectors", "yunet", "--model", __file__], "is not a YuNet model that OpenCV"),
        (["--min-size", "90", "--max-size", "60"], "max_size (60) is below min_size (90)"),
    ],
)
def test_detect_reports_errors_in_one_line(detect, tmp_path, photo, arguments, message):
    cv2.imwrite(str(tmp_path / "face.png"), photo)
    code, rows, output = detect(tmp_path / "face.png", *arguments)
    assert (code, rows) == (2, [])
    (line,) = (line for line in output.splitlines() if line.startswith("fer-detect: error: "))
    assert message in line


def test_detect_runs_a_detector_registered_from_outside(detect, tmp_path, photo, toy_detector):
    cv2.imwrite(str(tmp_path / "face.png"), photo)
    code, rows, output = detect(tmp_path / "face.png", "--detectors", "toy", "--size", 50)
    assert (code, [box(row) for row in rows]) == (0, [Box(103, 103, 50, 50)])
    assert "toy" in output


def test_detect_help_lists_all_detectors_and_options(capsys, toy_detector):
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    assert all(name in text for name in ("viola_jones", "mtcnn", "dlib", "yunet", "toy"))
    assert all(option in text for option in ("--min-neighbors", "--model", "--size", "pip install dlib-bin"))


def test_any_number_of_detectors_has_distinct_colors():
    colors = [detector_color(number) for number in range(12)]
    assert len(set(colors)) == len(colors)
    assert all(0 <= value <= 255 for color in colors for value in color)
