# SPDX-License-Identifier: Apache-2.0
"""Facial expression recognition for robots: a library without ROS, and ROS 2 nodes around it in `fer_ros.nodes`.

>>> import fer_ros, numpy
>>> recognizer = fer_ros.EmotionRecognizer()
>>> recognizer.recognize(numpy.zeros((480, 640), numpy.uint8))
[]
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fer_ros.emotion.model_file import ModelFileError
    from fer_ros.faces.tracking_detector import TrackingSettings
    from fer_ros.media.drawing import draw
    from fer_ros.people.camera_model import CameraModel
    from fer_ros.people.hysteresis import HysteresisSettings
    from fer_ros.people.quality import Quality
    from fer_ros.people.smoothing import SmoothingSettings
    from fer_ros.recognizer import EmotionRecognizer
    from fer_ros.types import UNKNOWN, Box, FaceResult, Landmarks

    __version__: str

# The messages (fer_ros.msg and so on) are generated into an installed package of the same name. With the search path
# extended to it, they can be imported from a checkout too, where this folder shadows that package.
__path__ = pkgutil.extend_path(__path__, __name__)

__all__ = [
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

_MODULES = {
    "UNKNOWN": "types",
    "Box": "types",
    "CameraModel": "people.camera_model",
    "EmotionRecognizer": "recognizer",
    "FaceResult": "types",
    "HysteresisSettings": "people.hysteresis",
    "Landmarks": "types",
    "ModelFileError": "emotion.model_file",
    "Quality": "people.quality",
    "SmoothingSettings": "people.smoothing",
    "TrackingSettings": "faces.tracking_detector",
    "draw": "media.drawing",
}
"""The module that defines each public name. It is imported on first use, since `import fer_ros` happens in every node
and command, and OpenCV alone takes a good part of a second."""


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        value = getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    elif name == "__version__":
        value = importlib.import_module(f"{__name__}.resources").version()
    else:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
