"""Models that were loaded lately and can serve again at once."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

from fer_ros.emotion import model_file
from fer_ros.emotion.backends import registry
from fer_ros.emotion.classifier import Classifier

_KEPT = 3
"""A robot goes back and forth between few models; each of the shipped ones takes some megabytes."""


class ModelCache:
    """Loads each model file once, as long as its content stays the same and not many others come between."""

    def __init__(self):
        self._loaded: OrderedDict[tuple[str, str], Classifier] = OrderedDict()

    def get(self, model: str | Path, backend: str = registry.AUTO) -> Classifier:
        """The model, as for `Classifier`, and raising what that raises."""
        path, found = registry.find(model, backend)
        key = model_file.identify(path), found
        if key not in self._loaded:
            self._loaded[key] = Classifier(path, found)
        self._loaded.move_to_end(key)
        while len(self._loaded) > _KEPT:
            self._loaded.popitem(last=False)
        return self._loaded[key]
