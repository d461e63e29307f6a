# SPDX-License-Identifier: Apache-2.0
"""Loads models: at start-up as the parameters say, and by the service from the folders that it may read."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path

from fer_ros import resources
from fer_ros.emotion import model_file, model_trial
from fer_ros.emotion.backends import registry
from fer_ros.emotion.backends.registry import BACKENDS
from fer_ros.emotion.classifier import Classifier
from fer_ros.emotion.model_cache import ModelCache
from fer_ros.emotion.model_file import ModelFile, ModelFileError
from fer_ros.nodes.emotion.parameters import Settings
from fer_ros.text import printable

_TRIED_BACKENDS = frozenset(BACKENDS)
"""Those of this package. The child process does not know those that other packages register later."""


class BusyError(ValueError):
    """Another model is being loaded."""


class ModelLoader:
    """Loads one model at a time, each file that comes from elsewhere in a child process first."""

    def __init__(self) -> None:
        self._models = ModelCache()
        self._lock = threading.Lock()
        self._closing = threading.Event()

    def close(self) -> None:
        """Give up the model that is being loaded, and load no other."""
        self._closing.set()

    def configured(self, settings: Settings) -> Classifier:
        """Return the model of the parameters `model` and `backend`; raises what `Classifier` raises.

        A file with a digest is loaded at once. One without is tried first, because a damaged one can end the process.
        """
        path, backend = registry.resolve(settings.model, settings.backend)
        return self._load(path, backend, settings, lambda file: file.verification is not None)

    def requested(self, model: str, settings: Settings) -> Classifier:
        """Return the model that a client asks for.

        Args:
            model: name of a model that ships with the package, or path of a file in one of the allowed folders.
            settings: of the node.

        Raises:
            BusyError: another model is being loaded.
            PermissionError: the file lies in another folder, or is a link to one there.
            Exception: what `Classifier` raises.
        """
        if not self._lock.acquire(blocking=False):
            raise BusyError("another model is being loaded; call again when that has ended")
        try:
            if Path(model).name != model:
                _check_folder(Path(model), settings)
            path, backend = registry.resolve(model, settings.backend)
            _check_folder(path, settings)
            return self._load(path, backend, settings, lambda file: _is_shipped(path) and file.verification is not None)
        finally:
            self._lock.release()

    def _load(
        self, path: Path, backend: str, settings: Settings, is_trusted: Callable[[ModelFile], bool]
    ) -> Classifier:
        content = model_file.read_content(path)
        loaded = self._models.find(path, hashlib.sha256(content).hexdigest(), backend)
        if loaded:
            return loaded
        file = model_file.parse(path, content)
        if backend in _TRIED_BACKENDS and not is_trusted(file):
            tried = model_trial.run(path, backend, settings.models.load_timeout, self._closing.is_set)
            if tried != file.sha256:
                raise ModelFileError(f"{path} has changed while it was loaded; call again")
        return self._models.load(file, backend)


def _is_shipped(path: Path) -> bool:
    """Return whether a file lies in share/fer_ros/models itself, where it may be a link, as in a symlink install."""
    return path.parent.resolve() in [folder.resolve() for folder in resources.folders("models")]


def _check_folder(path: Path, settings: Settings) -> None:
    """Raise PermissionError for a file that the service may not read; `path` need not exist."""
    if settings.models.any_folder:
        return
    try:
        path, allowed = path.expanduser(), Path(settings.models.folder).expanduser().resolve()
        if _is_shipped(path) or path.resolve().is_relative_to(allowed):
            return
    except RuntimeError as error:  # no such user, or a link to itself
        raise PermissionError(f"'{printable(path)}' is not a path ({printable(error)})") from error
    raise PermissionError(
        f"'{printable(path)}' is not below {allowed}, the parameter models.folder, nor in share/fer_ros/models; "
        "set models.folder, or models.any_folder to allow every folder"
    )
