"""Each kind of detector as tests take it, where it is installed."""

import os
from functools import lru_cache

import pytest

from fer_ros.faces.detectors import Detector
from fer_ros.faces.detectors.choice import Options, make

YUNET = os.environ.get("FER_ROS_YUNET", "")
"""YuNet's model is in no package: who has the file, names it here."""


def made(name: str, **options) -> Detector:
    """A detector, or the end of this test with the reason."""
    if name == "yunet" and not YUNET:
        pytest.skip("FER_ROS_YUNET does not name a YuNet model file")
    try:
        return _made(name, Options(model=YUNET, **options))
    except ImportError as error:
        pytest.skip(str(error))


_made = lru_cache(make)
