# SPDX-License-Identifier: Apache-2.0
"""Detectors for tests, where they are installed."""

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from fer_ros.faces.detectors.base import WHOLE_IMAGE, Detector
from fer_ros.faces.detectors.registry import DETECTORS
from fer_ros.registry import option
from fer_ros.types import Box, Detection

YUNET = os.environ.get("FER_ROS_YUNET", "")
"""Path of YuNet's model file, which no package contains."""


def create_detector(name: str, **options) -> Detector:
    """Return a detector; skip the test where it is not installed."""
    if name == "yunet" and not YUNET:
        pytest.skip("FER_ROS_YUNET does not name a YuNet model file")
    try:
        return _create(name, DETECTORS.select_options(name, {"model": YUNET, **options}))
    except ImportError as error:
        pytest.skip(str(error))


_create = lru_cache(DETECTORS.create)


def bright_spot_yunet(path: Path) -> str:
    """Write a network with YuNet's outputs that detects a face of 32 pixels at each bright cell of 8x8 pixels."""
    nodes, weights, outputs = [], [], []

    def output(name: str, stride: int, channels: list[tuple[float, float]]) -> None:
        """Add an output of one row per cell, each channel given by a weight for all pixels and a bias."""
        kernel = np.zeros((len(channels), 3, stride, stride), np.float32)
        kernel[:] = np.array([weight for weight, _ in channels], np.float32)[:, None, None, None]
        bias = np.array([bias for _, bias in channels], np.float32)
        shape = np.array([1, -1, len(channels)], np.int64)
        parts = {f"{name}_kernel": kernel, f"{name}_bias": bias, f"{name}_shape": shape}
        weights.extend(numpy_helper.from_array(value, key) for key, value in parts.items())
        cell = [stride, stride]
        inputs = ["input", f"{name}_kernel", f"{name}_bias"]
        nodes.append(helper.make_node("Conv", inputs, [f"{name}_map"], strides=cell, kernel_shape=cell))
        nodes.append(helper.make_node("Transpose", [f"{name}_map"], [f"{name}_last"], perm=[0, 2, 3, 1]))
        nodes.append(helper.make_node("Reshape", [f"{name}_last", f"{name}_shape"], [name]))
        cells = (320 // stride) ** 2
        outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, cells, len(channels)]))

    for stride in (8, 16, 32):
        brightness = 1 / (255 * 3 * 64) if stride == 8 else 0.0
        output(f"cls_{stride}", stride, [(brightness, 0.0)])
        output(f"obj_{stride}", stride, [(brightness, 0.0)])
        output(f"bbox_{stride}", stride, [(0.0, value) for value in (0.5, 0.5, np.log(4), np.log(4))])
        output(f"kps_{stride}", stride, [(0.0, value) for value in (0, 0, 1, 0, 0.5, 0.5, 0, 1, 1, 1)])
    image = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 320, 320])
    graph = helper.make_graph(nodes, "bright", [image], outputs, weights)
    path.write_bytes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=7).SerializeToString()
    )
    return str(path)


@dataclass(frozen=True)
class ToyOptions:
    """Options of `ToyDetector`."""

    size: int = option(30, "width of the toy face, pixels")


class ToyDetector(Detector):
    """Finds one face in the center of any image: a detector from outside of the package."""

    def __init__(self, options):
        self._size = options.size

    def size_limits(self, shape):
        """See `Detector`."""
        return self._size, self._size

    def detect(self, image, query=WHOLE_IMAGE):
        """See `Detector`."""
        (x, y), half = (side // 2 for side in image.shape[::-1]), self._size // 2
        return [Detection(Box(x - half, y - half, self._size, self._size), 1.0)]
