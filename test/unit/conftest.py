"""Real faces for the tests that run without ROS."""

import cv2
import numpy as np
import pytest
from skimage import data


@pytest.fixture(scope="session")
def astronaut() -> np.ndarray:
    """NASA's public-domain photograph of Eileen Collins, smiling: (512, 512) uint8 grey."""
    return cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2GRAY)
