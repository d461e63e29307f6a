"""Turns crops of faces into class scores with the network of a model file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fer_ros.emotion import model_file
from fer_ros.emotion.backends import registry


class Classifier:
    """A model file, ready to serve.

    Args:
        model: the name of a shipped model, or a path.
        backend: what runs the network: "torchscript", "opencv", "onnx" (ONNX Runtime), or "auto" (by the kind of file).

    Raises:
        FileNotFoundError: no such model.
        ModelFileError: the file cannot serve.
        ValueError: no such backend.
        ImportError: the library of the backend is not installed.
    """

    def __init__(self, model: str | Path, backend: str = registry.AUTO):
        path, self.backend = registry.find(model, backend)
        self.metadata = model_file.read_metadata(path)
        self.model_id = model_file.identify(path)
        self._backend = registry.load(self.backend, path, self.metadata)

    @property
    def labels(self) -> tuple[str, ...]:
        return self.metadata.labels

    @property
    def preprocessing(self):
        return self.metadata.preprocessing

    def scores(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        """Calibrated class scores of crops made by `preprocessing`, all in one batch.

        Returns:
            (len(crops), classes) float32; rows sum to 1, columns are in the order of `labels`.
        """
        if not len(crops):
            return np.empty((0, len(self.labels)), np.float32)
        return softmax(self._backend.logits(self.preprocessing.batch(crops)) / self.metadata.temperature)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Row-wise softmax of (N, classes) logits."""
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)
