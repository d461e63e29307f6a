# SPDX-License-Identifier: Apache-2.0
"""Read and write model files: a network with all metadata that is needed to use it, in one file.

A model file is a TorchScript archive (`.pt`, a zip) with the metadata in an extra file `fer_ros.json`, or an ONNX file
(`.onnx`) with the same JSON among its metadata. Writing needs torch, and for ONNX the package onnx; reading the
metadata needs neither.
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
BEST = "best.pt"
"""Name of the best model in the folder of a training run."""
_METADATA_ENTRY = "fer_ros.json"


class ModelFileError(ValueError):
    """A file cannot be used as a model; the message names the file, the reason and the remedy."""


@dataclass(frozen=True)
class ModelMetadata:
    """Metadata in a model file.

    Raises:
        ValueError: the format version is another, or a value is out of its range.
    """

    network: str
    """Name in the registry of networks."""
    labels: tuple[str, ...]
    """Class labels in the order of the network's outputs."""
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    temperature: float = 1.0
    """Divisor of the logits before the softmax, which calibrates the scores (Guo et al. 2017)."""
    network_options: dict[str, Any] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)
    """Training recipe, as `fer-train` read it."""
    scores: dict[str, Any] = field(default_factory=dict)
    """Accuracies by the name of the data set split they were measured on."""
    data: dict[str, Any] = field(default_factory=dict)
    """Identifies the images of the run: `training` and `validation` fingerprints, the `seed` that drew the validation
    images where the data set has no split for them, and `init_from`: the same of the model that the run started from,
    if its images were others. See `fer_ros.evaluation.selection`."""
    format_version: int = FORMAT_VERSION

    def __post_init__(self) -> None:
        if self.format_version != FORMAT_VERSION:
            raise ValueError(f"format version is {self.format_version}, but this fer_ros reads {FORMAT_VERSION}")
        if len(self.labels) < 2 or len(set(self.labels)) != len(self.labels):
            raise ValueError(f"labels must be two or more different names, not {list(self.labels)}")
        unknown = [label for label in self.labels if label not in KNOWN]
        if unknown:
            raise ValueError(f"unknown labels {unknown}; available: {', '.join(KNOWN)}")
        if not self.temperature > 0:
            raise ValueError(f"temperature must be above 0, not {self.temperature}")


def find(model: str | Path, suffixes: tuple[str, ...] = (SUFFIX, ONNX_SUFFIX)) -> Path:
    """Return the path of a model file.

    Args:
        model: name of a model that ships with the package, path of a model file, or folder of a training run.
        suffixes: in order of preference, for a model that ships in several formats.

    Raises:
        FileNotFoundError: there is no such model; names the folders that were searched and the models that exist.
    """
    folder = Path(model).expanduser()
    if folder.is_dir():
        if (folder / BEST).is_file():
            return folder / BEST
        if folder.is_absolute() or len(folder.parts) > 1:
            raise FileNotFoundError(
                f"there is no {folder / BEST}: {folder} is not a training run, or its first epoch has not ended"
            )
    return resources.find("models", str(model), suffixes)


def identify(path: Path) -> str:
    """Return the model's id in messages: `<name>@<first 8 hex digits of the file's SHA-256>`."""
    return f"{path.stem}@{hashlib.sha256(path.read_bytes()).hexdigest()[:8]}"


def read_metadata(path: Path) -> ModelMetadata:
    """Return the metadata of a model file.

    Raises:
        ModelFileError: the file is not a model file of this package, or its metadata is invalid.
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
        raise ModelFileError(f"{path} has invalid metadata: {error}") from error


def _archive_text(path: Path) -> bytes | None:
    with zipfile.ZipFile(path) as archive:
        entries = [name for name in archive.namelist() if name.endswith(f"/extra/{_METADATA_ENTRY}")]
        return archive.read(entries[0]) if entries else None


def _onnx_text(path: Path) -> str | None:
    return onnx_metadata.read(path.read_bytes()).get(_METADATA_ENTRY)


def write(path: Path, network: nn.Module, metadata: ModelMetadata) -> None:
    """Write a model file atomically.

    Args:
        path: written as ONNX if its suffix is `.onnx`, else as TorchScript.
        network: from (N, 1, size, size) crops to (N, classes) logits.
        metadata: of the model.

    Raises:
        ModelFileError: the outputs of the exported network differ from those of `network`.
        ImportError: the package onnx is not installed, and `path` is an ONNX file.
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
        raise ModelFileError(f"{path} was not written: its outputs would differ by {difference} from the network's")
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)


def _as_torchscript(network: nn.Module, example: Tensor, several: Tensor, text: str) -> tuple[bytes, np.ndarray]:
    """Return the content of the file, and the logits of `several` faces by the traced network."""
    import torch

    traced = torch.jit.trace(network, example, check_trace=False)  # `write` compares the outputs, on other data
    content = io.BytesIO()
    torch.jit.save(traced, content, _extra_files={_METADATA_ENTRY: text.encode()})
    return content.getvalue(), traced(several).numpy()


def _as_onnx(network: nn.Module, example: Tensor, several: Tensor, text: str) -> tuple[bytes, np.ndarray]:
    """Return the content of the file, and the logits of `several` faces by OpenCV."""
    import torch

    if find_spec("onnx") is None:
        raise ImportError("writing ONNX files needs the package onnx: pip install onnx")
    content = io.BytesIO()
    torch.onnx.export(
        network,
        (example,),
        content,  # type: ignore[arg-type]
        input_names=["crops"],
        output_names=["logits"],
        dynamic_axes={"crops": {0: "faces"}, "logits": {0: "faces"}},
        # Ubuntu 22.04's OpenCV 4.5 reads it; torch's newer exporter writes opset 18 and above.
        opset_version=13,
        dynamo=False,
    )
    opencv = cv2.dnn.readNetFromONNX(np.frombuffer(content.getvalue(), np.uint8))
    opencv.setInput(several.numpy())
    return onnx_metadata.add(content.getvalue(), _METADATA_ENTRY, text), opencv.forward()
