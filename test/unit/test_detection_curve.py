# SPDX-License-Identifier: Apache-2.0
"""Labeled boxes in the formats of WIDER FACE and FDDB, and detectors scored on them."""

import csv

import cv2
import numpy as np
import pytest
from detector_kinds import create_detector

from fer_ros.cli import detect
from fer_ros.datasets import face_boxes
from fer_ros.datasets.face_boxes import LabeledFaces
from fer_ros.datasets.face_images import DataError
from fer_ros.evaluation import detection
from fer_ros.types import Box, Detection

WIDER_FACE = """\
0--Parade/0_Parade_marchingband_1_849.jpg
1
449 330 122 149 0 0 0 0 0 0
0--Parade/0_Parade_Parade_0_452.jpg
0
0 0 0 0 0 0 0 0 0 0
0--Parade/0_Parade_marchingband_1_799.jpg
3
78 221 7 8 2 0 0 0 0 0
78 238 14 17 2 0 0 1 0 0
113 212 0 15 2 0 0 0 2 0
"""
FDDB = """\
2002/08/11/big/img_591
1
60.0 40.0 1.5707963 270.2 161.9  1
2002/08/26/big/img_265
0
2002/07/19/big/img_423
3
10 10 0.3 50 50 1
0 0 0 9 9 1
60.0 40.0 0 100 100  1
"""


def write(path, text):
    path.write_text(text)
    return path


def test_wider_face_is_read_without_its_invalid_faces(tmp_path):
    faces = face_boxes.read(write(tmp_path / "wider_face_val_bbx_gt.txt", WIDER_FACE))
    assert list(faces.values()) == [
        LabeledFaces((Box(449, 330, 122, 149),)),
        LabeledFaces(()),
        LabeledFaces((Box(78, 221, 7, 8),), (Box(78, 238, 14, 17), Box(113, 212, 0, 15))),
    ]
    assert list(faces)[1] == "0--Parade/0_Parade_Parade_0_452.jpg"


def test_fddb_has_the_boxes_around_its_ellipses(tmp_path):
    faces = face_boxes.read(write(tmp_path / "FDDB-fold-01-ellipseList.txt", FDDB))
    assert list(faces) == [
        f"2002/{name}.jpg" for name in ("08/11/big/img_591", "08/26/big/img_265", "07/19/big/img_423")
    ]
    upright, none, two = faces.values()
    assert (upright.boxes, none.boxes) == ((Box(230, 102, 80, 120),), ())
    assert two.ignored == (Box(9, 9, 0, 0),)
    assert two.boxes == (Box(40, 40, 20, 20), Box(40, 60, 120, 80))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "lists no image"),
        ("a.jpg\n", "line 1: the file ends, but another line was expected"),
        ("a.jpg\nmany\n", "line 2: 'many' is not a number of faces"),
        ("a.jpg\n2\n1 2 3 4\n", "line 3: the file ends"),
        ("a.jpg\n1\n1 2 3\n", "line 3: '1 2 3' is no face, which has 10 numbers in WIDER FACE, 6 in FDDB"),
        ("a.jpg\n1\n1 2 nan 4\n", "line 3: '1 2 nan 4' is no face"),
        (".\n0\n", "line 1: '.' is not the name of an image below a folder"),
        ("../a.jpg\n0\n", "line 1: '../a.jpg' is not the name of an image below a folder"),
    ],
)
def test_unreadable_list_of_boxes_names_the_line(tmp_path, text, reason):
    with pytest.raises(DataError) as raised:
        face_boxes.read(write(tmp_path / "boxes.txt", text))
    assert reason in str(raised.value)


def found(*rows):
    return [Detection(Box(x, 0, 10, 10), score) for x, score in rows]


def test_detection_curve_matches_values_by_hand():
    labeled = [LabeledFaces((Box(0, 0, 10, 10), Box(100, 0, 10, 10)), (Box(200, 0, 10, 10),)), LabeledFaces(())]
    own = [found((0, 0.9), (1, 0.8), (200, 0.7)), found((50, 0.85))]
    lenient = [found((0, 0.9), (1, 0.8), (101, 0.95), (300, 0.4)), found((50, 0.85))]
    curve = detection.curve(labeled, own, lenient)
    assert (curve.images, curve.faces) == (2, 2)
    # A face, a false detection in the other image, a second detection of the face; then what is below the threshold.
    assert curve.scores.tolist() == [0.9, 0.85, 0.8, 0.95, 0.4]
    assert curve.is_lenient.tolist() == [False, False, False, True, True]
    assert curve.true_positive_rate.tolist() == [0.5, 0.5, 0.5, 1.0, 1.0]
    assert curve.false_positives_per_image.tolist() == [0, 0.5, 1, 1, 1.5]
    assert curve.at_threshold == (1, 0.5)
    assert (curve.best_within(0.5), curve.best_within(1)) == (0.5, 1.0)


def test_curve_of_a_detector_that_finds_nothing_is_empty():
    curve = detection.curve([LabeledFaces((Box(0, 0, 9, 9),))], [[]], [[]])
    assert (curve.at_threshold, curve.best_within(9)) == ((0, 0), 0)


def run(tmp_path, *arguments):
    return detect.main([*map(str, arguments), "--output", str(tmp_path / "out")])


def test_fer_detect_scores_detectors_on_labeled_boxes(tmp_path, astronaut, capsys):
    create_detector("mtcnn")
    (tmp_path / "images" / "0--A").mkdir(parents=True)
    photo = cv2.resize(astronaut, (256, 256), interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(tmp_path / "images" / "0--A" / "a.jpg"), photo)
    rows = ["0--A/a.jpg", "2", "88 28 50 58 0 0 0 0 0 0", "5 200 30 30 0 0 0 0 0 0", "0--A/missing.jpg", "0"]
    truth = write(tmp_path / "truth.txt", "\n".join(rows))
    assert run(tmp_path, tmp_path / "images", "--truth", truth, "--detectors", "viola_jones", "mtcnn") == 0
    captured = capsys.readouterr()
    assert "1 of 2 listed images are not there" in captured.err
    assert "2 labeled faces in 1 images" in captured.out
    assert captured.out.count(" 50.0 % at 0.00 false positives per image") == 2
    table = list(csv.DictReader((tmp_path / "out" / "detection_curve.csv").open()))
    assert {row["detector"] for row in table} == {"viola_jones", "mtcnn"}
    assert (tmp_path / "out" / "detection_curve.png").stat().st_size > 10_000
    drawn = cv2.imread(str(tmp_path / "out" / "a.jpg_faces.png"))
    assert (drawn[200, 8:12] == 255).all(), "the labeled face that was not found is drawn"
    assert np.abs(drawn[:200, :80].astype(int) - photo[:200, :80, None]).max() > 100, "there is a legend"


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [(["a.jpg"], "with --truth, INPUT must be one folder"), (["."], "has none of the 3 images that are listed")],
)
def test_fer_detect_refuses_truth_of_other_images(tmp_path, monkeypatch, capsys, inputs, reason):
    monkeypatch.chdir(tmp_path)
    truth = write(tmp_path / "truth.txt", FDDB)
    assert run(tmp_path, *inputs, "--truth", truth) == 2
    message = capsys.readouterr().err
    assert reason in message
    assert message.count("\n") == 1
