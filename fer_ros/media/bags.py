# SPDX-License-Identifier: Apache-2.0
"""Images of rosbag2 recordings (sqlite3 and mcap), read with the package `rosbags`, without ROS."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fer_ros.image_period import JUMP
from fer_ros.media import encodings
from fer_ros.media.encodings import RawImage

IMAGE_TYPES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")
_FILE_SUFFIXES = (".mcap", ".db3")
_REORDERED = 8
"""Images that are read ahead to sort those that overtook each other."""


class BagError(Exception):
    """A recording that cannot be read; the message is one line with its path and the reason."""


@dataclass(frozen=True)
class BagImage:
    """One image message; decoded on request."""

    stamp: int
    """Of its header, or of its reception where the header has none; nanoseconds."""
    received: int
    """Time of its reception; nanoseconds."""
    message: Any

    def gray(self) -> np.ndarray:
        """Return the image as (height, width) uint8, exactly as the emotion node converts it.

        Raises:
            ImageError: the message is invalid, or of an encoding that is not supported.
        """
        if hasattr(self.message, "encoding"):
            return encodings.gray(_raw(self.message))
        return encodings.decode_gray(self.message.data)

    def bgr(self) -> np.ndarray:
        """Return the image as (height, width, 3) uint8; raises as `gray` does."""
        if hasattr(self.message, "encoding"):
            return encodings.bgr(_raw(self.message))
        return encodings.decode_bgr(self.message.data)


def is_bag(path: Path) -> bool:
    """Return whether `path` is the folder of a recording, or one of its files."""
    return (path / "metadata.yaml").is_file() or (path.suffix in _FILE_SUFFIXES and path.is_file())


class Bag:
    """The images of one topic of a recording.

    Args:
        path: folder of the recording, or one of its files.
        topic: name of the image topic; empty for the only one.

    Raises:
        ImportError: the package `rosbags` is not installed.
        BagError: the recording cannot be read, or has no such topic, or several if none is named.
    """

    def __init__(self, path: Path, topic: str = ""):
        from rosbags.rosbag2 import Reader
        from rosbags.typesys import Stores, get_typestore

        self._path = path
        if path.is_file() and (path.parent / "metadata.yaml").is_file():
            path = path.parent
        self._types = get_typestore(Stores.ROS2_HUMBLE)
        try:
            self._reader = Reader(path)
            self._reader.open()
        except Exception as error:  # the readers of the storages raise whatever damaged content leads to
            raise BagError(f"{self._path} is no rosbag2 recording that can be read: {_line(error)}") from error
        images = {c.topic: c for c in self._reader.connections if c.msgtype in IMAGE_TYPES}
        try:
            self._connection = _choose(self._path, images, topic, [c.topic for c in self._reader.connections])
        except BagError:
            self._reader.close()
            raise
        self.topic: str = self._connection.topic
        self.total: int | None = self._connection.msgcount or None
        self.connections: list[Any] = list(self._reader.connections)
        """One for each topic and type, as `rosbags` has it."""
        files = list(path.iterdir()) if path.is_dir() else [path]
        self.storage = "mcap" if any(file.suffix == ".mcap" for file in files) else "sqlite3"

    def images(self) -> Iterator[BagImage]:
        """Yield the images in the order of their stamps.

        Raises:
            BagError: the recording is damaged; the images before that were given.
        """
        waiting: list[tuple[int, int, BagImage]] = []
        newest = -1
        messages = enumerate(self._messages())
        for number, image in messages:
            if image.stamp < newest - round(JUMP * 1e9):
                yield from (heapq.heappop(waiting)[2] for _ in range(len(waiting)))
                newest = -1
            newest = max(newest, image.stamp)
            heapq.heappush(waiting, (image.stamp, number, image))
            if len(waiting) > _REORDERED:
                yield heapq.heappop(waiting)[2]
        yield from (heapq.heappop(waiting)[2] for _ in range(len(waiting)))
        if self._failure:
            raise BagError(self._failure)

    def messages(self) -> Iterator[tuple[Any, int, bytes]]:
        """Yield connection, time of reception in nanoseconds, and content of all messages, in the order of reception.

        Raises whatever damaged content leads to.
        """
        yield from self._reader.messages()

    def close(self) -> None:
        """Close the files."""
        self._reader.close()

    def _messages(self) -> Iterator[BagImage]:
        self._failure = ""
        count = 0
        try:
            for connection, received, content in self._reader.messages(connections=[self._connection]):
                message: Any = self._types.deserialize_cdr(content, connection.msgtype)
                header = message.header.stamp
                yield BagImage(header.sec * 10**9 + header.nanosec or received, received, message)
                count += 1
        except Exception as error:
            self._failure = f"{self._path} is damaged after {count} images of {self.topic}: {_line(error)}"


def _choose(path: Path, images: dict[str, Any], topic: str, topics: list[str]) -> Any:
    if topic:
        for name in (topic, f"/{topic}"):
            if name in images:
                return images[name]
    listed = ", ".join(sorted(images)) or "none"
    if topic:
        raise BagError(f"{path} has no image topic {topic}; its image topics: {listed}")
    if not images:
        raise BagError(f"{path} has no image topic; its topics: {', '.join(sorted(set(topics))) or 'none'}")
    if len(images) > 1:
        raise BagError(f"{path} has several image topics: {listed}; choose one with --topic")
    return next(iter(images.values()))


def _raw(message: Any) -> RawImage:
    return RawImage(
        message.data, message.height, message.width, message.encoding, message.step, bool(message.is_bigendian)
    )


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
