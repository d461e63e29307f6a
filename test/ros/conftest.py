# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the tests that need ROS."""

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from skimage import data

MEDIA = Path(__file__).parents[3] / "shared" / "media"
"""Recordings of people, which are not part of this repository."""


@pytest.fixture(scope="session")
def _ros():
    import rclpy

    rclpy.init()
    yield
    rclpy.try_shutdown()


@pytest.fixture
def robot(_ros):
    from robot import Robot

    with Robot() as robot:
        yield robot


@pytest.fixture(scope="session")
def model(tmp_path_factory) -> Path:
    """Model file of most tests."""
    from robot import untrained_model

    return untrained_model(tmp_path_factory.mktemp("models") / "untrained.pt")


@pytest.fixture(scope="module")
def measure_children():
    """Measure the coverage of child processes where that of this process is measured.

    Not for all tests: each process would take half a second longer to start.
    """
    with pytest.MonkeyPatch.context() as patch:
        coverage = sys.modules.get("coverage")
        if coverage and coverage.Coverage.current():
            patch.setenv("COVERAGE_PROCESS_START", str(Path(__file__).parents[2] / "pyproject.toml"))
        yield


@pytest.fixture(scope="session")
def light_model(tmp_path_factory) -> Path:
    """Model file for programs: ONNX, so that no process has to load torch, which takes seconds.

    TorchScript if the package onnx is not installed.
    """
    from robot import untrained_model

    suffix = ".onnx" if find_spec("onnx") else ".pt"
    return untrained_model(tmp_path_factory.mktemp("models") / f"light{suffix}")


_LOADED: dict[tuple[Path, str, str], Any] = {}
"""Classifiers by path, digest and backend."""


@pytest.fixture(scope="module")
def quick_start():
    """Load each model only once per session, and in this process only; loading takes longer than most tests."""
    from fer_ros.emotion import model_cache, model_file, model_trial
    from fer_ros.emotion.classifier import Classifier

    def load(file, backend):
        key = file.path, file.sha256, backend
        _LOADED[key] = _LOADED.get(key) or Classifier(file, backend)
        return _LOADED[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model_cache, "Classifier", load)
        patch.setattr(model_trial, "run", lambda path, *_: model_file.read(path).sha256)
        yield


@pytest.fixture(scope="session")
def astronaut() -> np.ndarray:
    """NASA's public-domain photograph of Eileen Collins: one face, (512, 512, 3) uint8 BGR."""
    return np.ascontiguousarray(data.astronaut()[:, :, ::-1])


@pytest.fixture(scope="session")
def recording() -> list[np.ndarray]:
    """Up to three walking people: images of (270, 480, 3) uint8 BGR at 12.5 Hz."""
    path = MEDIA / "intel_walking_pause.gif"
    if not path.is_file():
        pytest.skip(f"{path} does not exist")
    video = cv2.VideoCapture(str(path))
    images = []
    while (read := video.read())[0]:
        images.append(read[1])
    return images
