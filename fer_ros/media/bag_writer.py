# SPDX-License-Identifier: Apache-2.0
"""Copies of rosbag2 recordings with messages of this package added, written with the package `rosbags`, without ROS."""

from __future__ import annotations

import errno
import math
import shutil
import sqlite3
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from fer_ros import resources
from fer_ros.media.bags import Bag

_FALLBACK = "/fer_annotate"
"""Namespace of a topic that the recording has already."""
_NO_HASH = "RIHS01_" + 64 * "0"


def message_types() -> Any:
    """Return a type store of `rosbags` with the messages of this package.

    Raises:
        ImportError: the package `rosbags` is not installed.
        FileNotFoundError: the package's message files are missing.
    """
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore

    types = get_typestore(Stores.ROS2_HUMBLE)
    for name in ("FaceEmotion", "FaceEmotionArray", "EmotionEvent"):
        definition = resources.find("message_files", name, (".msg",)).read_text(encoding="utf-8")
        types.register(get_types_from_msg(definition, f"fer_ros/msg/{name}"))
    return types


class BagWriter:
    """Collects messages, and writes them with all those of a recording into a copy of it.

    Args:
        source: the recording; an image topic of it is `topic`.
        topic: as for `Bag`.
        types: of the messages; see `message_types`.
    """

    def __init__(self, source: Path, topic: str, types: Any):
        self._source = source
        self._topic = topic
        self._types = types
        self._added: list[tuple[int, str, str, bytes]] = []
        """Time of reception in nanoseconds, topic, type, and content of each message."""

    def add(self, received: int, topic: str, kind: str, message: Any) -> None:
        """Add a message.

        Args:
            received: time in nanoseconds, on the clock of the recording.
            topic: resolved name; moved into the namespace /fer_annotate if the recording has that topic.
            kind: type, such as "fer_ros/msg/FaceEmotion".
            message: of that type, an object of the type store.
        """
        self._added.append((received, topic, kind, bytes(self._types.serialize_cdr(message, kind))))

    def write(self, path: Path, is_stopped: Callable[[], bool] = lambda: False) -> None:
        """Write the copy, in the storage of the recording; a damaged recording is copied up to the damage.

        Args:
            path: folder to be created; an existing one is replaced.
            is_stopped: asked after each message; if True, there is no copy in the end.

        Raises:
            BagError: the recording cannot be read.
            OSError: the copy cannot be written.
        """
        from rosbags.rosbag2 import StoragePlugin, Writer

        bag = Bag(self._source, self._topic)
        kept = False
        try:
            if path.exists():
                shutil.rmtree(path)
            with Writer(path, version=8, storage_plugin=StoragePlugin[bag.storage.upper()]) as writer:
                complete = self._copy(bag, writer, is_stopped)
            kept = complete
        except sqlite3.Error as error:
            raise OSError(errno.EIO, str(error)) from error
        finally:
            bag.close()
            if not kept:
                shutil.rmtree(path, ignore_errors=True)

    def _copy(self, bag: Bag, writer: Any, is_stopped: Callable[[], bool]) -> bool:
        copies = {connection.id: self._add_connection(writer, connection) for connection in bag.connections}
        taken = {connection.topic for connection in bag.connections}
        targets = {}
        for topic, kind in dict.fromkeys((topic, kind) for _, topic, kind, _ in self._added):
            name = topic if topic not in taken else _FALLBACK + topic
            targets[topic] = writer.add_connection(name, kind, typestore=self._types)
        added = deque(sorted(self._added, key=lambda message: message[0]))

        def write_added(before: float) -> None:
            while added and added[0][0] < before:
                received, topic, _, content = added.popleft()
                writer.write(targets[topic], received, content)

        for connection, received, content in _readable(bag):
            write_added(received)
            writer.write(copies[connection.id], received, content)
            if is_stopped():
                return False
        write_added(math.inf)
        return True

    def _add_connection(self, writer: Any, connection: Any) -> Any:
        definition = connection.msgdef.data if connection.msgdef else ""
        if not definition and connection.msgtype in self._types.fielddefs:
            source = {"typestore": self._types}
        else:
            source = {"msgdef": definition, "rihs01": connection.digest or _NO_HASH}
        return writer.add_connection(
            connection.topic,
            connection.msgtype,
            serialization_format=connection.ext.serialization_format,
            offered_qos_profiles=connection.ext.offered_qos_profiles,
            **source,
        )


def _readable(bag: Bag) -> Iterator[tuple[Any, int, bytes]]:
    """Yield connection, time of reception and content of each message before the damage, which was reported before."""
    messages = bag.messages()
    while True:
        try:
            message = next(messages, None)
        except Exception:  # the readers of the storages raise whatever damaged content leads to
            return
        if message is None:
            return
        yield message
