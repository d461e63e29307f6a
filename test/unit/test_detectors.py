# SPDX-License-Identifier: Apache-2.0
"""All detectors: in images, in regions, over time; their registry and its errors."""

import importlib.util
import sys
from dataclasses import fields
from pathlib import Path

import cv2
import numpy as np
import pytest
from detector_kinds import bright_spot_yunet, create_detector
from skimage import data

from fer_ros.faces.detectors.base import Query
from fer_ros.faces.detectors.common import ScaledCrop
from fer_ros.faces.detectors.registry import DETECTORS
from fer_ros.faces.detectors.viola_jones import ViolaJonesOptions
from fer_ros.faces.detectors.yunet import YuNetOptions
from fer_ros.faces.tracking_detector import TrackingDetector
from fer_ros.types import Box, Frame

FACE = Box(177, 66, 95, 95)
EYES = ((203, 101), (246, 103))

every_kind = pytest.mark.parametrize("kind", DETECTORS.names)


@every_kind
def test_detector_finds_the_face_of_a_photograph(astronaut, kind):
    (found,) = create_detector(kind).detect(astronaut)
    assert found.box.iou(FACE) > 0.65
    assert found.score > 0.7


@every_kind
def test_clear_face_is_found_at_a_higher_threshold(astronaut, kind):
    face = astronaut[18:208, 130:320]
    assert len(create_detector(kind).detect(face, Query(threshold_scale=1.6))) == 1


@pytest.mark.parametrize("kind", ["mtcnn", "yunet"])
def test_landmarks_lie_on_the_face(astronaut, kind):
    (found,) = create_detector(kind).detect(astronaut)
    marks = found.landmarks
    assert np.allclose((marks.left_eye, marks.right_eye), EYES, atol=5)
    assert marks.left_eye[0] < marks.nose[0] < marks.right_eye[0]
    assert marks.left_eye[1] < marks.nose[1] < marks.mouth_left[1]
    assert marks.mouth_left[0] < marks.nose[0] < marks.mouth_right[0]


@pytest.mark.parametrize("scale", [1, 2])
def test_yunet_gives_pixels_of_the_image(tmp_path, scale):
    detector = DETECTORS.create(
        "yunet", YuNetOptions(model=bright_spot_yunet(tmp_path / "bright.onnx"), min_size=24 * scale)
    )
    image = np.zeros((200 * scale, 300 * scale), np.uint8)
    image[80 * scale : 88 * scale, 160 * scale : 168 * scale] = 250
    (found,) = detector.detect(image)
    assert found.score == pytest.approx(250 / 255, abs=1e-3)
    assert np.allclose(found.box.center, (164 * scale, (84 - 0.04 * 32) * scale), atol=1)
    assert found.box.width == found.box.height == pytest.approx(0.96 * 32 * scale, abs=1)
    marks = found.landmarks
    # The first pixel's center is 0, so that the corner between four pixels is half a pixel before one.
    assert marks.left_eye == pytest.approx((160.5 * scale - 0.5, 80.5 * scale - 0.5))
    assert marks.right_eye == pytest.approx((168.5 * scale - 0.5, 80.5 * scale - 0.5))
    assert marks.mouth_right == pytest.approx((168.5 * scale - 0.5, 88.5 * scale - 0.5))
    assert detector.detect(image, Query(Box(0, 0, 140 * scale, 200 * scale))) == []


@every_kind
@pytest.mark.parametrize("width", [45, 95, 190])
def test_face_is_found_in_a_region_and_redetected(astronaut, kind, width):
    scale = width / FACE.width
    image = cv2.resize(astronaut, None, fx=scale, fy=scale)
    face = Box(*(round(scale * value) for value in (FACE.x, FACE.y, FACE.width, FACE.height)))
    margin = width // 4
    region = Box(face.x - margin, face.y - margin + 2, face.width + 2 * margin, face.height + 2 * margin)
    detector = create_detector(kind)
    for (found,) in (
        detector.detect(image, Query(region, round(width / 1.4), round(width * 1.4))),
        detector.redetect(image, region, width),
    ):
        assert found.box.iou(face) > 0.6
        if found.landmarks:
            assert np.allclose(found.landmarks.left_eye, np.multiply(EYES[0], scale), atol=8 * scale)


@every_kind
@pytest.mark.parametrize("sizes", [{"max_size": 60}, {"min_size": 140}])
def test_faces_of_other_sizes_are_left_out(astronaut, kind, sizes):
    assert create_detector(kind, **sizes).detect(astronaut) == []


@every_kind
@pytest.mark.parametrize("region", [Box(300, 280, 200, 200), Box(-500, -500, 100, 100), Box(700, 700, 9, 9)])
def test_region_without_a_face_gives_nothing(astronaut, kind, region):
    assert create_detector(kind).detect(astronaut, Query(region, 60, 140)) == []


@every_kind
@pytest.mark.parametrize("shape", [(1, 1), (5, 700), (29, 29), (60, 31)])
def test_tiny_and_blank_images_have_no_faces(kind, shape):
    assert create_detector(kind).detect(np.full(shape, 90, np.uint8)) == []


