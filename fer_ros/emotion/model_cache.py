# SPDX-License-Identifier: Apache-2.0
"""Cache of loaded models, so that switching back to one takes no time."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

from fer_ros.emotion.classifier import Classifier
from fer_ros.emotion.model_file import ModelFile

_CAPACITY = 3
"""Models; each of those that ship with the package takes some megabytes."""


class ModelCache:
    """Keeps the most recently used models loaded, identified by the content of their files."""

    def __init__(self) -> None:
        self._classifiers: OrderedDict[tuple[str, str, str], Classifier] = OrderedDict()

    def find(self, path: Path, sha256: str, backend: str) -> Classifier | None:
        """Return the classifier of a file, if it is loaded.

        Args:
            path: of the file.
            sha256: of its content, hexadecimal.
            backend: that runs it.
        """
        key = path.stem, sha256, backend
        if key in self._classifiers:
            self._classifiers.move_to_end(key)
        return self._classifiers.get(key)

    def load(self, file: ModelFile, backend: str) -> Classifier:
        """Load a model file, and return its classifier; raises what `Classifier` raises."""
        classifier = Classifier(file, backend)
        self._classifiers[file.path.stem, file.sha256, backend] = classifier
        while len(self._classifiers) > _CAPACITY:
            self._classifiers.popitem(last=False)
        return classifier
