"""Reads and writes model files: a network with everything one must know to use it, in one file.

A model file is a TorchScript archive (a zip) whose extra file `fer_ros.json` holds the metadata. Nothing else in the
package reads or writes one. torch is needed to write, not to read the metadata.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fer_ros import resources
from fer_ros.emotion.labels import KNOWN
from fer_ros.emotion.preprocessing import Preprocessing

if TYPE_CHECKING:
    from torch import nn

FORMAT_VERSION = 1
SUFFIX = ".pt"
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

    def __post_init__(self):
        if self.format_version != FORMAT_VERSION:
            raise ValueError(f"format version is {self.format_version}, this fer_ros reads {FORMAT_VERSION}")
        if len(self.labels) < 2 or len(set(self.labels)) != len(self.labels):
            raise ValueError(f"labels must be two or more different words, not {list(self.labels)}")
        unknown = [label for label in self.labels if label not in KNOWN]
        if unknown:
            raise ValueError(f"unknown labels {unknown}; known are {list(KNOWN)}")
        if not self.temperature > 0:
            raise ValueError(f"temperature must be above 0, not {self.temperature}")


def find(model: str | Path) -> Path:
    """The model file named `model`: a bare name of a shipped model, or a path.

    Raises:
        FileNotFoundError: says where was searched and which models exist.
    """
    return resources.find("models", str(model), (SUFFIX,))


def identify(path: Path) -> str:
    """The model's identity in messages: `<name>@<first 8 hex digits of the file's SHA-256>`."""
    return f"{path.stem}@{hashlib.sha256(path.read_bytes()).hexdigest()[:8]}"


def read_metadata(path: Path) -> ModelMetadata:
    """The metadata inside the model file at `path`.

    Raises:
        ModelFileError: not a model file of this package, or its metadata does not fit.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [name for name in archive.namelist() if name.endswith(f"/extra/{_METADATA_ENTRY}")]
            if not entries:
                raise ModelFileError(
                    f"{path} is an archive without fer_ros metadata ({_METADATA_ENTRY}); "
                    "write it with fer-train or fer-export"
                )
            raw = json.loads(archive.read(entries[0]))
    except (zipfile.BadZipFile, json.JSONDecodeError, OSError) as error:
        raise ModelFileError(f"{path} is not a readable model file: {error}") from error
    try:
        preprocessing = Preprocessing(**raw.pop("preprocessing"))
        return ModelMetadata(preprocessing=preprocessing, labels=tuple(raw.pop("labels")), **raw)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelFileError(f"{path} has metadata that does not fit: {error}") from error


def write(path: Path, network: nn.Module, metadata: ModelMetadata) -> None:
    """Writes `network` (crops in, logits out) and its metadata to `path`; the file appears whole or not at all.

    Raises:
        ModelFileError: the traced network does not give what the network gives.
        OSError: the file cannot be written.
    """
    import torch

    size = metadata.preprocessing.input_size
    network = network.to("cpu").eval()
    example = torch.rand(2, 1, size, size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        traced = torch.jit.trace(network, example)
        several = torch.cat([example, -example, example.flip(3)])
        difference = (traced(several) - network(several)).abs().max().item()
    if not difference < 1e-4:
        raise ModelFileError(f"{path} was not written: the traced network differs by {difference} from the original")
    partial = path.with_name(f".{path.name}.partial")
    try:
        traced.save(str(partial), _extra_files={_METADATA_ENTRY: json.dumps(asdict(metadata), indent=1).encode()})
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
