# SPDX-License-Identifier: Apache-2.0
"""Model files as an attacker or a damaged disk makes them, without a digest, so that each check is reached."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable

import torch

from fer_ros.emotion import onnx_metadata
from fer_ros.emotion.labels import FER2013

METADATA = json.dumps({"network": "toy", "labels": FER2013, "preprocessing": {"input_size": 8}})


class Toy(torch.nn.Module):
    """The smallest network that is a model."""

    def __init__(self):
        super().__init__()
        self.head = torch.nn.Linear(64, 7)

    def forward(self, crops):
        return self.head(torch.flatten(crops, 1))


class Loop(Toy):
    """Never returns."""

    def forward(self, crops):
        while bool(crops.numel() > 0):
            crops = crops * 1
        return self.head(torch.flatten(crops, 1))


class Reader(Toy):
    """Reads a file that the sender may not read."""

    def forward(self, crops):
        secret = torch.from_file("/etc/passwd", False, 64, dtype=torch.uint8)
        return self.head(torch.flatten(crops, 1) + secret)


class Writer(Toy):
    """Writes a file."""

    def forward(self, crops):
        torch.save(crops, "/tmp/owned")
        return self.head(torch.flatten(crops, 1))


class State(Toy):
    """Runs code while it is loaded."""

    @torch.jit.export
    def __getstate__(self):
        return self.training

    @torch.jit.export
    def __setstate__(self, state: bool):
        print("owned")
        self.training = state


class Branch(Toy):
    def forward(self, crops):
        if crops.sum() > 0:
            crops = -crops
        return self.head(torch.flatten(crops, 1))


class Huge(Toy):
    """Allocates at will."""

    def forward(self, crops):
        return self.head(torch.flatten(crops, 1)) + torch.zeros([1 << 40])[0]


def members(network: torch.nn.Module, script: bool = False) -> dict[str, bytes]:
    """Return the files in a TorchScript archive, without the first folder."""
    network = network.eval()
    saved = io.BytesIO()
    torch.jit.save(torch.jit.script(network) if script else torch.jit.trace(network, torch.zeros(1, 1, 8, 8)), saved)
    with zipfile.ZipFile(saved) as archive:
        return {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}


def pack(files: dict[str, bytes], compression: int = zipfile.ZIP_STORED, metadata: str | bytes = METADATA) -> bytes:
    """Return an archive with metadata."""
    result = io.BytesIO()
    with zipfile.ZipFile(result, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(f"model/{name}", content)
        archive.writestr("model/extra/fer_ros.json", metadata, zipfile.ZIP_DEFLATED)
    return result.getvalue()


def edited(files: dict[str, bytes], name: str, change: Callable[[bytes], bytes]) -> bytes:
    """Return an archive in which one file is changed; `name` is the end of its name."""
    (full,) = [one for one in files if one.endswith(name)]
    content = change(files[full])
    assert content != files[full]
    return pack({**files, full: content})


def onnx(nodes=None, initializers=None, size=8, **model) -> bytes:
    """Return an ONNX file: of a toy network, or of the given parts."""
    from onnx import TensorProto, helper, numpy_helper

    weights = torch.rand(7, size * size, generator=torch.Generator().manual_seed(0)).numpy()
    if nodes is None:
        nodes = [node("Flatten", "crops", "flat", axis=1), node("Gemm", "flat w", "logits", transB=1)]
    graph = helper.make_graph(
        nodes,
        "toy",
        [helper.make_tensor_value_info("crops", TensorProto.FLOAT, ["n", 1, size, size])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 7])],
        initializers if initializers is not None else [numpy_helper.from_array(weights, "w")],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid(model.pop("domain", ""), 13)], **model)
    return onnx_metadata.add(made.SerializeToString(), "fer_ros.json", METADATA)


def node(kind: str, inputs: str, outputs: str, **attributes):
    """Return a node; the names of its inputs and outputs are separated by blanks."""
    from onnx import helper

    return helper.make_node(kind, inputs.split(), outputs.split(), **attributes)
