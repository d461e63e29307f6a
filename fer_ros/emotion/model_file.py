# SPDX-License-Identifier: Apache-2.0
"""Read and write model files: a network with all metadata that is needed to use it, in one file.

A model file is a TorchScript archive (`.pt`, a zip) with the metadata in an extra file `fer_ros.json`, or an ONNX file
(`.onnx`) with the same JSON among its metadata. Writing needs torch, and for ONNX the package onnx; reading needs
neither. A file may come from anywhere: `read` checks all of it before a library that runs networks sees a byte.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from fer_ros import resources
from fer_ros.emotion import metadata as metadata_json
from fer_ros.emotion import onnx_graph, onnx_metadata, torchscript_archive
from fer_ros.emotion.metadata import ModelMetadata, Verification
from fer_ros.emotion.preprocessing import reference_crop
from fer_ros.files import ZIP_ERRORS, atomic_write, read_regular_file
from fer_ros.text import printable

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = [
    "ModelFile",
    "ModelFileError",
    "ModelMetadata",
    "find",
    "identify",
    "read",
    "read_metadata",
    "recalibrate",
    "write",
]

SUFFIX = ".pt"
ONNX_SUFFIX = ".onnx"
BEST = "best.pt"
"""Name of the best model in the folder of a training run."""
MAX_BYTES = 512 << 20
"""Of a file; VGG-16 has 135 MB."""
_METADATA_ENTRY = "fer_ros.json"


class ModelFileError(ValueError):
    """A file cannot be used as a model; the message names the file, the reason and the remedy."""


@dataclass(frozen=True)
class ModelFile:
    """A model file that was read and checked."""

    path: Path
    sha256: str
    """Of the file, hexadecimal."""
    network: bytes
    """What a backend loads: a TorchScript archive, or an ONNX file."""
    metadata: ModelMetadata
    verification: Verification | None
    """None if the file has none: it was not written by this version of fer_ros."""

    @property
    def model_id(self) -> str:
        """Id in messages: `<name>@<first 8 hex digits of the file's SHA-256>`."""
        return f"{self.path.stem}@{self.sha256[:8]}"


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
    """Return `ModelFile.model_id` of a file.

    Raises:
        ModelFileError: the file cannot be read.
    """
    return f"{path.stem}@{hashlib.sha256(read_content(path)).hexdigest()[:8]}"


def read_content(path: Path) -> bytes:
    """Return the content of a file.

    Raises:
        ModelFileError: it cannot be read, is not a regular file, or is too large.
    """
    try:
        return read_regular_file(path, MAX_BYTES)
    except OSError as error:
        raise _unreadable(path, error) from error


def read_metadata(path: Path) -> ModelMetadata:
    """Return the metadata of a model file; its network is not checked.

    Raises:
        ModelFileError: the file is not a model file of this package, or its metadata is invalid.
    """
    return _Reader(path, read_content(path)).metadata


def read(path: Path) -> ModelFile:
    """Return a model file.

    Raises:
        ModelFileError: the file is not a model file of this package, its metadata is invalid, it is damaged, or its
            network is more than one: code that reads files or does not end, a tensor outside its values, an operator
            that is not known.
    """
    return parse(path, read_content(path))


def parse(path: Path, content: bytes) -> ModelFile:
    """Return the model file whose content was read from `path`; raises what `read` raises."""
    reader = _Reader(path, content)
    try:
        network = reader.network()
    except ValueError as error:
        raise ModelFileError(f"{path} cannot be used: {printable(error, 400)}") from error
    verification = reader.verification
    if verification and verification.sha256 != _digest(reader.network_digest, reader.metadata):
        raise ModelFileError(f"{path} is damaged: it differs from what was written. Copy it again, or export it anew")
    return ModelFile(path, hashlib.sha256(content).hexdigest(), network, reader.metadata, verification)


class _Reader:
    """Reads the content of a model file, first its metadata; raises ModelFileError."""

    def __init__(self, path: Path, content: bytes):
        self._is_onnx = path.suffix == ONNX_SUFFIX
        self._content = content
        self._members: dict[str, bytes] = {}
        try:
            if self._is_onnx:
                text = onnx_metadata.read(content).get(_METADATA_ENTRY)
            else:
                self._members = torchscript_archive.read(content)
                text = torchscript_archive.metadata(self._members)
        except ZIP_ERRORS as error:
            raise _unreadable(path, error) from error
        if text is None:
            kind = "an ONNX file" if self._is_onnx else "an archive"
            raise ModelFileError(
                f"{path} is {kind} without fer_ros metadata ({_METADATA_ENTRY}); write it with fer-train or fer-export"
            )
        try:
            self.metadata, self.verification = metadata_json.from_json(text)
        except ValueError as error:
            raise ModelFileError(f"{path} has invalid metadata: {printable(error, 400)}") from error

    @property
    def network_digest(self) -> bytes:
        """SHA-256 of everything but the metadata."""
        return onnx_metadata.digest(self._content) if self._is_onnx else torchscript_archive.digest(self._members)

    def network(self) -> bytes:
        """Return the network for a backend; raise ValueError if it is not one."""
        if not self._is_onnx:
            return torchscript_archive.checked(self._members)
        size, expected = onnx_graph.check(self._content), self.metadata.preprocessing.input_size
        if size != expected:
            raise ValueError(f"its network takes crops of {size} pixels, its metadata says {expected}")
        return self._content


def _unreadable(path: Path, error: Exception) -> ModelFileError:
    reason = printable(str(error).replace(f"{path}: ", "") or type(error).__name__, 200)
    return ModelFileError(f"{path} is not a readable model file ({reason}); fer-train and fer-export write them")


def _digest(network_digest: bytes, metadata: ModelMetadata) -> str:
    """Return the digest of a network and its metadata, as `Verification` has it."""
    return hashlib.sha256(network_digest + metadata_json.to_json(metadata).encode()).hexdigest()


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
    reference = torch.from_numpy(metadata.preprocessing.batch([reference_crop(size)]))
    several = torch.cat([reference, example, -example, example.flip(3)])
    with torch.no_grad():
        expected = network(several).numpy()
        if not np.isfinite(expected).all():
            raise ModelFileError(f"{path} was not written: the network's outputs are not finite")
        encode = _as_onnx if path.suffix == ONNX_SUFFIX else _as_torchscript
        bare, found = encode(network, example, several)
    difference = float(np.abs(found - expected).max())
    if not difference < 1e-4:
        raise ModelFileError(f"{path} was not written: its outputs would differ by {difference} from the network's")
    write_network(path, bare, metadata, expected[0])


def recalibrate(path: Path, temperature: float) -> None:
    """Replace the temperature of a model file, atomically; its network stays as it is.

    Raises:
        ModelFileError: as for `read`; or the file has no record to verify it.
        OSError: the file cannot be written.
    """
    file = read(path)
    if not file.verification:
        raise ModelFileError(f"{path} has no digest and logits to verify it; export it from its training run anew")
    write_network(path, file.network, replace(file.metadata, temperature=temperature), file.verification.logits)


def write_network(path: Path, network: bytes, metadata: ModelMetadata, logits: Sequence[float] | np.ndarray) -> None:
    """Write a model file atomically, after checking it as a reader does.

    Args:
        path: its suffix says what `network` is.
        network: an ONNX file or a TorchScript archive, as `ModelFile.network`; metadata in it is replaced.
        metadata: of the model.
        logits: of `reference_crop` by this network, (classes,).

    Raises:
        ModelFileError: a reader would refuse the file.
        OSError: the file cannot be written.
    """
    recorded = tuple(map(float, logits))
    if path.suffix == ONNX_SUFFIX:
        bare = onnx_metadata.remove(network)
        verification = Verification(_digest(onnx_metadata.digest(bare), metadata), recorded)
        content = onnx_metadata.add(bare, _METADATA_ENTRY, metadata_json.to_json(metadata, verification))
    else:
        members = torchscript_archive.read(network)
        verification = Verification(_digest(torchscript_archive.digest(members), metadata), recorded)
        text = metadata_json.to_json(metadata, verification)
        content = torchscript_archive.with_metadata(members, text.encode())
    parse(path, content)
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)


def _as_torchscript(network: nn.Module, example: Tensor, several: Tensor) -> tuple[bytes, np.ndarray]:
    """Return the archive, and the logits of `several` faces by the traced network."""
    import torch

    traced = torch.jit.trace(network, example, check_trace=False)  # `write` compares the outputs, on other data
    saved = io.BytesIO()
    torch.jit.save(traced, saved)
    return saved.getvalue(), traced(several).numpy()


def _as_onnx(network: nn.Module, example: Tensor, several: Tensor) -> tuple[bytes, np.ndarray]:
    """Return the ONNX file, and the logits of `several` faces by OpenCV."""
    import torch

    if find_spec("onnx") is None:
        raise ImportError("writing ONNX files needs the package onnx: pip install onnx")
    exported = io.BytesIO()
    torch.onnx.export(
        network,
        (example,),
        exported,  # type: ignore[arg-type]
        input_names=["crops"],
        output_names=["logits"],
        dynamic_axes={"crops": {0: "faces"}, "logits": {0: "faces"}},
        # Ubuntu 22.04's OpenCV 4.5 reads it; torch's newer exporter writes opset 18 and above.
        opset_version=13,
        dynamo=False,
    )
    content = exported.getvalue()
    opencv = cv2.dnn.readNetFromONNX(np.frombuffer(content, np.uint8))
    opencv.setInput(several.numpy())
    return content, opencv.forward()
