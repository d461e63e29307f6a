# SPDX-License-Identifier: Apache-2.0
"""Locate the files that ship with the package: models, recipes and configuration, and its version.

They are in `share/fer_ros` of a colcon workspace, beside the modules in a wheel, or at the root of a checkout.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

_PACKAGE = Path(__file__).parent
_FOLDERS = {"models": "models", "recipes": "config/recipes", "config": "config", "message_files": "msg"}
"""Where each kind of file lies, in a checkout and in share/fer_ros."""


def folders(kind: str) -> list[Path]:
    """Return the existing folders with files of `kind`, one of `_FOLDERS`, in the order of search."""
    folder = _FOLDERS[kind]
    prefixes = [prefix for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if prefix]
    candidates = [
        _PACKAGE / kind,
        _PACKAGE.parent / folder,
        *(Path(prefix) / "share" / "fer_ros" / folder for prefix in prefixes),
    ]
    return [candidate for candidate in candidates if candidate.is_dir()]


def names(kind: str, suffixes: Sequence[str]) -> list[str]:
    """Return the names, without suffix, of the files of `kind` that ship with the package."""
    return sorted({path.stem for folder in folders(kind) for suffix in suffixes for path in folder.glob(f"*{suffix}")})


def find(kind: str, name: str, suffixes: Sequence[str]) -> Path:
    """Return the path of a file of `kind`.

    Args:
        kind: "models", "recipes", "config" or "message_files".
        name: bare name, with or without suffix, of a file that ships with the package; or a path.
        suffixes: that the file may have; the first that exists is taken.

    Raises:
        FileNotFoundError: there is no such file; names the folders that were searched and the names that exist.
    """
    given = Path(name).expanduser()
    if given.is_absolute() or len(given.parts) > 1 or given.is_file():
        if given.is_file():
            return given
        raise FileNotFoundError(f"there is no file {given}")
    searched = folders(kind)
    for folder in searched:
        for candidate in (folder / name, *(folder / f"{name}{suffix}" for suffix in suffixes)):
            if candidate.is_file():
                return candidate
    known = names(kind, suffixes)
    raise FileNotFoundError(
        f"there is no {kind.removesuffix('s').replace('_', ' ')} '{name}'; available: {', '.join(known) or 'none'} "
        f"(searched {', '.join(map(str, searched)) or 'no folder: none exists'}). Give one of these names or a path"
    )


def version() -> str:
    """Return the version from package.xml, or from the metadata of the installed wheel; "unknown" without either.

    >>> version().count(".")
    2
    """
    prefixes = [prefix for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if prefix]
    for folder in (_PACKAGE.parent, *(Path(prefix) / "share" / "fer_ros" for prefix in prefixes)):
        manifest = folder / "package.xml"
        if manifest.is_file() and (found := re.search("<version>(.+?)</version>", manifest.read_text("utf-8"))):
            return found[1]
    from importlib import metadata  # slow to import

    try:
        return metadata.version("fer-ros")
    except metadata.PackageNotFoundError:
        return "unknown"
