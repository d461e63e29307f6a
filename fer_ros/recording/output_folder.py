# SPDX-License-Identifier: Apache-2.0
"""A folder for the output of a command, which replaces only files that the command itself wrote."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from fer_ros.files import atomic_write

_SAVE_PERIOD = 2.0
"""Seconds between two writes of the list; if the process is killed, it lacks the files since the last."""


class OutputFolder:
    """Gives out paths for output files, so that no file of anyone else is overwritten.

    The files that were written are listed, with their sizes and times, in a hidden file of the folder. A later run
    replaces those that are unchanged; all others are kept, and the new file gets a number.

    Args:
        folder: is created.
        program: name of the command; each has its own list.

    Raises:
        OSError: the folder cannot be created or written to.
    """

    def __init__(self, folder: Path, program: str):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._list = folder / f".{program}.json"
        self._written: dict[str, list[int] | None] = {}
        """Size and time in nanoseconds by name; None while the file is being written."""
        self.state: dict[str, Any] = {}
        """Anything else to be remembered, as JSON takes it; see `save`."""
        try:
            content = json.loads(self._list.read_text(encoding="ascii"))
            self._written, self.state = dict(content["files"]), dict(content["state"])
        except (OSError, ValueError, KeyError, TypeError):
            pass  # there is no list, or it is damaged: then no file is replaced
        self._claimed: set[str] = set()
        self.save()  # raises where the folder is read-only, before any work

    def owns(self, path: Path) -> bool:
        """Return whether `path` is a file in this folder that this command wrote and no one has changed since."""
        if path.name not in self._written or path.parent.resolve() != self.folder.resolve():
            return False
        signature = self._written[path.name]
        return signature is None or signature == _signature(path)

    def claim(self, name: str, numbered: bool = True) -> Path:
        """Return the path of a file to write.

        Args:
            name: wanted for the file.
            numbered: whether to number the name if a file of this name must be kept; otherwise that is an error.

        Raises:
            FileExistsError: a file of this name exists and was not written by this command.
        """
        path, number = self.folder / name, 1
        while path.name in self._claimed or (_exists(path) and not self.owns(path)):
            if not numbered:
                raise FileExistsError(f"{path} exists and was not written by this command: use another --output")
            number += 1
            stem, dot, suffix = name.rpartition(".")
            path = self.folder / f"{stem}_{number}{dot}{suffix}"
        self._claimed.add(path.name)
        self._written[path.name] = None
        self.save_sometimes()
        return path

    def keep(self, name: str) -> None:
        """Keep a file of an earlier run as it is: it is not given out by `claim`."""
        self._claimed.add(name)

    def written(self, path: Path) -> None:
        """Note that a claimed file is complete; if it does not exist, forget it."""
        if _exists(path):
            self._written[path.name] = _signature(path)
        else:
            self._written.pop(path.name, None)

    def save_sometimes(self) -> None:
        """Do as `save`, unless that was done moments ago: the list of a large folder takes long to write."""
        if time.monotonic() - self._saved_at > _SAVE_PERIOD:
            self.save()

    def save(self) -> None:
        """Write the list, with `state`.

        Raises:
            OSError: it cannot be written.
        """
        with atomic_write(self._list) as temporary:
            temporary.write_text(json.dumps({"files": self._written, "state": self.state}), encoding="ascii")
        self._saved_at = time.monotonic()


def _exists(path: Path) -> bool:
    return path.exists() or path.is_symlink()


def _signature(path: Path) -> list[int]:
    """Return size and time of a file, or of all files in a folder."""
    try:
        states = [file.stat() for file in (path.iterdir() if path.is_dir() else [path])]
    except OSError:
        return []
    return [sum(state.st_size for state in states), max((state.st_mtime_ns for state in states), default=0)]
