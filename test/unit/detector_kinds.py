"""Each kind of detector as tests take it, where it is installed."""

import os
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from fer_ros.faces.detectors.base import Detector
from fer_ros.faces.detectors.registry import Options, make

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


def bright_spot_yunet(path: Path) -> str:
    """A network with YuNet's outputs that takes every bright cell of 8x8 pixels for the middle of a face of 32."""
    nodes, weights, outputs = [], [], []

    def output(name: str, stride: int, channels: list[tuple[float, float]]) -> None:
        """A weight for all pixels of the cell, and a bias, for each channel; as a list of the cells."""
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
