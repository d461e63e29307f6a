"""Viola-Jones faces: a boosted cascade of Haar or LBP features, by OpenCV.

Source: Viola, Jones, "Rapid Object Detection using a Boosted Cascade of Simple Features", 2001.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from fer_ros.frame import Box, Detection

_SMALLEST_FACE = 30
"""Pixels; below this neither the 24-pixel cascades nor the network see more than noise."""
_IMAGE_PER_FACE = 16
"""An automatic smallest face is this fraction of the image's shorter side: 30 pixels at 640x480."""


class ViolaJones:
    """Finds upright faces with a cascade.

    Args:
        cascade: a cascade's name, such as "haarcascade_frontalface_default", or a path to its xml file.
        scale_factor: step between the sizes that are searched, above 1; nearer to 1 finds more and costs more.
        min_neighbors: how many overlapping hits make a face; more means fewer false faces.
        min_size: smallest face in pixels; 0 chooses 1/16 of the image's shorter side and at least 30, so that the
            work does not grow with the resolution of the camera.
        max_size: largest face in pixels; 0 for no limit.

    Raises:
        FileNotFoundError: there is no such cascade; says where was searched.
        ValueError: the file is no cascade, or a number is out of its range.
    """

    def __init__(
        self,
        cascade: str = "haarcascade_frontalface_default",
        scale_factor: float = 1.1,
        min_neighbors: int = 5,
        min_size: int = 0,
        max_size: int = 0,
    ):
        if not scale_factor > 1:
            raise ValueError(f"scale_factor must be above 1, not {scale_factor}")
        if min_neighbors < 0 or min_size < 0 or max_size < 0:
            raise ValueError("min_neighbors, min_size and max_size must not be negative")
        if 0 < max_size < min_size:
            raise ValueError(f"max_size ({max_size}) is below min_size ({min_size}): no face could be found")
        self._cascade = _load(find_cascade(cascade))
        self._scale_factor = scale_factor
        self._min_neighbors = min_neighbors
        self._min_size = min_size
        self._max_size = max_size

    def detect(self, grey: np.ndarray) -> list[Detection]:
        """The faces in a (height, width) uint8 image; the score is the weight of the cascade's last stage."""
        smallest = self._min_size or max(_SMALLEST_FACE, min(grey.shape) // _IMAGE_PER_FACE)
        if min(grey.shape) < smallest:
            return []
        boxes, _, weights = self._cascade.detectMultiScale3(
            grey,
            scaleFactor=self._scale_factor,
            minNeighbors=self._min_neighbors,
            minSize=(smallest, smallest),
            maxSize=(self._max_size, self._max_size),
            outputRejectLevels=True,
        )
        return [
            Detection(Box(*map(int, box)), float(weight))
            for box, weight in zip(boxes, np.ravel(weights), strict=True)
        ]


def find_cascade(name: str) -> Path:
    """The xml file of a cascade, given by name or path.

    OpenCV's cascades come inside the pip package, and on Debian and Ubuntu with the package `opencv-data`.

    Raises:
        FileNotFoundError: says where was searched and what to install.
    """
    given = Path(name).expanduser()
    if given.suffix == ".xml" and (given.is_absolute() or given.is_file()):
        if given.is_file():
            return given
        raise FileNotFoundError(f"there is no cascade file {given}")
    folders = _cascade_folders()
    for folder in folders:
        candidate = folder / f"{given.name.removesuffix('.xml')}.xml"
        if candidate.is_file():
            return candidate
    raise FileNotFoundError(
        f"cascade '{name}' was not found in {', '.join(map(str, folders))}; "
        "install opencv-data (apt) or opencv-python below version 5 (pip), or give the path of an xml file"
    )


def _cascade_folders() -> list[Path]:
    in_pip_package = [Path(cv2.data.haarcascades)] if hasattr(cv2, "data") else []
    shared = [
        Path("/usr/share") / version / kind
        for version in ("opencv4", "opencv")
        for kind in ("haarcascades", "lbpcascades")
    ]
    return in_pip_package + shared


def _load(path: Path) -> cv2.CascadeClassifier:
    if not hasattr(cv2, "CascadeClassifier"):
        raise ValueError(f"OpenCV {cv2.__version__} has no CascadeClassifier; install opencv-python below version 5")
    cascade = cv2.CascadeClassifier()
    try:
        loaded = cascade.load(str(path))
    except cv2.error:
        loaded = False
    if not loaded:
        raise ValueError(f"{path} is not a cascade that OpenCV {cv2.__version__} can read")
    return cascade
