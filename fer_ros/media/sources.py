"""Pictures one after another from wherever they come: a file, a folder, a webcam, or the built-in scene.

Every picture is (height, width, 3) uint8 in BGR order.
"""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from fer_ros.media.resize import resize
from fer_ros.media.synthetic_scene import HORIZONTAL_FOV, SyntheticScene

IMAGE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
SCENE = "scene"
SCENE_RATE = 15.0
FOLDER_RATE = 5.0
WEBCAM_RATE = 30.0
"""Pictures per second of a source that names no rate of its own."""


class SourceError(Exception):
    """A source that cannot give pictures; the message is one line that names it and the reason."""


class ImageSource(ABC):
    """Something that gives pictures in order."""

    name: str
    rate: float
    """Pictures per second it was made for."""
    total: int | None = None
    """Pictures in one pass; None where nobody knows or there is no end."""
    horizontal_fov: float = 0.0
    """Radians, 0 where unknown."""

    @abstractmethod
    def read(self) -> np.ndarray | None:
        """The next picture, or None after the last.

        Raises:
            SourceError: the source broke off.
        """

    def rewind(self) -> None:  # noqa: B027 (a source without an end has nothing to rewind)
        """Starts again at the first picture."""

    def close(self) -> None:  # noqa: B027 (most hold nothing open)
        """Releases the file or device."""


class SyntheticSceneSource(ImageSource):
    """The built-in scene at `rate` pictures per second, without end."""

    name = "the built-in scene"
    horizontal_fov = HORIZONTAL_FOV

    def __init__(self, rate: float = SCENE_RATE, width: int = 640, height: int = 480):
        try:
            self._scene = SyntheticScene(width, height)
        except ModuleNotFoundError as error:
            raise SourceError(str(error)) from error
        self.rate = rate
        self._given = 0

    def read(self) -> np.ndarray:
        picture = self._scene.picture(self._given / self.rate)
        self._given += 1
        return picture


class VideoFile(ImageSource):
    """A video or animated GIF."""

    def __init__(self, path: Path):
        self.name = str(path)
        self._path = path
        self._capture = cv2.VideoCapture(str(path))
        if not self._capture.isOpened():
            raise SourceError(f"{path} is neither a video nor a picture that this OpenCV can read")
        own_rate = self._capture.get(cv2.CAP_PROP_FPS)
        self.rate = own_rate if math.isfinite(own_rate) and 0 < own_rate <= 1000 else WEBCAM_RATE
        # Containers that do not say how long they are answer with 0, or with a large negative number.
        frames = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.total = int(frames) if frames > 0 else None

    def read(self) -> np.ndarray | None:
        ok, picture = self._capture.read()
        return picture if ok else None

    def rewind(self) -> None:
        # Seeking is not exact in every container; opening again is.
        self._capture.release()
        self._capture = cv2.VideoCapture(str(self._path))

    def close(self) -> None:
        self._capture.release()


class ImageFiles(ImageSource):
    """Picture files in the order given; one that cannot be read is named to `warn` and left out."""

    rate = FOLDER_RATE

    def __init__(self, name: str, paths: list[Path], warn: Callable[[str], None]):
        self.name = name
        self._paths = paths
        self._warn = warn
        self._next = 0
        self._unreadable: set[Path] = set()
        self.total = len(paths)

    def read(self) -> np.ndarray | None:
        while self._next < len(self._paths):
            path = self._paths[self._next]
            self._next += 1
            if path in self._unreadable:
                continue
            picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
            if picture is not None:
                return picture
            self._unreadable.add(path)
            self._warn(f"{path} is left out: it cannot be read as a picture")
        return None

    def rewind(self) -> None:
        self._next = 0


