# SPDX-License-Identifier: Apache-2.0
"""Real faces for the tests that run without ROS."""

import cv2
import numpy as np
import pytest
from annotations import tables
from detector_kinds import ToyDetector, ToyOptions
from skimage import data as photos

from fer_ros.cli.annotate import main as annotate_main
from fer_ros.faces.detectors.registry import DETECTORS
from fer_ros.registry import Entry


@pytest.fixture(scope="session")
def astronaut() -> np.ndarray:
    """NASA's public-domain photograph of Eileen Collins, smiling: (512, 512) uint8 gray."""
    return cv2.cvtColor(photos.astronaut(), cv2.COLOR_RGB2GRAY)


@pytest.fixture(scope="session")
def astronaut_bgr() -> np.ndarray:
    """Return the same in color: (512, 512, 3) uint8, BGR."""
    return cv2.cvtColor(photos.astronaut(), cv2.COLOR_RGB2BGR)


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """Keep the faces found in corpora out of the user's cache."""
    monkeypatch.setenv("FER_ROS_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture
def undrawn():
    """Let training and evaluation write empty plots, in tests that do not look at them."""
    import training_data

    with training_data.undrawn():
        yield


@pytest.fixture
def memory_not_measured(monkeypatch):
    """Let profiles have a constant peak memory: measuring it loads torch in a process for each model."""
    monkeypatch.setattr("fer_ros.evaluation.profiling._peak_memory", lambda *_: 100 << 20)


@pytest.fixture(scope="module")
def tiny_network():
    """Register the network "tiny" from outside of the package."""
    import tiny_network

    with tiny_network.registered():
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Return a folder with 70 training and 35 validation images; one image is in both."""
    from training_data import arrays, bars

    folder = tmp_path_factory.mktemp("data")
    again = bars(np.arange(70) % 7, seed=1)
    public = bars(np.arange(35) % 7, seed=2)
    again[0] = public[0]
    arrays(folder / "train.npz", 70, 0, seed=1, pixels=again)
    arrays(folder / "public.npz", 35, 1, seed=2, pixels=public)
    return folder


@pytest.fixture(scope="module")
def run(data, tiny_network, tmp_path_factory):
    """Return the folder of a run that was never interrupted; its plots are empty."""
    from training_data import recipe, undrawn
    from training_runs import fer_train

    folder = tmp_path_factory.mktemp("run")
    with undrawn():
        assert fer_train("--data", data, "--recipe", recipe(folder / "bars.yaml"), "--output", folder / "run") == 0
    return folder / "run"


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
