# SPDX-License-Identifier: Apache-2.0
"""OpenCV's cascade classifiers: finding their files and loading them."""

from __future__ import annotations

from pathlib import Path

import cv2

from fer_ros.faces import cascade_file

_WITH_CASCADES = "opencv-contrib-python 5.1 or later, or opencv-python below version 5"
"""The pip packages that have the class CascadeClassifier and the cascades."""

_SYSTEM_FOLDERS = tuple(
    Path("/usr/share", version, kind) for version in ("opencv4", "opencv") for kind in ("haarcascades", "lbpcascades")
)
"""Where Debian's and Ubuntu's package opencv-data has the cascades."""


def find_cascade(name: str) -> Path:
    """Return the xml file of a cascade.

    OpenCV's cascades come with its pip packages, of which `opencv-python` 5 lacks them, and on Debian and Ubuntu with
    `opencv-data`.

    Args:
        name: such as "haarcascade_frontalface_default", or the path of an xml file.

    Raises:
        FileNotFoundError: there is none; the message lists the folders searched and what to install.
    """
    path = Path(name).expanduser()
    if path.suffix == ".xml" and (path.is_absolute() or path.is_file()):
        if path.is_file():
            return path
        raise FileNotFoundError(f"there is no cascade file {path}")
    folders = _cascade_folders()
    for folder in folders:
        candidate = folder / f"{path.name.removesuffix('.xml')}.xml"
        if candidate.is_file():
            return candidate
    raise FileNotFoundError(
        f"cascade '{name}' was not found in {', '.join(map(str, folders))}; "
        f"install opencv-data (apt) or {_WITH_CASCADES} (pip), or give the path of an xml file"
    )


def load_cascade(path: Path) -> cv2.CascadeClassifier:
    """Return the cascade stored in an xml file. One that does not come with OpenCV is checked before.

    Raises:
        ValueError: the file is not a cascade, or this version of OpenCV has no cascade classifier.
    """
    if not hasattr(cv2, "CascadeClassifier"):
        raise ValueError(
            f"OpenCV {cv2.__version__} has no CascadeClassifier, which the detector viola_jones needs; install "
            f"{_WITH_CASCADES}, or choose another detector"
        )
    cascade = cv2.CascadeClassifier()
    try:
        if path.parent in _cascade_folders():
            loaded = cascade.load(str(path))
        else:
            storage = cv2.FileStorage(cascade_file.checked(path), cv2.FileStorage_READ | cv2.FileStorage_MEMORY)
            loaded = cascade.read(storage.getNode("cascade"))
    except (cv2.error, SystemError):  # the latter from the constructor of FileStorage
        loaded = False
    if not loaded:
        raise ValueError(f"{path} is not a cascade that OpenCV {cv2.__version__} can read")
    return cascade


def _cascade_folders() -> list[Path]:
    pip_package = [Path(cv2.data.haarcascades)] if hasattr(cv2, "data") else []
    return [*pip_package, *_SYSTEM_FOLDERS]
