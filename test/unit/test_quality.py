# SPDX-License-Identifier: Apache-2.0
"""Quality of real faces: each fault is detected when it is simulated, and only then."""

import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_ros.emotion.preprocessing import Preprocessing
from fer_ros.faces.detectors.viola_jones import ViolaJones
from fer_ros.people.quality import Quality, assess, sharpness, weight
from fer_ros.types import Box

FACE = Box(177, 66, 95, 95)
ROOT = Path(__file__).parents[2]
MEDIA = ROOT.parent / "shared" / "media"


def scaled_box(scale):
    return Box(*(round(value * scale) for value in (FACE.x, FACE.y, FACE.width, FACE.height)))


def quality_of(gray, box=FACE):
    return assess(Preprocessing().crop(gray, box), box, gray.shape[::-1])


def exposed(gray, factor):
    return np.clip(gray * factor, 0, 255).astype(np.uint8)


def motion_blurred(gray, length, angle):
    kernel = np.zeros((41, 41), np.float32)
    half = np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))]) * length / 2
    cv2.line(kernel, *(tuple(int(v) for v in np.round(20 + sign * half)) for sign in (-1, 1)), 1.0)
    return cv2.filter2D(gray, -1, kernel / kernel.sum())


@pytest.mark.parametrize("scale", [0.4, 0.7, 1, 2, 4])
def test_sharp_face_has_no_fault_at_any_size(astronaut, scale):
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    gray = cv2.resize(astronaut, None, fx=scale, fy=scale, interpolation=interpolation)
    assert quality_of(gray, scaled_box(scale)) == Quality.OK


@pytest.mark.parametrize("scale", [0.5, 1, 2, 4])
def test_defocused_face_is_blurred_at_any_size(astronaut, scale):
    gray = cv2.resize(astronaut, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    assert quality_of(cv2.GaussianBlur(gray, (0, 0), 3 * scale), scaled_box(scale)) == Quality.BLURRED


@pytest.mark.parametrize("angle", [0, 90])
def test_fast_moving_face_is_blurred(astronaut, angle):
    assert quality_of(motion_blurred(astronaut, 12, angle)) == Quality.BLURRED


@pytest.mark.parametrize("factor", [0.3, 0.6, 1.2])
def test_sharpness_is_independent_of_exposure(astronaut, factor):
    same = sharpness(Preprocessing().crop(astronaut, FACE))
    assert sharpness(Preprocessing().crop(exposed(astronaut, factor), FACE)) == pytest.approx(same, rel=0.15)


def test_underexposed_face_is_dark(astronaut):
    assert quality_of(exposed(astronaut, 0.2)) == Quality.DARK
    assert quality_of(exposed(astronaut, 0.4)) == Quality.OK


def test_overexposed_face_is_bright(astronaut):
    assert quality_of(exposed(astronaut, 1.8)) == Quality.BRIGHT
    assert quality_of(exposed(astronaut, 1.2)) == Quality.OK


def test_partly_saturated_face_is_bright(astronaut):
    glaring = exposed(astronaut, 0.7)
    glaring[:, : FACE.x + 35] = 255
    assert quality_of(glaring) == Quality.BRIGHT


@pytest.mark.parametrize("level", [0, 90, 230])
@pytest.mark.parametrize(
    "part",
    [
        np.s_[: FACE.x + FACE.width // 2, FACE.y : FACE.bottom],
        np.s_[FACE.x + FACE.width // 2 :, FACE.y : FACE.bottom],
        np.s_[:, FACE.y + 55 : FACE.bottom + 20],
        np.s_[:, FACE.y + 20 : FACE.y + 48],
    ],
    ids=["left half", "right half", "mouth", "eyes"],
)
def test_covered_face_is_covered(astronaut, part, level):
    columns, rows = part
    hidden = astronaut.copy()
    hidden[rows, columns] = level
    assert Quality.COVERED in quality_of(hidden)


def test_cap_does_not_count_as_cover(astronaut):
    hidden = astronaut.copy()
    hidden[: FACE.y + FACE.height // 5] = 60
    assert quality_of(hidden) == Quality.OK


def test_blank_crop_is_not_covered():
    assert Quality.COVERED not in assess(np.full((48, 48), 128, np.uint8), FACE, (640, 480))


def test_small_face_is_too_small(astronaut):
    gray = cv2.resize(astronaut, None, fx=0.3, fy=0.3, interpolation=cv2.INTER_AREA)
    assert Quality.TOO_SMALL in quality_of(gray, scaled_box(0.3))


@pytest.mark.parametrize(
    "part",
    [
        np.s_[:, FACE.x :],
        np.s_[:, : FACE.right],
        np.s_[FACE.y :, :],
        np.s_[: FACE.bottom, :],
    ],
)
def test_box_at_border_is_cut_off(astronaut, part):
    y, x = (interval.start or 0 for interval in part)
    box = Box(FACE.x - x, FACE.y - y, FACE.width, FACE.height)
    assert quality_of(np.ascontiguousarray(astronaut[part]), box) == Quality.CUT_OFF


def test_faults_combine_and_reduce_weight(astronaut):
    both = quality_of(exposed(cv2.GaussianBlur(astronaut, (0, 0), 4), 0.2))
    assert both == Quality.BLURRED | Quality.DARK
    assert 0 < weight(both) < weight(Quality.OK) == 1


def test_blank_crop_is_blurred_and_dark():
    blank = np.zeros((48, 48), np.uint8)
    assert assess(blank, FACE, (512, 512)) == Quality.BLURRED | Quality.DARK


def test_quality_bits_match_message():
    text = (ROOT / "msg" / "FaceEmotion.msg").read_text()
    bits = {name: int(value) for name, value in re.findall(r"QUALITY_(\w+)=(\d+)", text)}
    assert bits == {"OK": 0, **{bit.name: bit.value for bit in Quality}}


@pytest.mark.skipif(not MEDIA.is_dir(), reason=f"real footage is not at {MEDIA}")
@pytest.mark.parametrize(
    ("name", "faults"),
    [
        ("intel_female.gif", [Quality.COVERED]),  # seen from the side
        ("intel_female_male.gif", []),
        ("intel_walking_pause.gif", []),
    ],
)
def test_real_footage_has_no_other_faults(name, faults):
    images = pytest.importorskip("PIL.Image", reason="Pillow reads the footage")
    footage, detector = images.open(MEDIA / name), ViolaJones()
    found = []
    for index in range(0, footage.n_frames, 8):
        footage.seek(index)
        gray = cv2.cvtColor(np.asarray(footage.convert("RGB")), cv2.COLOR_RGB2GRAY)
        found += [quality_of(gray, face.box) for face in detector.detect(gray)]
    assert found
    assert [each for each in found if each] == faults
