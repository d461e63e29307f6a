# SPDX-License-Identifier: Apache-2.0
"""The public names of the package, and what importing it costs."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import fer_ros

ROOT = Path(__file__).parents[2]


def test_public_names_are_complete_and_sorted():
    assert fer_ros.__all__ == [
        "UNKNOWN",
        "Box",
        "CameraModel",
        "EmotionRecognizer",
        "FaceResult",
        "HysteresisSettings",
        "Landmarks",
        "ModelFileError",
        "Quality",
        "SmoothingSettings",
        "TrackingSettings",
        "__version__",
        "draw",
    ]


@pytest.mark.parametrize("name", fer_ros.__all__)
def test_public_name_can_be_imported_and_listed(name):
    assert getattr(fer_ros, name) is not None
    assert name in dir(fer_ros)


def test_public_members_are_documented():
    members = [getattr(fer_ros, name) for name in fer_ros.__all__]
    assert all(member.__doc__ for member in members if not isinstance(member, str))


def test_other_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="'fer_ros' has no attribute 'EmotionRecogniser'"):
        fer_ros.EmotionRecogniser  # noqa: B018


def test_version_is_that_of_package_xml():
    assert fer_ros.__version__ == re.search("<version>(.+)</version>", (ROOT / "package.xml").read_text())[1]


def test_import_loads_no_heavy_module():
    code = "import sys, fer_ros; print(*(name for name in ('cv2', 'numpy', 'scipy', 'torch') if name in sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == ""


def test_package_is_marked_as_typed():
    assert Path(fer_ros.__file__).with_name("py.typed").exists()