@every_kind
def test_moving_face_is_tracked_and_a_second_one_found(astronaut, kind):
    detector = create_detector(kind, min_size=60)
    head = astronaut[36:216, 140:310]
    tracking = TrackingDetector(detector)
    for step in range(16):
        image = np.full((360, 480), 120, np.uint8)
        image[60:240, 20 + 3 * step : 190 + 3 * step] = head
        if step > 1:
            image[100:280, 280:450] = head
        faces = tracking.detect(Frame(image, step / 15))
        first = next(face for face in faces if face.id == "f1")
        assert first.box.iou(Box(57 + 3 * step, 90, 95, 95)) > 0.6
        assert (first.landmarks is not None) == (kind in ("mtcnn", "yunet"))
    assert {face.id for face in faces} == {"f1", "f2"}


@pytest.fixture(scope="module")
def lbp_cascade(tmp_path_factory):
    """Return scikit-image's copy of OpenCV's LBP cascade, with a misspelled tag corrected."""
    path = tmp_path_factory.mktemp("cascades") / "lbpcascade_frontalface.xml"
    path.write_text(
        Path(data.lbp_frontal_face_cascade_filename()).read_text().replace("featuhreParams", "featureParams")
    )
    return str(path)


def test_scaled_crop_of_a_huge_image_is_bounded():
    crop = ScaledCrop.cut(np.zeros((4320, 7680), np.uint8), None, 0, 80.0)
    assert crop.pixels.size <= 8_100_000
    x, y = crop.to_image(crop.pixels.shape[1] - 1, crop.pixels.shape[0] - 1)
    assert (x, y) == pytest.approx((7679, 4319), abs=2)


@pytest.mark.parametrize("cascade", ["haarcascade_frontalface_alt2", "LBP"])
def test_other_cascades_find_the_face(astronaut, lbp_cascade, cascade):
    detector = DETECTORS.create("viola_jones", ViolaJonesOptions(cascade=lbp_cascade if cascade == "LBP" else cascade))
    (found,) = detector.detect(astronaut)
    assert found.box.iou(FACE) > 0.6
    (redetected,) = detector.redetect(astronaut, Box(157, 46, 135, 135), 90)
    assert redetected.box.iou(FACE) > 0.6


def test_profile_cascade_finds_both_profiles(astronaut):
    detector = DETECTORS.create(
        "viola_jones", ViolaJonesOptions(cascade="haarcascade_profileface", min_neighbors=1, min_size=60)
    )
    there, mirrored = detector.detect(astronaut), detector.detect(np.ascontiguousarray(astronaut[:, ::-1]))
    assert there
    assert {(512 - one.box.right, one.box.y) for one in there} == {(one.box.x, one.box.y) for one in mirrored}
    region = Box(120, 20, 200, 200)
    assert detector.detect(astronaut, Query(region, 60, 140))
    assert all(one.box.center[0] < 256 for one in detector.redetect(astronaut, region, 95))


@pytest.mark.parametrize(("kind", "missing", "package"), [("mtcnn", "torch", "torch"), ("dlib", "dlib", "dlib-bin")])
def test_missing_package_error_names_the_remedy(monkeypatch, kind, missing, package):
    monkeypatch.delitem(sys.modules, "fer_ros.faces.detectors.mtcnn_networks", raising=False)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=rf"detector '{kind}' needs .*{missing}.* with: pip install {package}"):
        DETECTORS.create(kind)


def test_missing_weights_error_names_the_remedy(monkeypatch):
    pytest.importorskip("torch", reason="the detector mtcnn needs torch")
    networks = importlib.import_module("fer_ros.faces.detectors.mtcnn_networks")
    networks.load_networks.cache_clear()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"detector 'mtcnn' needs .*'mtcnn'.* with: pip install torch mtcnn"):
        DETECTORS.create("mtcnn")


def test_model_file_errors_name_the_file(tmp_path):
    with pytest.raises(ValueError, match=r"'yunet' needs its model option.*ONNX"):
        DETECTORS.create("yunet", YuNetOptions())
    with pytest.raises(FileNotFoundError, match=r"no model file /nowhere/yunet\.onnx"):
        DETECTORS.create("yunet", YuNetOptions(model="/nowhere/yunet.onnx"))
    text = tmp_path / "text.onnx"
    text.write_text("<html>not found</html>")
    with pytest.raises(ValueError, match=r"text\.onnx is not a YuNet"):
        DETECTORS.create("yunet", YuNetOptions(model=str(text)))


def test_unknown_detector_error_names_the_nearest():
    with pytest.raises(ValueError, match=r"'yunot', did you mean 'yunet'; available: viola_jones, mtcnn, dlib, yunet"):
        DETECTORS.create("yunot")


def test_toy_detector_is_registered_from_outside(toy_detector):
    options = DETECTORS.select_options("toy", {"size": 40, "cascade": "of another detector"})
    tracking = TrackingDetector(DETECTORS.create("toy", options))
    found = [tracking.detect(Frame(np.zeros((240, 320), np.uint8), step / 30)) for step in range(5)]
    assert [[(face.id, face.box) for face in faces] for faces in found] == [[("f1", Box(140, 100, 40, 40))]] * 5


def test_docs_list_all_detectors_and_their_options():
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "choose-detector.md").read_text()
    for name in DETECTORS:
        entry = DETECTORS[name]
        assert f"| `{name}`" in page
        assert entry.install in page
        assert all(f"`{row.name}`" in page for row in fields(entry.options))


def test_example_detector_of_the_docs_works():
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "choose-detector.md").read_text()
    exec(page.split("```python\n")[1].split("```")[0], {"__name__": "example"})
    try:
        (found,) = DETECTORS.create("center").detect(np.zeros((200, 300), np.uint8))
        assert found.box == Box(100, 50, 100, 100)
    finally:
        DETECTORS.unregister("center")
