# SPDX-License-Identifier: Apache-2.0
"""Inputs of an annotation: images, videos and rosbag2 recordings, as one kind of sequence."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fer_ros.media.bags import Bag, BagError, BagImage, is_bag
from fer_ros.media.image_files import read_image
from fer_ros.media.image_header import ImageError
from fer_ros.media.sources import IMAGE_SUFFIXES, SourceError, VideoFile, images_in


class InputError(Exception):
    """An input that cannot be read, or not to its end; the message is one line with its path and the reason."""


@dataclass(frozen=True)
class InputFrame:
    """One image of an input."""

    index: int
    """Counted from 0."""
    stamp: int | None
    """Nanoseconds: from the start of a video, or of the message; None for an image that stands alone."""
    image: np.ndarray
    """For the recognizer: (height, width, 3) uint8 BGR or (height, width) uint8."""
    bgr: Callable[[], np.ndarray]
    """Returns the image in color, (height, width, 3) uint8, to be drawn onto."""
    message: BagImage | None = None
    """The message of a recording."""


class Input(ABC):
    """An image, a video or a recording."""

    is_sequence = True
    """Whether the frames follow each other in time, so that faces are tracked."""

    def __init__(self, path: Path, folder: Path | None = None):
        self.path = path
        self.folder = folder
        """The folder that was named, in which the file lies; None where the file itself was named."""

    @property
    def total(self) -> int | None:
        """Number of frames, as far as it is known before reading them: a hint."""
        return None

    @abstractmethod
    def frames(self, warn: Callable[[str], None]) -> Iterator[InputFrame]:
        """Yield the frames in the order of their stamps.

        Args:
            warn: called with a line about frames that are left out.

        Raises:
            InputError: the input cannot be read, or not to its end.
        """


class ImageInput(Input):
    """One image file."""

    is_sequence = False

    @property
    def total(self) -> int | None:
        """See `Input`."""
        return 1

    def frames(self, warn: Callable[[str], None]) -> Iterator[InputFrame]:
        """See `Input`."""
        try:
            image = read_image(self.path)
        except ImageError as error:
            raise InputError(str(error)) from error
        yield InputFrame(0, None, image, lambda: image)


class VideoInput(Input):
    """One video file."""

    _total: int | None = None

    @property
    def total(self) -> int | None:
        """See `Input`."""
        return self._total

    def frames(self, warn: Callable[[str], None]) -> Iterator[InputFrame]:
        """See `Input`."""
        try:
            video = VideoFile(self.path)
        except (SourceError, OSError) as error:
            raise InputError(str(error)) from error
        self._total = video.total
        try:
            index = 0
            while (image := video.read()) is not None:
                yield InputFrame(index, round(video.stamp * 1e9), image, lambda image=image: image)  # type: ignore[misc]
                index += 1
            if video.failure:
                raise InputError(f"{self.path} {video.failure}")
        finally:
            video.close()


class BagInput(Input):
    """One image topic of a rosbag2 recording.

    Args:
        path: folder or file of the recording.
        topic: of the images; empty for the only one.
    """

    _total: int | None = None

    def __init__(self, path: Path, topic: str = ""):
        super().__init__(path)
        self.topic = topic

    @property
    def total(self) -> int | None:
        """See `Input`."""
        return self._total

    def frames(self, warn: Callable[[str], None]) -> Iterator[InputFrame]:
        """See `Input`."""
        try:
            bag = Bag(self.path, self.topic)
        except ImportError as error:
            raise InputError(f"{self.path} needs the package rosbags: pip install rosbags") from error
        except BagError as error:
            raise InputError(str(error)) from error
        self._total = bag.total
        unreadable: dict[str, int] = {}
        try:
            for index, message in enumerate(bag.images()):
                try:
                    gray = message.gray()
                except ImageError as error:
                    if error.kind not in unreadable:
                        warn(f"{self.path}: image {index} of {bag.topic} is left out: {error}")
                    unreadable[error.kind] = unreadable.get(error.kind, 0) + 1
                    continue
                yield InputFrame(index, message.stamp, gray, message.bgr, message)
        except BagError as error:
            raise InputError(str(error)) from error
        finally:
            bag.close()
            for kind, count in unreadable.items():
                if count > 1:
                    warn(f"{self.path}: {count} images of {bag.topic} were left out for this reason ({kind})")


def find_inputs(
    names: Sequence[str], topic: str = "", is_output: Callable[[Path], bool] = lambda path: False
) -> tuple[list[Input], list[str]]:
    """Return the inputs of these names, each once, and a line for each name that leads to none.

    Args:
        names: paths of images, folders of images, videos and recordings.
        topic: image topic of recordings; empty for the only one.
        is_output: tells which files of a folder are annotated copies rather than input.
    """
    inputs: dict[Path, Input] = {}
    failures = []
    for name in names:
        path = Path(name).expanduser()
        try:
            for found in _inputs_at(path, topic, is_output):
                inputs.setdefault(found.path.absolute(), found)
        except (SourceError, OSError) as error:
            failures.append(str(error))
    return list(inputs.values()), failures


def _inputs_at(path: Path, topic: str, is_output: Callable[[Path], bool]) -> list[Input]:
    if is_bag(path):
        return [BagInput(path, topic)]
    if path.is_dir():
        return [ImageInput(image, path) for image in images_in(path) if not is_output(image)]
    if not path.exists():
        raise SourceError(f"there is no file or folder {path}")
    if not path.is_file():
        raise SourceError(f"{path} is neither a file nor a folder")
    return [ImageInput(path) if path.suffix.lower() in IMAGE_SUFFIXES else VideoInput(path)]
