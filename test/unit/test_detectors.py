"""Every kind of detector: in a whole image, in a part of it, over time; and what is said where one cannot be had."""

import importlib.util
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from detector_kinds import bright_spot_yunet, made
from skimage import data

from fer_ros.faces.detectors.common import ScaledCrop
from fer_ros.faces.detectors.registry import DETECTORS, Options, make
from fer_ros.faces.tracker import OverlapTracker
from fer_ros.faces.tracking_detector import TrackingDetector
from fer_ros.types import Box, Frame

FACE = Box(177, 66, 95, 95)
EYES = ((203, 101), (246, 103))

every_kind = pytest.mark.parametrize("kind", DETECTORS)


@every_kind
def test_the_face_of_a_photograph_gets_the_box_that_the_network_was_made_for(astronaut, kind):
    (found,) = made(kind).detect(astronaut)
    assert found.box.iou(FACE) > 0.65
    assert found.score > 0.7


@every_kind
def test_a_clear_face_is_found_also_where_more_evidence_is_asked_for(astronaut, kind):
    face = astronaut[18:208, 130:320]
    assert len(made(kind).detect(face, evidence=1.6)) == 1


@pytest.mark.parametrize("kind", ["mtcnn", "yunet"])
def test_landmarks_lie_on_the_face(astronaut, kind):
    (found,) = made(kind).detect(astronaut)
    marks = found.landmarks
    assert np.allclose((marks.left_eye, marks.right_eye), EYES, atol=5)
    assert marks.left_eye[0] < marks.nose[0] < marks.right_eye[0]
    assert marks.left_eye[1] < marks.nose[1] < marks.mouth_left[1]
    assert marks.mouth_left[0] < marks.nose[0] < marks.mouth_right[0]


@pytest.mark.parametrize("scale", [1, 2])
def test_what_yunet_says_is_in_pixels_of_the_image(tmp_path, scale):
    detector = make("yunet", Options(model=bright_spot_yunet(tmp_path / "bright.onnx"), min_size=24 * scale))
    image = np.zeros((200 * scale, 300 * scale), np.uint8)
    image[80 * scale : 88 * scale, 160 * scale : 168 * scale] = 250
    (found,) = detector.detect(image)
    assert found.score == pytest.approx(250 / 255, abs=1e-3)
    assert np.allclose(found.box.center, (164 * scale, (84 - 0.04 * 32) * scale), atol=1)
    assert found.box.width == found.box.height == pytest.approx(0.96 * 32 * scale, abs=1)
    marks = found.landmarks
    # The first pixel's center is 0 in both, so the corner between four pixels is half a pixel before one.
    assert marks.left_eye == pytest.approx((160.5 * scale - 0.5, 80.5 * scale - 0.5))
    assert marks.right_eye == pytest.approx((168.5 * scale - 0.5, 80.5 * scale - 0.5))
    assert marks.mouth_right == pytest.approx((168.5 * scale - 0.5, 88.5 * scale - 0.5))
    assert detector.detect(image, Box(0, 0, 140 * scale, 200 * scale)) == []


@every_kind
@pytest.mark.parametrize("width", [45, 95, 190])
def test_a_face_is_found_in_a_region_and_followed_from_a_guess(astronaut, kind, width):
    scale = width / FACE.width
    image = cv2.resize(astronaut, None, fx=scale, fy=scale)
    face = Box(*(round(scale * value) for value in (FACE.x, FACE.y, FACE.width, FACE.height)))
    more = width // 4
    region = Box(face.x - more, face.y - more + 2, face.width + 2 * more, face.height + 2 * more)
    detector = made(kind)
    for (found,) in (
        detector.detect(image, region, round(width / 1.4), round(width * 1.4)),
        detector.redetect(image, region, width),
    ):
        assert found.box.iou(face) > 0.6
        if found.landmarks:
            assert np.allclose(found.landmarks.left_eye, np.multiply(EYES[0], scale), atol=8 * scale)


@every_kind
@pytest.mark.parametrize("sizes", [{"max_size": 60}, {"min_size": 140}])
def test_faces_outside_the_given_sizes_are_left_out(astronaut, kind, sizes):
    assert made(kind, **sizes).detect(astronaut) == []


@every_kind
@pytest.mark.parametrize("region", [Box(300, 280, 200, 200), Box(-500, -500, 100, 100), Box(700, 700, 9, 9)])
def test_a_region_without_a_face_has_none(astronaut, kind, region):
    assert made(kind).detect(astronaut, region, 60, 140) == []


