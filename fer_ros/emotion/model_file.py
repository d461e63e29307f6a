"""Reads and writes model files: a network with everything one must know to use it, in one file.

A model file is a TorchScript archive (`.pt`, a zip) whose extra file `fer_ros.json` holds the metadata, or an
ONNX file (`.onnx`) that holds the same text among its metadata. Nothing else in the package reads or writes one.
torch is needed to write, and for ONNX its exporter needs the onnx package; neither to read the metadata.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from fer_ros import resources
from fer_ros.emotion import onnx_metadata
from fer_ros.emotion.labels import KNOWN
from fer_ros.emotion.preprocessing import Preprocessing
from fer_ros.files import atomic_write

if TYPE_CHECKING:
    from torch import Tensor, nn

FORMAT_VERSION = 2
SUFFIX = ".pt"
ONNX_SUFFIX = ".onnx"
_METADATA_ENTRY = "fer_ros.json"


class ModelFileError(ValueError):
    """A file that cannot serve as a model; the message names the file, the fault and the remedy."""


@dataclass(frozen=True)
class ModelMetadata:
    """What travels inside a model file beside the network."""

    network: str
    """Name in the registry of `fer_ros.networks`."""
    labels: tuple[str, ...]
    """Class labels in the order of the network's outputs."""
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    temperature: float = 1.0
    """Logits are divided by this before the softmax (Guo et al. 2017), so that scores are calibrated."""
    network_options: dict[str, Any] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)
    """What the model was trained with, as `fer-train` read it."""
    scores: dict[str, Any] = field(default_factory=dict)
    """Measured accuracies, each under the name of its data set split."""
    format_version: int = FORMAT_VERSION

    def __post_init__(self) -> None:
        if self.format_version != FORMAT_VERSION:
            raise ValueError(f"format version is {self.format_version}, this fer_ros reads {FORMAT_VERSION}")
        if len(self.labels) < 2 or len(set(self.labels)) != len(self.labels):
            raise ValueError(f"labels must be two or more different words, not {list(self.labels)}")
        unknown = [label for label in self.labels if label not in KNOWN]
        if unknown:
            raise ValueError(f"unknown labels {unknown}; known are {list(KNOWN)}")
        if not self.temperature > 0:
            raise ValueError(f"temperature must be above 0, not {self.temperature}")


def find(model: str | Path, suffixes: tuple[str, ...] = (SUFFIX, ONNX_SUFFIX)) -> Path:
    """The model file named `model`: a bare name of a shipped model, or a path.

    A bare name stands for the file with the first of the `suffixes` that there is.

    Raises:
        FileNotFoundError: says where was searched and which models exist.
    """
    return resources.find("models", str(model), suffixes)


def identify(path: Path) -> str:
    """The model's identity in messages: `<name>@<first 8 hex digits of the file's SHA-256>`."""
    return f"{path.stem}@{hashlib.sha256(path.read_bytes()).hexdigest()[:8]}"


def read_metadata(path: Path) -> ModelMetadata:
    """The metadata inside the model file at `path`.

    Raises:
        ModelFileError: not a model file of this package, or its metadata does not fit.
    """
    try:
        text = _onnx_text(path) if path.suffix == ONNX_SUFFIX else _archive_text(path)
        raw = None if text is None else json.loads(text)
    except (zipfile.BadZipFile, ValueError, OSError) as error:
        raise ModelFileError(
            f"{path} is not a readable model file ({error}); fer-train and fer-export write them"
        ) from error
    if raw is None:
        kind = "an ONNX file" if path.suffix == ONNX_SUFFIX else "an archive"
        raise ModelFileError(
            f"{path} is {kind} without fer_ros metadata ({_METADATA_ENTRY}); write it with fer-train or fer-export"
        )
    try:
        preprocessing = Preprocessing(**raw.pop("preprocessing"))
        return ModelMetadata(preprocessing=preprocessing, labels=tuple(raw.pop("labels")), **raw)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelFileError(f"{path} has metadata that does not fit: {error}") from error


def _archive_text(path: Path) -> bytes | None:
    with zipfile.ZipFile(path) as archive:
        entries = [name for name in archive.namelist() if name.endswith(f"/extra/{_METADATA_ENTRY}")]
        return archive.read(entries[0]) if entries else None


def _onnx_text(path: Path) -> str | None:
    return onnx_metadata.read(path.read_bytes()).get(_METADATA_ENTRY)


def write(path: Path, network: nn.Module, metadata: ModelMetadata) -> None:
    """Writes `network` (crops in, logits out) and its metadata to `path`, as ONNX if it ends so and as TorchScript if
    not; the file appears whole or not at all.

    Raises:
        ModelFileError: what was written would not give what the network gives.
        ImportError: ONNX is asked for, and the onnx package is not installed.
        OSError: the file cannot be written.
    """
    import torch

    size = metadata.preprocessing.input_size
    network = network.to("cpu").eval()
    example = torch.rand(2, 1, size, size, generator=torch.Generator().manual_seed(0))
    several = torch.cat([example, -example, example.flip(3)])
    text = json.dumps(asdict(metadata), indent=1)
    with torch.no_grad():
        expected = network(several).numpy()
        encode = _as_onnx if path.suffix == ONNX_SUFFIX else _as_torchscript
        content, found = encode(network, example, several, text)
    difference = float(np.abs(found - expected).max())
    if not difference < 1e-4:
        raise ModelFileError(f"{path} was not written: its outputs differ by {difference} from the network's")
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)


def _as_torchscript(network: nn.Module, example: Tensor, several: Tensor, text: str) -> tuple[bytes, np.ndarray]:
    """The file's content, and the logits of the faces `several` as the traced network gives them."""
    import torch

    traced = torch.jit.trace(network, example, check_trace=False)  # compared below, on other data
    content = io.BytesIO()
    torch.jit.save(traced, content, _extra_files={_METADATA_ENTRY: text.encode()})
    return content.getvalue(), traced(several).numpy()


def _as_onnx(network: nn.Module, example: Tensor, several: Tensor, text: str) -> tuple[bytes, np.ndarray]:
    """The file's content, and the logits of the faces `several` as OpenCV gives them."""
    import torch

    if find_spec("onnx") is None:
        raise ImportError("writing ONNX files needs the package onnx: pip install onnx")
    content = io.BytesIO()
    torch.onnx.export(
        network,
        (example,),
        content,
        input_names=["crops"],
        output_names=["logits"],
        dynamic_axes={"crops": {0: "faces"}, "logits": {0: "faces"}},
        # Old enough for the OpenCV 4.5 of Ubuntu 22.04; torch's newer exporter writes 18 and above.
        opset_version=13,
        dynamo=False,
    )
    opencv = cv2.dnn.readNetFromONNX(np.frombuffer(content.getvalue(), np.uint8))
    opencv.setInput(several.numpy())
    return onnx_metadata.add(content.getvalue(), _METADATA_ENTRY, text), opencv.forward()
