# SPDX-License-Identifier: Apache-2.0
"""Real faces for the tests that run without ROS."""

import cv2
import numpy as np
import pytest
import training_data
from annotations import tables
from detector_kinds import ToyDetector, ToyOptions
from skimage import data

from fer_ros.cli.annotate import main as annotate_main
from fer_ros.faces.detectors.registry import DETECTORS
from fer_ros.registry import Entry


@pytest.fixture(scope="session")
def astronaut() -> np.ndarray:
    """NASA's public-domain photograph of Eileen Collins, smiling: (512, 512) uint8 gray."""
    return cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2GRAY)


@pytest.fixture(scope="session")
def astronaut_bgr() -> np.ndarray:
    """Return the same in color: (512, 512, 3) uint8, BGR."""
    return cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2BGR)


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """Keep the faces found in corpora out of the user's cache."""
    monkeypatch.setenv("FER_ROS_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture
def undrawn():
    """Let training and evaluation write empty plots, in tests that do not look at them."""
    with training_data.undrawn():
        yield


@pytest.fixture
def toy_detector():
    """Register the detector "toy" from outside of the package."""
    DETECTORS.register("toy", Entry(ToyDetector, ToyOptions, description="finds a face in the center"))
    yield
    DETECTORS.unregister("toy")


@pytest.fixture(scope="session")
def photo(astronaut_bgr):
    """Return an image with one face: (256, 256, 3) uint8, BGR."""
    return cv2.resize(astronaut_bgr, (256, 256), interpolation=cv2.INTER_AREA)


@pytest.fixture
def annotate(tmp_path, capsys):
    """Return a function that runs the command and returns its exit code, the rows of both tables and its output."""

    def run(*arguments, output=tmp_path / "out"):
        code = annotate_main(["--backend", "opencv", *map(str, arguments), "--output", str(output)])
        captured = capsys.readouterr()
        return code, *tables(output), captured.out + captured.err

    return run
