"""Viola-Jones faces: a boosted cascade of Haar or LBP features, by OpenCV.

Source: Viola, Jones, "Rapid Object Detection using a Boosted Cascade of Simple Features", 2001.
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from fer_ros.faces.detectors.base import Detector, ScanTile, non_max_suppression
from fer_ros.faces.detectors.common import FaceSizes
from fer_ros.faces.detectors.pyramid import PyramidLevel, grouped
from fer_ros.types import Box, Detection

_REDETECT_STEP = 1.1
"""Ratio between the three sizes at which a known face is sought."""
_POSITIONS_PER_TILE = 8000
"""Places one tile tries, about 1 ms of one core; an image of 640x480 has 530 000 in a full scan."""


class ViolaJones(Detector):
    """Finds upright faces with a cascade.

    A full scan tries the cascade at every place and size. OpenCV does so in steps of one pixel of the reduced
    image and, while the window is less than twice the cascade's own, of two. A face answers at dozens of neighboring
    places, so a quarter of them, two pixels apart at every size, still meets it: `redetect` and `proposals` rely on it.

    Args:
        cascade: a cascade's name, such as "haarcascade_frontalface_default", or a path to its xml file.
        scale_factor: step between the sizes that are searched, above 1; nearer to 1 finds more and costs more.
        min_neighbors: how many overlapping hits make a face; more means fewer false faces.
        min_size: smallest face in pixels, 0 for an automatic one; see `FaceSizes`.
        max_size: largest face in pixels; 0 for no limit.

    Raises:
        FileNotFoundError: there is no such cascade; says where was searched.
        ValueError: the file is no cascade, or not one for faces, or a number is out of its range.
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
        if min_neighbors < 0:
            raise ValueError(f"min_neighbors must not be negative, not {min_neighbors}")
        self._cascade = load_cascade(find_cascade(cascade))
        self._base, height = self._cascade.getOriginalWindowSize()
        if self._base != height:
            raise ValueError(
                f"cascade '{cascade}' looks at {self._base}x{height} pixels, as those for bodies do; "
                "take one for faces, which looks at a square"
            )
        self._scale_factor = scale_factor
        self._min_neighbors = min_neighbors
        self._sizes = FaceSizes(min_size, max_size)

    def sizes(self, shape: tuple[int, int]) -> tuple[int, int]:
        """See `Detector`."""
        return self._sizes.of(shape)

    def detect(
        self,
        gray: np.ndarray,
        region: Box | None = None,
        smallest: int = 0,
        largest: int = 0,
        evidence: float = 1.0,
    ) -> list[Detection]:
        """The faces in an image; the score is the weight of the cascade's last stage.

        A region is searched at the places and sizes at which the full scan would pass it, so that both find the same.
        `evidence` is the share of `min_neighbors` that is enough. See `Detector`.
        """
        smallest, largest = self._sizes.within(gray.shape, smallest, largest)
        neighbors = math.ceil(self._min_neighbors * evidence)
        if largest < smallest:
            return []
        if region is not None:
            hits = [
                hit
                for factor in _factors(self._base, self._scale_factor, smallest, largest)
                for hit in self._hits(PyramidLevel(gray.shape, factor, self._base), gray, region)
            ]
            return grouped(hits, neighbors)
        boxes, _, weights = self._cascade.detectMultiScale3(
            gray,
            scaleFactor=self._scale_factor,
            minNeighbors=neighbors,
            minSize=(smallest, smallest),
            maxSize=(largest, largest),
            outputRejectLevels=True,
        )
        return [
            Detection(Box(*map(int, box)), float(weight)) for box, weight in zip(boxes, np.ravel(weights), strict=True)
        ]

    def redetect(self, gray: np.ndarray, region: Box, size: int) -> list[Detection]:
        """Two hits that agree, at three sizes, are enough. See `Detector`."""
        hits = []
        for width in (size / _REDETECT_STEP, size, size * _REDETECT_STEP):
            if width >= self._base:
                hits += self._hits(PyramidLevel(gray.shape, width / self._base, self._base), gray, region, sparse=True)
        return grouped(hits, 1)

    def tiles(self, shape: tuple[int, int], turn: int, smallest: int, largest: int) -> list[ScanTile]:
        """Every second size in strips of the image, the sizes between in the next turn. See `Detector`."""
        factors = _factors(self._base, self._scale_factor, smallest, min(largest, *shape))
        sizes = [round(factor * self._base) for factor in factors]
        # The next two turns see every size a little aside, so that what does not move is not missed for ever.
        aside = turn // 2 % 2
        return [
            tile
            for width in sizes[turn % 2 :: 2]
            for tile in _strips(shape, self._base, width, aside * width // self._base)
        ]

    def proposals(self, gray: np.ndarray, tile: ScanTile) -> list[Detection]:
        """Wherever the cascade answers once, at every second size. See `Detector`."""
        hits: list[Detection] = []
        size = float(tile.smallest)
        while size <= tile.largest:
            hits += self._hits(PyramidLevel(gray.shape, size / self._base, self._base), gray, tile.region, sparse=True)
            size *= self._scale_factor**2
        return non_max_suppression(hits)

    def _hits(self, level: PyramidLevel, gray: np.ndarray, region: Box, sparse: bool = False) -> list[Detection]:
        """Every place in `region` where the cascade answers at one size, or of a quarter of them when `sparse`."""
        window = (self._base, self._base)
        hits: list[Detection] = []
        for corner, part in level.parts(gray, region, sparse):
            places, _, weights = self._cascade.detectMultiScale3(
                part, scaleFactor=2.0, minNeighbors=0, minSize=window, maxSize=window, outputRejectLevels=True
            )
            hits += [
                Detection(level.box(corner[0] + int(place[0]), corner[1] + int(place[1])), float(weight))
                for place, weight in zip(places, np.ravel(weights), strict=True)
            ]
        return hits


@lru_cache(maxsize=256)
def _factors(base: int, scale_factor: float, smallest: int, largest: int) -> list[float]:
    """By how much the image is reduced at each size that the full scan tries between two widths of a face."""
    factors, factor = [], 1.0
    while round(base * factor) <= largest:
        if round(base * factor) >= smallest:
            factors.append(factor)
        factor *= scale_factor
    return factors


@lru_cache(maxsize=256)
def _strips(shape: tuple[int, int], base: int, size: int, aside: int) -> list[ScanTile]:
    """An image cut into strips in which a face of `size` pixels has about as many places as a tile tries."""
    height, width = shape[0] - aside, shape[1] - aside
    if min(height, width) < size:
        return []
    step = 2 * size / base
    places = max(1.0, (height - size) / step) * max(1.0, (width - size) / step)
    tops = np.linspace(0, height - size, math.ceil(places / _POSITIONS_PER_TILE) + 1).astype(int)
    return [
        ScanTile(Box(aside, aside + int(top), width, int(bottom - top) + size), size, size)
        for top, bottom in pairwise(tops)
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


def load_cascade(path: Path) -> cv2.CascadeClassifier:
    """A cascade's file as OpenCV runs it.

    Raises:
        ValueError: it is no cascade, or this OpenCV has none.
    """
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
