# SPDX-License-Identifier: Apache-2.0
"""Sources of images: a file, a folder, a webcam, or the synthetic scene.

Every image is (height, width, 3) uint8, BGR.
"""

from __future__ import annotations

import math
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from fer_ros.media.image_files import read_image
from fer_ros.media.image_header import ImageError
from fer_ros.media.resize import resize
from fer_ros.media.synthetic_scene import HORIZONTAL_FOV, SyntheticScene
from fer_ros.media.video_container import is_truncated

IMAGE_SUFFIXES = (".bmp", ".jfif", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
"""TIFF and WebP are listed so that they are refused by name; see `fer_ros.media.image_files`."""
SCENE = "scene"
SCENE_RATE = 15.0
"""Images per second of the synthetic scene, unless asked for others."""
FOLDER_RATE = 5.0
"""Images per second of a folder."""
DEFAULT_RATE = 30.0
"""Images per second of a webcam or video that does not tell its rate."""
_MAX_RATE = 1000.0
_DEVICES = Path("/dev")
_VIDEO_DEVICE = re.compile(r"/dev/video([0-9]+)")
_KINDS = f"a source is the path of a file or folder, the number or device of a webcam, or '{SCENE}'"


class SourceError(Exception):
    """A source that gives no images; the message is one line with its name and the reason."""


class ImageSource(ABC):
    """Something that gives images in order."""

    name: str
    rate: float
    """Nominal images per second."""
    total: int | None = None
    """Number of images; None where it is unknown or infinite."""
    horizontal_fov: float = 0.0
    """Horizontal field of view in radians; 0 where it is unknown."""

    @abstractmethod
    def read(self) -> np.ndarray | None:
        """Return the next image, or None after the last.

        Raises:
            SourceError: the source failed.
        """

    def rewind(self) -> None:  # noqa: B027 (an infinite source has nothing to do)
        """Continue with the first image."""

    def close(self) -> None:  # noqa: B027 (most sources hold no resource)
        """Release the file or device."""


class SyntheticSceneSource(ImageSource):
    """The synthetic scene, without end.

    Args:
        rate: images per second.
        width: pixels.
        height: pixels.
    """

    name = "the synthetic scene"
    horizontal_fov = HORIZONTAL_FOV

    def __init__(self, rate: float = SCENE_RATE, width: int = 640, height: int = 480):
        try:
            self._scene = SyntheticScene(width, height)
        except ModuleNotFoundError as error:
            raise SourceError(str(error)) from error
        self.rate = rate
        self._count = 0

    def read(self) -> np.ndarray:
        """See `ImageSource`."""
        image = self._scene.image(self._count / self.rate)
        self._count += 1
        return image


class VideoFile(ImageSource):
    """A video or an animated GIF."""

    def __init__(self, path: Path):
        self.name = str(path)
        self._path = path
        self._capture = _open_capture(path)
        if not self._capture.isOpened():
            raise SourceError(f"{path} is neither a video nor an image that this version of OpenCV can read")
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self.rate = rate if math.isfinite(rate) and 0 < rate <= _MAX_RATE else DEFAULT_RATE
        # Containers without a length give 0 or a large negative number.
        frames = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.total = int(frames) if frames > 0 else None
        self._read = 0
        self.stamp = -1 / self.rate
        """Seconds from the start of the video to the image read last, as the container has it."""

    def read(self) -> np.ndarray | None:
        """See `ImageSource`."""
        ok, image = self._capture.read()
        if not ok:
            return None
        self._read += 1
        stamp = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        # Some containers have no times, and some decoders give none.
        self.stamp = stamp if math.isfinite(stamp) and stamp > self.stamp else self.stamp + 1 / self.rate
        return image

    @property
    def failure(self) -> str:
        """After the last image: why there are fewer images than the video had; empty if it was read to its end."""
        if self.total and self._read < self.total and is_truncated(self._path):
            return f"ends after {self._read} of {self.total} images: the file is truncated"
        return "" if self._read else "has no image that can be decoded"

    def rewind(self) -> None:
        """See `ImageSource`."""
        # Seeking is inexact in some containers; opening again is exact in all.
        self._capture.release()
        self._capture = _open_capture(self._path)
        self._read, self.stamp = 0, -1 / self.rate

    def close(self) -> None:
        """See `ImageSource`."""
        self._capture.release()


class ImageFiles(ImageSource):
    """Image files in the order given. Those that cannot be read are skipped.

    Args:
        name: of the source.
        paths: the files.
        warn: called once with a message for each file that cannot be read.
    """

    rate = FOLDER_RATE

    def __init__(self, name: str, paths: list[Path], warn: Callable[[str], None]):
        self.name = name
        self._paths = paths
        self._warn = warn
        self._next = 0
        self._unreadable: set[Path] = set()
        self.total = len(paths)

    def read(self) -> np.ndarray | None:
        """See `ImageSource`."""
        while self._next < len(self._paths):
            path = self._paths[self._next]
            self._next += 1
            if path in self._unreadable:
                continue
            try:
                return read_image(path)
            except ImageError as error:
                self._unreadable.add(path)
                self._warn(f"skipped {error}")
        return None

    def rewind(self) -> None:
        """See `ImageSource`."""
        self._next = 0


class Webcam(ImageSource):
    """A camera of this computer.

    Args:
        camera: N of /dev/videoN, or the path of a device, also a link to it such as /dev/v4l/by-id/...
        rate: images per second to request; 0 keeps the camera's own, and so for the others.
        width: pixels to request.
        height: pixels to request.
    """

    def __init__(self, camera: int | Path, rate: float = 0.0, width: int = 0, height: int = 0):
        self.name = f"webcam {camera}"
        device = Path(f"/dev/video{camera}") if isinstance(camera, int) else camera
        # Checked first, because OpenCV prints many lines where there is no such device.
        if not device.exists():
            found = ", ".join(str(path) for path in sorted(_DEVICES.glob("video*"))) or "none"
            raise SourceError(f"there is no webcam {camera}: {device} does not exist (webcams found: {found})")
        number = _VIDEO_DEVICE.fullmatch(str(device.resolve()))
        if not number:
            raise SourceError(f"{device} is a device, but no camera: expected /dev/videoN, or a link to it")
        self._capture = cv2.VideoCapture(int(number[1]))
        if not self._capture.isOpened():
            raise SourceError(
                f"{device} cannot be opened: another program uses it, or this user is not in the group 'video'"
            )
        for setting, value in (
            (cv2.CAP_PROP_FPS, rate),
            (cv2.CAP_PROP_FRAME_WIDTH, width),
            (cv2.CAP_PROP_FRAME_HEIGHT, height),
            (cv2.CAP_PROP_BUFFERSIZE, 1),
        ):
            if value:
                self._capture.set(setting, value)
        self.rate = self._capture.get(cv2.CAP_PROP_FPS) or DEFAULT_RATE

    def read(self) -> np.ndarray:
        """See `ImageSource`."""
        ok, image = self._capture.read()
        if not ok:
            raise SourceError(f"{self.name} stopped: it was unplugged, or another program took it")
        return image

    def close(self) -> None:
        """See `ImageSource`."""
        self._capture.release()


def open_source(
    source: str, rate: float = 0.0, width: int = 0, height: int = 0, warn: Callable[[str], None] = print
) -> ImageSource:
    """Return the source of that name.

    Args:
        source: "scene", the number or device of a webcam, or the path of a file or folder.
        rate: images per second that the scene is rendered at and a webcam is asked for; 0 keeps the default.
        width: pixels, likewise.
        height: pixels, likewise.
        warn: called with a message for each file that cannot be read.

    Raises:
        SourceError: there is no such source, or it cannot be read.
    """
    if source == SCENE:
        return SyntheticSceneSource(rate or SCENE_RATE, width or 640, height or 480)
    if re.fullmatch(r"[0-9]+", source):
        return Webcam(int(source), rate, width, height)
    if scheme := re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", source):
        # Only the scheme: the rest may have a password.
        raise SourceError(
            f"a source cannot be an address ({scheme[0]}...): save it as a file, or publish a stream with a driver for "
            "streams, such as the ROS package gscam"
        )
    if not source.strip():
        raise SourceError(f"the source is empty; {_KINDS}")
    path = Path(source).expanduser()
    if is_webcam(source):
        return Webcam(path, rate, width, height)
    if path.is_dir():
        return ImageFiles(str(path), images_in(path), warn)
    if not path.exists():
        raise SourceError(f"there is no file or folder {path} ({_KINDS})")
    if not path.is_file():
        raise SourceError(f"{path} is a pipe or a socket, which is not taken: save it as a file ({_KINDS})")
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return ImageFiles(str(path), [path], warn)
    return VideoFile(path)


def is_webcam(source: str) -> bool:
    """Return whether a source is the number or the device of a webcam, whether or not that exists."""
    path = Path(source).expanduser()
    named = source.startswith((f"{_DEVICES}/video", f"{_DEVICES}/v4l/"))
    return re.fullmatch(r"[0-9]+", source) is not None or named or path.is_char_device() or path.is_block_device()


def images(source: ImageSource, loop: bool = False) -> Iterator[np.ndarray]:
    """Yield the images of a source, again and again if `loop`.

    Raises:
        SourceError: the source has no image that can be read.
    """
    while True:
        empty = True
        while (image := source.read()) is not None:
            empty = False
            yield image
        if empty:
            raise SourceError(f"{source.name} has no image that can be read")
        if not loop:
            return
        source.rewind()


def scaled(image: np.ndarray, width: int = 0, height: int = 0) -> np.ndarray:
    """Return an image in another size.

    Args:
        image: (height, width) or (height, width, channels) uint8.
        width: pixels; 0 keeps the proportions, or the size if both are 0.
        height: pixels, likewise.
    """
    own_height, own_width = image.shape[:2]
    if width and not height:
        height = max(1, round(own_height * width / own_width))
    elif height and not width:
        width = max(1, round(own_width * height / own_height))
    elif not width:
        width, height = own_width, own_height
    if (width, height) == (own_width, own_height):
        return image
    return resize(image, (width, height))


def _open_capture(path: Path) -> cv2.VideoCapture:
    # FFmpeg takes what is in front of a colon for a protocol, unless the path starts with a slash.
    absolute = os.path.abspath(path)
    try:
        absolute.encode()
    except UnicodeEncodeError:
        # OpenCV takes no name that is not UTF-8: give it one by which the kernel knows the open file.
        with path.open("rb") as file:
            return cv2.VideoCapture(f"/proc/self/fd/{file.fileno()}")
    return cv2.VideoCapture(absolute)


def _is_image(path: Path) -> bool:
    # A name that starts with a dot is no image even with the suffix of one: macOS writes ._x.jpg beside x.jpg.
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".") and path.is_file()


def images_in(folder: Path) -> list[Path]:
    """Return the image files of a folder in natural order: 2.png before 10.png.

    Raises:
        SourceError: there are none.
    """
    paths = [path for path in folder.iterdir() if _is_image(path)]
    if not paths:
        raise SourceError(f"there are no images in {folder} (known suffixes: {', '.join(IMAGE_SUFFIXES)})")

    def natural_order(path: Path) -> list[tuple[str, int]]:
        return [(text, int(digits or 0)) for text, digits in re.findall(r"(\D*)(\d*)", path.name)]

    return sorted(paths, key=natural_order)