class Webcam(ImageSource):
    """Camera `index` of this machine, asked for a rate (per second) and size (pixels); 0 leaves the camera's own."""

    def __init__(self, index: int, rate: float = 0.0, width: int = 0, height: int = 0):
        self.name = f"webcam {index}"
        # Asked first because OpenCV prints a page of its own when there is none.
        device = Path(f"/dev/video{index}")
        if not device.exists():
            known = ", ".join(sorted(path.name[5:] for path in device.parent.glob("video*"))) or "none"
            raise SourceError(f"there is no webcam {index}: {device} does not exist (webcams here: {known})")
        self._capture = cv2.VideoCapture(index)
        if not self._capture.isOpened():
            raise SourceError(f"{device} cannot be opened: it is in use, or this user may not read it (group video)")
        for asked, value in (
            (cv2.CAP_PROP_FPS, rate),
            (cv2.CAP_PROP_FRAME_WIDTH, width),
            (cv2.CAP_PROP_FRAME_HEIGHT, height),
            (cv2.CAP_PROP_BUFFERSIZE, 1),
        ):
            if value:
                self._capture.set(asked, value)
        self.rate = self._capture.get(cv2.CAP_PROP_FPS) or WEBCAM_RATE

    def read(self) -> np.ndarray:
        ok, picture = self._capture.read()
        if not ok:
            raise SourceError(f"{self.name} gives no more pictures: it was unplugged, or another program took it")
        return picture

    def close(self) -> None:
        self._capture.release()


def open_source(
    source: str, rate: float = 0.0, width: int = 0, height: int = 0, warn: Callable[[str], None] = print
) -> ImageSource:
    """The source named by `source`: "scene", the number of a webcam, or the path of a file or folder.

    Args:
        source: names it.
        rate: pictures per second that the scene is drawn for and a webcam is asked for; 0: their own.
        width: pixels that the scene is drawn in and a webcam is asked for; 0: their own.
        height: the same.
        warn: told of each picture that cannot be read.

    Raises:
        SourceError: there is nothing of that name, or nothing in it can be read.
    """
    if source == SCENE:
        return SyntheticSceneSource(rate or SCENE_RATE, width or 640, height or 480)
    if re.fullmatch(r"\d+", source):
        return Webcam(int(source), rate, width, height)
    path = Path(source).expanduser()
    if path.is_dir():
        return ImageFiles(str(path), pictures_in(path), warn)
    if not path.is_file():
        raise SourceError(f"there is no file or folder {path} (a source is a path, a webcam's number, or '{SCENE}')")
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return ImageFiles(str(path), [path], warn)
    return VideoFile(path)


def pictures(source: ImageSource, loop: bool = False) -> Iterator[np.ndarray]:
    """Every picture of `source`, from the start again and again if `loop`.

    Raises:
        SourceError: it holds no picture that can be read.
    """
    while True:
        empty = True
        while (picture := source.read()) is not None:
            empty = False
            yield picture
        if empty:
            raise SourceError(f"{source.name} holds no picture that can be read")
        if not loop:
            return
        source.rewind()


def scaled(picture: np.ndarray, width: int = 0, height: int = 0) -> np.ndarray:
    """The picture in `width` x `height` pixels; a 0 follows the other by the proportions, two change nothing."""
    own_height, own_width = picture.shape[:2]
    if width and not height:
        height = max(1, round(own_height * width / own_width))
    elif height and not width:
        width = max(1, round(own_width * height / own_height))
    elif not width:
        width, height = own_width, own_height
    if (width, height) == (own_width, own_height):
        return picture
    return resize(picture, (width, height))


def pictures_in(folder: Path) -> list[Path]:
    """Its pictures, numbers in their names counted as numbers: 2.png before 10.png."""
    paths = [path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()]
    if not paths:
        raise SourceError(f"there are no pictures in {folder} (known are {', '.join(IMAGE_SUFFIXES)})")

    def in_order(path: Path) -> list[tuple[str, int]]:
        return [(text, int(digits or 0)) for text, digits in re.findall(r"(\D*)(\d*)", path.name)]

    return sorted(paths, key=in_order)
