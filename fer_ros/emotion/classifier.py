# SPDX-License-Identifier: Apache-2.0
"""Calibrated class scores of face crops, by the network of a model file."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fer_ros.emotion import model_file
from fer_ros.emotion.backends import registry
from fer_ros.emotion.labels import EXPRESSIONS
from fer_ros.emotion.model_file import ModelFile
from fer_ros.emotion.preprocessing import Preprocessing


class Classifier:
    """A model file, loaded into a backend.

    Args:
        model: name of a model that ships with the package, path of a model file, or a `ModelFile`. A file without the
            record that `fer-train` and `fer-export` write to verify it, such as an older one, gives a warning.
        backend: what runs the network: a name in `fer_ros.emotion.backends.registry`, or "auto" to choose by the kind
            of file.

    Raises:
        FileNotFoundError: there is no such model.
        ModelFileError: the file cannot be used.
        ValueError: there is no such backend.
        ImportError: a package that the backend needs is not installed.

    >>> classifier = Classifier("mini_xception", backend="opencv")
    >>> classifier.scores([np.zeros((48, 48), np.uint8)]).shape
    (1, 7)
    """

    def __init__(self, model: str | Path | ModelFile, backend: str = registry.AUTO):
        path, self.backend = registry.resolve(model.path if isinstance(model, ModelFile) else model, backend)
        file = model if isinstance(model, ModelFile) else model_file.read(path)
        if not file.verification:
            warnings.warn(f"{path} has no digest, so damage cannot be noticed; export it anew", stacklevel=2)
        self.metadata = file.metadata
        self.model_id = file.model_id
        self.labels: tuple[str, ...] = self.metadata.labels
        """Class labels, in the order of the scores."""
        self._backend = registry.load(self.backend, file)

    def labeled_with(self, vocabulary: str) -> Classifier:
        """Return a classifier with the same network and labels of a vocabulary.

        Args:
            vocabulary: one of `fer_ros.emotion.labels.VOCABULARIES`.

        >>> Classifier("mini_xception", backend="opencv").labeled_with("expressions").labels[3]
        'smiling'
        """
        if vocabulary != "expressions":
            return self
        other = copy.copy(self)
        other.labels = tuple(EXPRESSIONS.get(label, label) for label in self.labels)
        return other

    @property
    def preprocessing(self) -> Preprocessing:
        """Crops and normalizes faces for this network."""
        return self.metadata.preprocessing

    def compile_batches(self) -> None:
        """Prepare for many batches of several faces, where the backend can: equal batches then give equal scores."""
        compile_batches = getattr(self._backend, "compile_batches", None)
        if compile_batches:
            compile_batches()

    def finish_compilation(self) -> None:
        """Wait until the backend, where it compiles for batches in the background, has done so."""
        finish_compilation = getattr(self._backend, "finish_compilation", None)
        if finish_compilation:
            finish_compilation()

    def scores(self, crops: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
        """Return the calibrated class scores of crops, all computed in one batch.

        Args:
            crops: (size, size) uint8 each, from `preprocessing.crop`.

        Returns:
            (len(crops), classes) float32; each row sums to 1, columns are in the order of `labels`.
        """
        if not len(crops):
            return np.empty((0, len(self.labels)), np.float32)
        return softmax(self._backend.logits(self.preprocessing.batch(crops)) / self.metadata.temperature)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return the row-wise softmax of (N, classes) logits."""
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    normalized: np.ndarray = exponentials / exponentials.sum(axis=1, keepdims=True)
    return normalized
