"""What runs a network: one file for each library, loaded only when it is used."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

import numpy as np

from fer_ros.emotion import model_file
from fer_ros.emotion.model_file import ONNX_SUFFIX, SUFFIX, ModelFileError, ModelMetadata

AUTO = "auto"
"""TorchScript for a `.pt` file and OpenCV for an `.onnx` file. Of a model that ships as both, the first is taken where
torch is installed."""
SUFFIXES = {"torchscript": SUFFIX, "opencv": ONNX_SUFFIX, "onnx": ONNX_SUFFIX}
"""The kind of model file that each backend runs."""


class Backend(Protocol):
    """A network, loaded and warm."""

    def logits(self, batch: np.ndarray) -> np.ndarray:
        """(N, 1, size, size) float32 to (N, classes) float32; N is at least 1."""


def find(model: str | Path, backend: str = AUTO) -> tuple[Path, str]:
    """The model file for `model` (a shipped model's name, or a path) and the name of the backend that runs it.

    Raises:
        FileNotFoundError: there is no such model, or none that this backend runs.
        ValueError: there is no such backend.
        ModelFileError: the backend does not run this kind of file.
    """
    if backend == AUTO:
        with_torch = find_spec("torch") is not None
        path = model_file.find(model, (SUFFIX, ONNX_SUFFIX) if with_torch else (ONNX_SUFFIX, SUFFIX))
        return path, "opencv" if path.suffix == ONNX_SUFFIX else "torchscript"
    if backend not in SUFFIXES:
        raise ValueError(f"there is no backend '{backend}'; known are: {', '.join((AUTO, *SUFFIXES))}")
    path = model_file.find(model, (SUFFIXES[backend],))
    if path.suffix != SUFFIXES[backend] and ONNX_SUFFIX in (path.suffix, SUFFIXES[backend]):
        raise ModelFileError(f"the backend '{backend}' runs {SUFFIXES[backend]} files, and {path} is none")
    return path, backend


def load(name: str, path: Path, metadata: ModelMetadata) -> Backend:
    """The backend called `name` with the network of the model file at `path`.

    Raises:
        ModelFileError: the backend cannot load the file, or its outputs do not fit the labels in its metadata.
        ImportError: the library of this backend is not installed.
    """
    if name == "opencv":
        from fer_ros.emotion.backends.opencv import OpenCvBackend as Chosen
    elif name == "onnx":
        from fer_ros.emotion.backends.onnx import OnnxBackend as Chosen
    else:
        from fer_ros.emotion.backends.torchscript import TorchScriptBackend as Chosen
    backend = Chosen(path, metadata.preprocessing.input_size)
    size = metadata.preprocessing.input_size
    shape = backend.logits(np.zeros((2, 1, size, size), np.float32)).shape
    if shape != (2, len(metadata.labels)):
        raise ModelFileError(f"{path} gives outputs of shape {shape[1:]} for its {len(metadata.labels)} labels")
    return backend
