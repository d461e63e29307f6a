# SPDX-License-Identifier: Apache-2.0
"""Text that comes from outside is safe to log."""

import pytest

from fer_ros.text import printable


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rgb8", "rgb8"),
        ("Kamera für Gäste 顔", "Kamera für Gäste 顔"),
        ("a\nb\r\x1b[2J\x00", "a\\nb\\r\\x1b[2J\\x00"),
        ("\u2028\u202e\x9b", "\\u2028\\u202e\\x9b"),
        ("\ud800", "\\ud800"),
        (12, "12"),
    ],
)
def test_printable_escapes_control_characters(text, expected):
    assert printable(text) == expected


def test_printable_cuts_long_text():
    assert printable(100 * "x", 20) == 17 * "x" + "..."
    assert len(printable(100 * "\n", 20)) == 20
    assert len(printable(10_000_000 * "\n")) == 80