@every_kind
@pytest.mark.parametrize("shape", [(1, 1), (5, 700), (29, 29), (60, 31)])
def test_images_smaller_than_any_face_and_blank_ones_have_none(kind, shape):
    assert made(kind).detect(np.full(shape, 90, np.uint8)) == []


@every_kind
def test_a_moving_face_is_followed_and_a_second_one_found(astronaut, kind):
    detector = made(kind, min_size=60)
    head = astronaut[36:216, 140:310]
    search = TrackingDetector(detector, OverlapTracker())
    for step in range(16):
        image = np.full((360, 480), 120, np.uint8)
        image[60:240, 20 + 3 * step : 190 + 3 * step] = head
        if step > 1:
            image[100:280, 280:450] = head
        faces = search.find(Frame(image, step / 15))
        first = next(face for face in faces if face.id == "f1")
        assert first.box.iou(Box(57 + 3 * step, 90, 95, 95)) > 0.6
        assert (first.landmarks is not None) == (kind in ("mtcnn", "yunet"))
    assert {face.id for face in faces} == {"f1", "f2"}


@pytest.fixture(scope="module")
def lbp_cascade(tmp_path_factory):
    """OpenCV's LBP cascade as scikit-image has it, but for a slip of the pen that OpenCV stumbles over."""
    path = tmp_path_factory.mktemp("cascades") / "lbpcascade_frontalface.xml"
    path.write_text(
        Path(data.lbp_frontal_face_cascade_filename()).read_text().replace("featuhreParams", "featureParams")
    )
    return str(path)


def test_faces_of_a_pixel_in_a_huge_image_do_not_use_up_the_memory():
    part = ScaledCrop.of(np.zeros((4320, 7680), np.uint8), None, 0, 80.0)
    assert part.pixels.size <= 8_100_000
    x, y = part.point(part.pixels.shape[1] - 1, part.pixels.shape[0] - 1)
    assert (x, y) == pytest.approx((7679, 4319), abs=2)


@pytest.mark.parametrize("cascade", ["haarcascade_frontalface_alt2", "LBP"])
def test_other_cascades_find_it_too(astronaut, lbp_cascade, cascade):
    detector = make("viola_jones", Options(cascade=lbp_cascade if cascade == "LBP" else cascade))
    (found,) = detector.detect(astronaut)
    assert found.box.iou(FACE) > 0.6
    (followed,) = detector.redetect(astronaut, Box(157, 46, 135, 135), 90)
    assert followed.box.iou(FACE) > 0.6


def test_a_profile_cascade_sees_both_sides(astronaut):
    detector = make("viola_jones", Options(cascade="haarcascade_profileface", min_neighbors=1, min_size=60))
    there, mirrored = detector.detect(astronaut), detector.detect(np.ascontiguousarray(astronaut[:, ::-1]))
    assert there
    assert {(512 - one.box.right, one.box.y) for one in there} == {(one.box.x, one.box.y) for one in mirrored}
    region = Box(120, 20, 200, 200)
    assert detector.detect(astronaut, region, 60, 140)
    assert all(one.box.center[0] < 256 for one in detector.redetect(astronaut, region, 95))


@pytest.mark.parametrize(("kind", "missing", "package"), [("mtcnn", "torch", "torch"), ("dlib", "dlib", "dlib-bin")])
def test_a_package_that_is_not_installed_is_named(monkeypatch, kind, missing, package):
    for module in ("fer_ros.faces.detectors.mtcnn", "fer_ros.faces.detectors.dlib_hog"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=rf"'{kind}' needs the package {package} \(pip install {package}\)"):
        make(kind, Options())


def test_weights_that_are_not_installed_are_named(monkeypatch):
    mtcnn = pytest.importorskip("fer_ros.faces.detectors.mtcnn", exc_type=ImportError)
    mtcnn._networks.cache_clear()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"'mtcnn' needs the package mtcnn \(pip install mtcnn\)"):
        make("mtcnn", Options())


def test_a_model_file_that_is_missing_or_of_another_kind_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"'yunet' needs detector_model.*ONNX"):
        make("yunet", Options())
    with pytest.raises(FileNotFoundError, match=r"no model file /nowhere/yunet\.onnx"):
        make("yunet", Options(model="/nowhere/yunet.onnx"))
    text = tmp_path / "text.onnx"
    text.write_text("<html>not found</html>")
    with pytest.raises(ValueError, match=r"text\.onnx is not a YuNet"):
        make("yunet", Options(model=str(text)))


def test_a_name_that_is_no_detectors_is_answered_with_those_there_are():
    with pytest.raises(ValueError, match=r"'retina'; there are viola_jones, mtcnn, dlib, yunet"):
        make("retina", Options())
