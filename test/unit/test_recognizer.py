# SPDX-License-Identifier: Apache-2.0
"""The library's front door: what it returns, and what it refuses."""

import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage import data

import fer_ros
from fer_ros import CameraModel, EmotionRecognizer, HysteresisSettings, SmoothingSettings

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def portrait():
    return cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2BGR)


@pytest.fixture(scope="module")
def recognizer():
    return EmotionRecognizer(backend="opencv", smoothing=SmoothingSettings(1.0))


@pytest.fixture(autouse=True)
def fresh(recognizer):
    recognizer.reset()


def test_recognizer_finds_smile_in_single_image(recognizer, portrait):
    (face,) = recognizer.recognize(portrait)
    assert (face.emotion, face.id, face.quality) == ("happy", "", 0)
    assert face.labels == recognizer.labels
    assert np.array_equal(face.scores, face.smoothed_scores)
    assert face.confidence == face.scores.max() > 0.5
    assert str(face).startswith("FaceResult(happy ")


def test_single_images_are_independent(recognizer, portrait):
    (face,) = recognizer.recognize(portrait)
    for image in (np.zeros_like(portrait), portrait[:, ::-1], cv2.GaussianBlur(portrait, (0, 0), 4)):
        recognizer.recognize(image)
    (again,) = recognizer.recognize(portrait)
    assert np.array_equal(face.scores, again.scores)
    assert face.box == again.box


def test_gray_and_color_give_the_same(recognizer, portrait):
    (color,), (gray,) = (
        recognizer.recognize(image) for image in (portrait, cv2.cvtColor(portrait, cv2.COLOR_BGR2GRAY))
    )
    assert np.array_equal(color.scores, gray.scores)


def test_faces_are_tracked_and_smoothed_with_stamps(recognizer, portrait):
    (first,) = recognizer.recognize(portrait, stamp=10.0)
    (second,) = recognizer.recognize(cv2.GaussianBlur(portrait, (0, 0), 4), stamp=10.1)
    assert second.id == first.id != ""
    assert second.tracked_for == pytest.approx(0.1)
    assert not np.array_equal(second.scores, second.smoothed_scores)


def test_single_image_does_not_disturb_stream(recognizer, portrait):
    (before,) = recognizer.recognize(portrait, stamp=0.0)
    recognizer.recognize(np.zeros((100, 100), np.uint8))
    (after,) = recognizer.recognize(portrait, stamp=0.1)
    assert before.id == after.id


def test_reset_gives_new_ids(recognizer, portrait):
    (before,) = recognizer.recognize(portrait, stamp=0.0)
    recognizer.reset()
    (after,) = recognizer.recognize(portrait, stamp=0.1)
    assert before.id != after.id


def test_camera_model_gives_positions(portrait):
    camera = CameraModel(width=512, height=512, k=(500.0, 0.0, 256.0, 0.0, 500.0, 256.0, 0.0, 0.0, 1.0))
    located = EmotionRecognizer(backend="opencv", camera_model=camera)
    (face,) = located.recognize(portrait)
    assert face.position == camera.position(face.box)
    with pytest.raises(ValueError, match="images of 512x512 pixels"):
        located.recognize(portrait[:300])


def test_settings_reach_the_pipeline(portrait):
    strict = EmotionRecognizer(backend="opencv", hysteresis=HysteresisSettings(min_confidence=0.999))
    (face,) = strict.recognize(portrait)
    assert face.emotion == fer_ros.UNKNOWN


def test_recognizer_keeps_opencv_threads(recognizer, portrait):
    threads = cv2.getNumThreads()
    for step in range(3):
        recognizer.recognize(portrait, stamp=step / 30)
    assert cv2.getNumThreads() == threads


@pytest.mark.parametrize("shape", [(1, 1), (3, 400), (400, 3, 3)])
def test_tiny_images_have_no_faces(recognizer, shape):
    assert recognizer.recognize(np.zeros(shape, np.uint8)) == []


@pytest.mark.parametrize(
    ("image", "error", "reason"),
    [
        (None, TypeError, "cv2.imread returns that"),
        ("photo.jpg", TypeError, r"NumPy array, not str; cv2.imread\(path\)"),
        (np.zeros((9, 9), np.float32), TypeError, "uint8 .* not float32; from values 0..1"),
        (np.zeros((9, 9, 4), np.uint8), ValueError, r"\(height, width, 3\).*not \(9, 9, 4\)"),
        (np.zeros((0, 9), np.uint8), ValueError, r"not \(0, 9\)"),
        (np.zeros(9, np.uint8), ValueError, r"not \(9,\)"),
    ],
)
def test_unusable_images_are_refused_with_reason(recognizer, image, error, reason):
    with pytest.raises(error, match=reason):
        recognizer.recognize(image)


@pytest.mark.parametrize("stamp", [float("nan"), float("inf")])
def test_infinite_stamp_is_refused(recognizer, portrait, stamp):
    with pytest.raises(ValueError, match="finite number of seconds"):
        recognizer.recognize(portrait, stamp)


def test_unknown_detector_is_refused_with_names():
    with pytest.raises(ValueError, match="viola_jones"):
        EmotionRecognizer(detector="viola")


def test_draw_returns_bgr_copy(recognizer, portrait):
    faces = recognizer.recognize(portrait)
    original = portrait.copy()
    drawn = fer_ros.draw(portrait, faces)
    assert np.array_equal(portrait, original)
    assert (drawn != portrait).any()
    assert fer_ros.draw(cv2.cvtColor(portrait, cv2.COLOR_BGR2GRAY), faces).shape == portrait.shape


def test_readme_example_prints_emotion(portrait, tmp_path):
    section = (ROOT / "README.md").read_text().split("## Library")[1]
    code = re.search(r"```python\n(.+?)```", section, re.DOTALL)[1]
    cv2.imwrite(str(tmp_path / "photo.jpg"), portrait)
    arguments = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{code}"]
    run = subprocess.run(arguments, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert re.fullmatch(r"happy 0\.\d+\n", run.stdout)


def test_recognizer_imports_neither_torch_nor_scipy(portrait, tmp_path):
    cv2.imwrite(str(tmp_path / "photo.png"), portrait)
    code = (
        "import sys, cv2, fer_ros; recognizer = fer_ros.EmotionRecognizer(backend='opencv')\n"
        f"image = cv2.imread({str(tmp_path / 'photo.png')!r})\n"
        "for stamp in (None, 1.0, 1.1): assert recognizer.recognize(image, stamp)\n"
        "print(*(name for name in ('scipy', 'torch', 'yaml', 'matplotlib', 'rclpy') if name in sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == ""
