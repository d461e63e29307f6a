# SPDX-License-Identifier: Apache-2.0
"""Model files: small valid ones, and readers of their parts.

The files have no digest, with which every change would be refused before the checks that are tested. What passes is
loaded and run as by a node.
"""

from __future__ import annotations

import functools
import io
import json
import tempfile
import warnings
from pathlib import Path

import cv2
import numpy as np

from fer_ros.emotion import model_file, onnx_metadata, torchscript_archive
from fer_ros.emotion.backends import registry as backends
from fer_ros.emotion.labels import FER2013
from fer_ros.emotion.model_file import ModelFile, ModelFileError
from fer_ros.faces.cascades import load_cascade

_METADATA = {"network": "toy", "labels": FER2013, "preprocessing": {"input_size": 8}}
_MORE = {
    "temperature": 1.7,
    "preprocessing": {"input_size": 8, "margin": 0.1, "mean": 0.4, "std": 0.2, "standardize": True, "blur": 0.5},
    "scores": {"validation": {"accuracy": 0.6, "epoch": 3}},
    "verification": {"sha256": 64 * "0", "logits": 7 * [0.5]},
}
_NOISE = np.random.default_rng(0).integers(0, 255, (60, 80), np.uint8)


@functools.cache
def _members() -> dict[str, bytes]:
    """Return the members of a TorchScript archive whose network uses the usual operators."""
    import torch
    from torch import nn

    torch.set_num_threads(1)
    torch.manual_seed(0)
    layers = (nn.Conv2d(1, 2, 3, padding=1), nn.BatchNorm2d(2), nn.ReLU(), nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(2))
    network = nn.Sequential(*layers, nn.Flatten(), nn.Linear(8, 7)).eval()
    saved = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(network, torch.zeros(1, 1, 8, 8)), saved)
    return torchscript_archive.read(saved.getvalue())


def _largest(start: str) -> str:
    return max((name for name in _members() if name.startswith(start)), key=lambda name: len(_members()[name]))


def archives() -> list[bytes]:
    """Return TorchScript files."""
    return [torchscript_archive.with_metadata(_members(), json.dumps(_METADATA).encode())]


def metadata() -> list[bytes]:
    """Return the metadata of model files."""
    return [json.dumps(one, indent=1).encode() for one in (_METADATA, _METADATA | _MORE)]


def code() -> list[bytes]:
    """Return files of TorchScript code: of the network, and with what none has."""
    lines = (
        "while True:\n      pass",
        'torch.save(x, "/tmp/x")',
        "x = ops.prim.NumToTensor(torch.size(x, 0))",
        "x = torch.conv2d(x, x, None, [1, 1], [0, 0], [1, 1], 1)",
        "x = torch.view(x, [int(torch.size(x, 0)), -1])",
        "x = torch.cat([x, x], 1)",
        "x = torch.flatten(torch.softmax(x, 1), 1, -1)",
        'x = getattr(self, "__setstate__")',
    )
    text = "class Sequential(Module):\n  def forward(self, x: Tensor) -> Tensor:\n    {}\n    return x\n"
    return [_members()[_largest("code/")], *(text.format(line).encode() for line in lines)]


def objects() -> list[bytes]:
    """Return descriptions of objects and tensors."""
    return [_members()["data.pkl"]]


def onnx() -> list[bytes]:
    """Return ONNX files; none if the package onnx, which makes them, is not installed."""
    try:
        from onnx import TensorProto, helper, numpy_helper
    except ImportError:
        return []
    draw = np.random.default_rng(0)
    shapes = {"k": (2, 1, 3, 3), "b": (2,), "s": (2,), "v": (2,), "w": (7, 32), "c": (7,)}
    weights = [numpy_helper.from_array(draw.random(shape).astype(np.float32), name) for name, shape in shapes.items()]
    nodes = [
        helper.make_node("Conv", ["crops", "k", "b"], ["1"], kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[1, 1]),
        helper.make_node("BatchNormalization", ["1", "s", "b", "b", "v"], ["2"], epsilon=1e-5),
        helper.make_node("Relu", ["2"], ["3"]),
        helper.make_node("MaxPool", ["3"], ["4"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("GlobalAveragePool", ["4"], ["5"]),
        helper.make_node("Sigmoid", ["5"], ["6"]),
        helper.make_node("Mul", ["4", "6"], ["7"]),
        helper.make_node("Add", ["7", "4"], ["8"]),
        helper.make_node("Flatten", ["8"], ["9"], axis=1),
        helper.make_node("Gemm", ["9", "w", "c"], ["logits"], transB=1),
    ]
    ends = (("crops", ["n", 1, 8, 8]), ("logits", ["n", 7]))
    infos = [[helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)] for name, shape in ends]
    model = helper.make_model(
        helper.make_graph(nodes, "toy", *infos, weights), opset_imports=[helper.make_opsetid("", 13)]
    )
    return [onnx_metadata.add(model.SerializeToString(), "fer_ros.json", json.dumps(_METADATA))]


def read_metadata(content: bytes) -> None:
    """Read metadata in a TorchScript file."""
    model_file.parse(Path("m.pt"), torchscript_archive.with_metadata(_members(), content))


def read_archive(content: bytes) -> None:
    """Read and run a TorchScript file."""
    _run(model_file.parse(Path("m.pt"), content))


def read_code(content: bytes) -> None:
    """Read and run a TorchScript file with a changed file of code."""
    read_archive(torchscript_archive.with_metadata({**_members(), _largest("code/"): content}, metadata()[0]))


def read_objects(content: bytes) -> None:
    """Read and run a TorchScript file with a changed description of objects."""
    read_archive(torchscript_archive.with_metadata({**_members(), "data.pkl": content}, metadata()[0]))


def read_onnx(content: bytes) -> None:
    """Read and run an ONNX file with OpenCV, and with ONNX Runtime if it is installed."""
    file = model_file.parse(Path("m.onnx"), content)
    backends.load("opencv", file)
    try:
        backends.load("onnx", file)
    except ImportError:
        return


def read_cascade(content: bytes) -> None:
    """Read a cascade, and search an image with it."""
    path = _folder() / "c.xml"
    path.write_bytes(content)
    load_cascade(path).detectMultiScale(cv2.resize(_NOISE, (40, 30)))


@functools.cache
def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="fer_ros_fuzz_"))


def _run(file: ModelFile) -> None:
    """Load and run a network as the backend does, without the compilation, which takes a tenth of a second.

    torch may raise any exception, as the backend expects; it must not crash.
    """
    import torch

    crops = torch.zeros(2, 1, 8, 8)
    try:
        with torch.inference_mode(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.jit.load(io.BytesIO(file.network), map_location="cpu").eval()(crops)
    except Exception as error:
        raise ModelFileError(f"torch refuses it ({type(error).__name__})") from error
