# SPDX-License-Identifier: Apache-2.0
"""The detectors by name.

A detector of your own, from your own package:

    DETECTORS.register("mine", Entry(MyDetector, MyOptions, "pip install my-package", "what it is"))
"""

from __future__ import annotations

from fer_ros.faces.detectors.base import Detector
from fer_ros.faces.detectors.dlib_hog import DlibHog, DlibHogOptions
from fer_ros.faces.detectors.mtcnn import Mtcnn, MtcnnOptions
from fer_ros.faces.detectors.viola_jones import ViolaJonesOptions, create_viola_jones
from fer_ros.faces.detectors.yunet import YuNet, YuNetOptions
from fer_ros.registry import Entry, Registry

DETECTORS: Registry[Detector] = Registry("detector")
"""Each entry's loader takes the options dataclass of its entry."""

DETECTORS.register(
    "viola_jones",
    Entry(create_viola_jones, ViolaJonesOptions, description="boosted cascade of Haar or LBP features, by OpenCV"),
)
DETECTORS.register(
    "mtcnn",
    Entry(Mtcnn, MtcnnOptions, "pip install torch mtcnn", "three small networks, by PyTorch; gives landmarks"),
)
DETECTORS.register(
    "dlib",
    Entry(DlibHog, DlibHogOptions, "pip install dlib-bin", "histograms of oriented gradients, by dlib"),
)
DETECTORS.register(
    "yunet",
    Entry(YuNet, YuNetOptions, description="one small network, by OpenCV 4.5.4 or later; gives landmarks"),
)
