# SPDX-License-Identifier: Apache-2.0
"""Backends by name: the libraries that can run the network of a model file.

A backend from another package is registered in the same way as those below:

    BACKENDS.register("mine", BackendEntry(load_mine, install="pip install mine", suffix=".onnx"))
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

import numpy as np

from fer_ros.emotion import model_file
from fer_ros.emotion.model_file import ONNX_SUFFIX, SUFFIX, ModelFile, ModelFileError
from fer_ros.emotion.preprocessing import reference_crop
from fer_ros.registry import Entry, NoOptions, Registry, did_you_mean

AUTO = "auto"
"""TorchScript for a `.pt` file and OpenCV for an `.onnx` file. Of a model that ships as both, the `.pt` file is used
where torch is installed."""

_TOLERANCE = 0.02
"""Of a logit, relative to the largest one. Libraries differ by 1e-6 from each other, half precision by 1e-3."""


class Backend(Protocol):
    """A loaded network, warmed up."""

    def logits(self, batch: np.ndarray) -> np.ndarray:
        """Return (N, classes) float32 for (N, 1, size, size) float32, where N is at least 1."""


@dataclass(frozen=True)
class BackendEntry(Entry[Backend]):
    """A backend; its loader takes the options and a `ModelFile`."""

    suffix: str = ONNX_SUFFIX
    """Of the model files that it runs."""


def _load_torchscript(_: NoOptions, model: ModelFile) -> Backend:
    from fer_ros.emotion.backends.torchscript import TorchScriptBackend

    return TorchScriptBackend(model)


def _load_opencv(_: NoOptions, model: ModelFile) -> Backend:
    from fer_ros.emotion.backends.opencv import OpenCvBackend

    return OpenCvBackend(model)


def _load_onnx(_: NoOptions, model: ModelFile) -> Backend:
    from fer_ros.emotion.backends.onnx import OnnxBackend

    return OnnxBackend(model)


BACKENDS: Registry[Backend] = Registry("backend")
BACKENDS.register(
    "torchscript",
    BackendEntry(_load_torchscript, install="pip install torch", description="PyTorch", suffix=SUFFIX),
)
BACKENDS.register("opencv", BackendEntry(_load_opencv, description="OpenCV's DNN module; no further package"))
BACKENDS.register("onnx", BackendEntry(_load_onnx, install="pip install onnxruntime", description="ONNX Runtime"))


def choices() -> tuple[str, ...]:
    """Return the names that `resolve` takes: "auto" and those of the backends."""
    return (AUTO, *BACKENDS)


def suffix(backend: str) -> str:
    """Return the suffix of the model files that a backend runs.

    Raises:
        ValueError: there is no such backend.
    """
    entry = BACKENDS[backend]
    return entry.suffix if isinstance(entry, BackendEntry) else ONNX_SUFFIX


def resolve(model: str | Path, backend: str = AUTO) -> tuple[Path, str]:
    """Return the path of a model file and the name of the backend that runs it.

    Args:
        model: name of a model that ships with the package, or path of a model file.
        backend: one of `choices`.

    Raises:
        FileNotFoundError: there is no such model, or none that this backend runs.
        ValueError: there is no such backend.
        ModelFileError: the backend does not run this kind of file.
    """
    if backend == AUTO:
        with_torch = find_spec("torch") is not None
        path = model_file.find(model, (SUFFIX, ONNX_SUFFIX) if with_torch else (ONNX_SUFFIX, SUFFIX))
        return path, "opencv" if path.suffix == ONNX_SUFFIX else "torchscript"
    if backend not in BACKENDS:
        raise ValueError(
            f"unknown backend '{backend}'{did_you_mean(backend, choices())}; available: {', '.join(choices())}"
        )
    expected = suffix(backend)
    path = model_file.find(model, (expected,))
    if path.suffix != expected and ONNX_SUFFIX in (path.suffix, expected):
        raise ModelFileError(
            f"the backend '{backend}' runs {expected} files, not {path}; fer-export converts .pt files to .onnx"
        )
    return path, backend


def load(name: str, model: ModelFile) -> Backend:
    """Load a model file into the backend called `name`, and compute the logits of a fixed crop.

    Raises:
        ModelFileError: the backend cannot run the file, the number of its outputs is not that of its labels, or its
            logits are not finite, or others than the file's writer recorded.
        ValueError: there is no such backend.
        ImportError: a package that the backend needs is not installed.
    """
    try:
        backend = BACKENDS.create(name, None, model)
    except ImportError as error:
        raise ImportError(f"{error}. The backend 'opencv' runs .onnx files without a further package") from error
    labels, preprocessing = model.metadata.labels, model.metadata.preprocessing
    crop = reference_crop(preprocessing.input_size)
    logits = backend.logits(preprocessing.batch([crop, np.ascontiguousarray(crop[:, ::-1])]))
    if logits.shape != (2, len(labels)):
        raise ModelFileError(f"{model.path} has outputs of shape {logits.shape[1:]} for its {len(labels)} labels")
    if not np.isfinite(logits).all():
        raise ModelFileError(f"{model.path} has outputs that are not finite; train it with a lower learning rate")
    if model.verification:
        expected = np.asarray(model.verification.logits)
        difference = np.abs(logits[0] - expected).max()
        if difference > _TOLERANCE * max(1.0, np.abs(expected).max()):
            raise ModelFileError(
                f"the backend '{name}' computes {model.path} wrongly on this machine: a logit differs by "
                f"{difference:.3g} from the one recorded in the file; choose another backend"
            )
    return backend
