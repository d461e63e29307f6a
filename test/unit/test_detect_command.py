"""fer-detect: boxes of every picture in a table and drawn, detectors side by side, and what it says of bad files."""

import csv

import cv2
import numpy as np
import pytest
from detector_kinds import made
from PIL import Image

from fer_ros.cli.detect import main
from fer_ros.types import Box

FACE = Box(89, 33, 48, 48)


@pytest.fixture
def picture(astronaut):
    """256x256, blue first, with one face."""
    return cv2.cvtColor(cv2.resize(astronaut, (256, 256), interpolation=cv2.INTER_AREA), cv2.COLOR_GRAY2BGR)


@pytest.fixture
def detect(tmp_path, capsys):
    """Runs the command; its exit code, the rows of the table, and what it said."""

    def run(*arguments):
        output = tmp_path / "output"
        code = main([*map(str, arguments), "--output", str(output)])
        table = output / "boxes.csv"
        rows = list(csv.DictReader(table.open())) if table.exists() else []
        said = capsys.readouterr()
        return code, rows, said.out + said.err

    return run


def box(row):
    return Box(*(int(row[name]) for name in ("x", "y", "width", "height")))


def video(path, picture, frames=12):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (256, 256))
    for step in range(frames):
        writer.write(np.roll(picture, 2 * step, axis=1))
    writer.release()
    return path


def test_several_detectors_are_compared_on_a_folder_and_a_video(detect, tmp_path, picture):
    kinds = ["viola_jones", "mtcnn"]
    made("mtcnn")
    folder = tmp_path / "pictures"
    folder.mkdir()
    cv2.imwrite(str(folder / "face.png"), picture)
    cv2.imwrite(str(folder / "wall.png"), np.full((100, 200, 3), 90, np.uint8))
    clip = video(tmp_path / "face.avi", picture, 4)
    code, rows, said = detect(folder, clip, "--track", "--detector", *kinds)
    assert code == 0
    assert [(row["detector"], row["file"], row["frame"]) for row in rows] == [
        (kind, str(path), str(frame))
        for path, frames in ((folder / "face.png", 1), (clip, 4))
        for frame in range(frames)
        for kind in kinds
    ]
    assert all(box(row).iou(Box(FACE.x + 2 * int(row["frame"]), 33, 48, 48)) > 0.6 for row in rows)
    assert all(bool(row["left_eye_x"]) == (row["detector"] == "mtcnn") for row in rows)
    assert "6 pictures" in said
    assert said.count("5 (100%), 0") == 2
    drawn = cv2.imread(str(tmp_path / "output" / "face_faces.png"))
    assert drawn.shape == picture.shape
    assert not np.array_equal(drawn, picture)
    annotated = cv2.VideoCapture(str(tmp_path / "output" / "face_faces_2.mp4"))
    assert annotated.get(cv2.CAP_PROP_FRAME_COUNT) == 4


def save_16_bit(path, picture):
    cv2.imwrite(str(path), picture[:, :, 0].astype(np.uint16) * 257)


def save_cmyk(path, picture):
    Image.fromarray(picture).convert("CMYK").save(path)


def save_gray(path, picture):
    cv2.imwrite(str(path), picture[:, :, 0])


@pytest.mark.parametrize(
    ("name", "save"),
    [("16.png", save_16_bit), ("cmyk.jpg", save_cmyk), ("cmyk.tif", save_cmyk), ("gray.png", save_gray)],
)
def test_gray_16_bit_and_cmyk_pictures_are_read_like_others(detect, tmp_path, picture, name, save):
    save(tmp_path / name, picture)
    code, (row,), _ = detect(tmp_path / name)
    assert code == 0
    assert box(row).iou(FACE) > 0.7


def test_a_picture_smaller_than_any_face_is_named_and_has_none(detect, tmp_path, picture):
    cv2.imwrite(str(tmp_path / "tiny.png"), picture[:20, :24])
    code, rows, said = detect(tmp_path / "tiny.png")
    assert (code, rows) == (0, [])
    assert "tiny.png is 24x20: smaller than the smallest face that is looked for (30 pixels)" in said


def test_a_video_that_ends_in_the_middle_of_a_frame_is_answered_as_far_as_it_goes(detect, tmp_path, picture):
    whole = video(tmp_path / "whole.avi", picture).read_bytes()
    cut = tmp_path / "cut.avi"
    cut.write_bytes(whole[: len(whole) // 2])
    code, rows, said = detect(cut, "--min-face-size", 40)
    assert code == 0
    assert 3 <= len(rows) <= 7
    assert "cut.avi ends after" in said
    assert "of 12 pictures" in said


def test_files_that_cannot_be_read_are_named_and_left_out(detect, tmp_path, picture):
    (tmp_path / "a.png").write_text("no picture")
    (tmp_path / "b.mp4").write_bytes(b"\0" * 500)
    cv2.imwrite(str(tmp_path / "c.png"), picture)
    code, rows, said = detect(tmp_path / "a.png", tmp_path / "b.mp4", tmp_path / "c.png")
    assert (code, len(rows)) == (0, 1)
    assert "a.png is left out" in said
    assert "b.mp4 is neither a video nor a picture" in said
    code, _, said = detect(tmp_path / "a.png")
    assert code == 2
    assert said.endswith("error: there is no picture that can be read\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["/not/here.png"], "there is no file or folder /not/here.png"),
        (["--cascade", "unheard_of"], "cascade 'unheard_of' was not found"),
        (["--detector", "yunet"], "'yunet' needs detector_model"),
        (["--detector", "yunet", "--detector-model", "/not/here.onnx"], "there is no model file /not/here.onnx"),
        (["--detector", "yunet", "--detector-model", __file__], "is not a YuNet that OpenCV"),
        (["--min-face-size", "90", "--max-face-size", "60"], "max_size (60) is below min_size (90)"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(detect, tmp_path, picture, arguments, words):
    cv2.imwrite(str(tmp_path / "face.png"), picture)
    code, rows, said = detect(tmp_path / "face.png", *arguments)
    assert (code, rows) == (2, [])
    (line,) = (line for line in said.splitlines() if line.startswith("fer-detect: error: "))
    assert words in line
