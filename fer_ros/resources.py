"""Finds the files that ship with the package: models, recipes and configuration.

They lie in `share/fer_ros` of a colcon workspace, beside the modules in a wheel, or at the root of a checkout.
"""

from __future__ import annotations

import os
from pathlib import Path

_PACKAGE = Path(__file__).parent
_IN_SHARE_AND_CHECKOUT = {"models": "models", "recipes": "config/recipes", "config": "config"}


def folders(kind: str) -> list[Path]:
    """Every existing folder that holds files of `kind` ("models", "recipes" or "config"), most specific first."""
    inside = _IN_SHARE_AND_CHECKOUT[kind]
    prefixes = [p for p in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if p]
    candidates = [
        _PACKAGE / kind,
        _PACKAGE.parent / inside,
        *(Path(prefix) / "share" / "fer_ros" / inside for prefix in prefixes),
    ]
    return [folder for folder in candidates if folder.is_dir()]


def find(kind: str, name: str, suffixes: tuple[str, ...]) -> Path:
    """The file of `kind` called `name`: a bare name, with or without its suffix, or a path.

    Raises:
        FileNotFoundError: names the places that were searched and the names that exist.
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
    known = sorted({p.stem for folder in searched for s in suffixes for p in folder.glob(f"*{s}")})
    raise FileNotFoundError(
        f"there is no {kind.removesuffix('s')} '{name}'; known are: {', '.join(known) or 'none'} "
        f"(searched {', '.join(map(str, searched)) or 'no folder: none exists'}); give one of these or an absolute path"
    )


def version() -> str:
    """Return the package's version, from package.xml or from the metadata of the installed wheel; "unknown" without."""
    prefixes = [p for p in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if p]
    for folder in (_PACKAGE.parent, *(Path(prefix) / "share" / "fer_ros" for prefix in prefixes)):
        if (folder / "package.xml").is_file():
            from xml.etree import ElementTree  # slow to import, and not needed in a wheel

            return ElementTree.parse(folder / "package.xml").findtext("version") or "unknown"
    from importlib import metadata

    try:
        return metadata.version("fer-ros")
    except metadata.PackageNotFoundError:
        return "unknown"
