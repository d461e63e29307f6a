# SPDX-License-Identifier: Apache-2.0
"""Cache of loaded models, so that switching back to one takes no time."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from pathlib import Path

from fer_ros.emotion import model_file
from fer_ros.emotion.backends import registry
from fer_ros.emotion.classifier import Classifier

_CAPACITY = 3
"""Models; each of those that ship with the package takes some megabytes."""


class ModelCache:
    """Keeps the most recently used models loaded, identified by the content of their files."""

    def __init__(self) -> None:
        self._classifiers: OrderedDict[tuple[str, str], Classifier] = OrderedDict()

    def get(self, model: str | Path, backend: str = registry.AUTO) -> Classifier:
        """Return the classifier for a model, loaded only if its file is new or has changed.

        Takes the arguments of `Classifier`, and raises what it raises.
        """
        path, backend = registry.resolve(model, backend)
        content = model_file.read_content(path)
        key = hashlib.sha256(content).hexdigest(), backend
        if key not in self._classifiers:
            self._classifiers[key] = Classifier(model_file.parse(path, content), backend)
        self._classifiers.move_to_end(key)
        while len(self._classifiers) > _CAPACITY:
            self._classifiers.popitem(last=False)
        return self._classifiers[key]
