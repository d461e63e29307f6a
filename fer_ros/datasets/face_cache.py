# SPDX-License-Identifier: Apache-2.0
"""Faces found in files, kept on disk: finding them in the videos of a corpus takes up to an hour."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from pathlib import Path

import cv2
import numpy as np

from fer_ros.datasets.npz import DAMAGED
from fer_ros.files import atomic_write

_FORMAT = 2
"""Raise it when other faces would be found, or the file has another layout."""
_SAVE_PERIOD = 60.0
"""Seconds between two writes; what was found since is lost if the process is killed."""

_log = logging.getLogger(__name__)


def default_folder() -> Path:
    """Return the folder of caches: that named by FER_ROS_CACHE, else fer_ros in the user's folder of caches."""
    named = os.environ.get("FER_ROS_CACHE")
    if named:
        return Path(named).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "fer_ros"


class FaceCache:
    """Faces of one size by the file that they were found in; a file that has changed since is not in it.

    A cache that cannot be read is empty, and one that cannot be written is held in memory only; both cost no more than
    time.

    Args:
        root: folder of the corpus.
        image_size: side of the faces, pixels.
        folder: of the caches; see `default_folder`.
        method: names everything else that decides which pixels are a face, such as the detector.
    """

    def __init__(self, root: Path, image_size: int, folder: Path, method: str):
        key = json.dumps([_FORMAT, cv2.__version__, image_size, os.fspath(root.resolve()), method])
        digest = hashlib.blake2b(key.encode(), digest_size=8).hexdigest()
        self.path = folder / f"{root.name or 'faces'}_{digest}.npz"
        self._root = root
        self._size = image_size
        self._faces: dict[str, tuple[list[int], np.ndarray]] = {}
        """Size and time of the file, and its faces, (N, size, size) uint8, by its path within the corpus."""
        self._changed = False
        self._saved_at = time.monotonic()
        self._load()

    def get(self, path: Path) -> list[np.ndarray] | None:
        """Return the faces of a file, (size, size) uint8 each; None if they are unknown."""
        signature, faces = self._faces.get(self._name(path), ([], None))
        return list(faces) if faces is not None and signature == _signature(path) else None

    def put(self, path: Path, faces: list[np.ndarray]) -> None:
        """Keep the faces of a file."""
        self._faces[self._name(path)] = (_signature(path), np.stack(faces))
        self._changed = True
        if time.monotonic() - self._saved_at > _SAVE_PERIOD:
            self.save()

    def save(self) -> None:
        """Write the cache, if it has changed."""
        if not self._changed:
            return
        names = sorted(self._faces)
        index = [[name, self._faces[name][0], len(self._faces[name][1])] for name in names]
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(self.path) as temporary, temporary.open("wb") as file:
                np.savez(
                    file,
                    index=np.frombuffer(json.dumps(index).encode(), np.uint8),
                    faces=np.concatenate([self._faces[name][1] for name in names]),
                )
        except OSError as error:
            _log.warning("the faces found are not kept for the next time: %s", error)
        self._changed, self._saved_at = False, time.monotonic()

    def _load(self) -> None:
        try:
            with np.load(self.path, allow_pickle=False) as content:
                index, faces = json.loads(content["index"].tobytes()), content["faces"]
            if faces.dtype != np.uint8 or faces.shape[1:] != (self._size, self._size):
                return
            start = 0
            for name, signature, count in index:
                self._faces[name] = (signature, faces[start : start + count])
                start += count
        except FileNotFoundError:
            pass
        except DAMAGED:
            self._faces.clear()

    def _name(self, path: Path) -> str:
        return path.relative_to(self._root).as_posix()


def _signature(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]
