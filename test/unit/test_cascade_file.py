# SPDX-License-Identifier: Apache-2.0
"""Files of cascade classifiers: changed digits, which would end the process within OpenCV, are refused."""

import random
import re

import cv2
import numpy as np
import pytest
from fuzz import seeds

from fer_ros.faces.cascades import find_cascade, load_cascade

TREES, LBP = seeds.CASCADE.decode(), seeds.LBP_CASCADE.decode()
NOISE = np.random.default_rng(0).integers(0, 255, (30, 40), np.uint8)


@pytest.mark.parametrize("text", [TREES, LBP], ids=["haar", "lbp"])
def test_valid_cascade_is_loaded(tmp_path, text):
    (tmp_path / "c.xml").write_text(text)
    load_cascade(tmp_path / "c.xml").detectMultiScale(NOISE)


def test_checked_cascade_finds_the_same(tmp_path):
    original = find_cascade("haarcascade_eye")
    (tmp_path / "c.xml").write_bytes(original.read_bytes())
    image = cv2.resize(NOISE[:20, :20], (100, 100), interpolation=cv2.INTER_CUBIC)
    found = [load_cascade(path).detectMultiScale(image, 1.01, 0) for path in (original, tmp_path / "c.xml")]
    assert len(found[0]) > 0
    np.testing.assert_array_equal(*(np.sort(boxes, axis=0) for boxes in found))


@pytest.mark.parametrize(
    ("text", "old", "new", "reason"),
    [
        (TREES, "1 0 0 -3.1e-02", "1 0 7 -3.1e-02", "7 is not from 0 to 1"),
        (TREES, "1 0 0 -3.1e-02", "1 5 0 -3.1e-02", "5 is not from -2 to 1"),
        (TREES, "-1 -2 1 4.5e-02", "1 -2 1 4.5e-02", "node 1 of a tree leads back to node 1"),
        (TREES, "-1 -2 1 4.5e-02", "-1 -9 1 4.5e-02", "-9 is not from -2 to 1"),
        (TREES, "4.5e-02", "4.5e+99", "'4.5e[+]99' is not a number"),
        (TREES, "4.5e-02", "nan", "'nan' is not a number"),
        (TREES, "4.5e-02", "", "a tree has 7 numbers"),
        (TREES, "2.06 -5.01 1.5", "2.06 -5.01", "and 2 leaves"),
        (TREES, "2 3 12 9 -1.", "2 3 19 9 -1.", "a feature of 19x9 pixels at 2, 3 is outside the window"),
        (TREES, "2 3 12 9 -1.", "2 3 0 9 -1.", "outside the window"),
        (TREES, "2 3 12 9 -1.", "2 3 12 9", "values to unpack|is not a whole number"),
        (TREES, "9 2 4 8 -1.", "9 2 4 12 -1.", "outside the window"),
        (TREES, "<height>24", "<height>0", "0 is not from 4 to 256"),
        (TREES, "<height>24", "<height>2400000000", "is not from"),
        (TREES, "HAAR", "HOG", "its features are HOG"),
        (TREES, "<maxCatCount>0", "<maxCatCount>1", "maxCatCount is 1"),
        (TREES, "<opencv_storage>", '<!DOCTYPE x [<!ENTITY a "b">]><opencv_storage>', "it defines entities"),
        (TREES, "<stages>", "<stages/><unknown>", "not a cascade|mismatched tag"),
        (TREES, "</opencv_storage>", "", "no element found"),
        (LBP, "0 0 8 8", "0 0 9 8", "a feature of 27x24 pixels"),
        (LBP, "-67130709", "-6713070900", "is not from -2147483648"),
        ("<a/>", "", "", "it has no element 'cascade'"),
        ("", "", "", "no element found"),
    ],
)
def test_cascade_that_contradicts_itself_is_refused(tmp_path, text, old, new, reason):
    changed = text.replace(old, new, 1) if old else text
    path = tmp_path / "c.xml"
    path.write_text(changed)
    with pytest.raises(ValueError, match=reason) as raised:
        load_cascade(path)
    assert str(raised.value).startswith(f"{path} is not a cascade of OpenCV")
    assert str(raised.value).isprintable()


@pytest.mark.parametrize("text", [TREES, LBP], ids=["haar", "lbp"])
def test_changed_digits_are_survived(tmp_path, text):
    draw = random.Random(1)
    digits = [found.start() for found in re.finditer(r"\d", text)]
    for _ in range(100):
        changed = list(text)
        for at in draw.sample(digits, draw.randint(1, 3)):
            changed[at] = draw.choice("0123456789")
        (tmp_path / "c.xml").write_text("".join(changed))
        try:
            load_cascade(tmp_path / "c.xml").detectMultiScale(NOISE)
        except ValueError as error:
            assert len(str(error)) < 500  # noqa: PT017 (most of the files are refused)
        except cv2.error:
            pytest.fail(f"OpenCV read {''.join(changed)}")


def test_fifo_is_no_cascade(tmp_path):
    import os

    os.mkfifo(tmp_path / "c.xml")
    with pytest.raises(ValueError, match="not a regular file"):
        load_cascade(tmp_path / "c.xml")
