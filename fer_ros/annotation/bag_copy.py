# SPDX-License-Identifier: Apache-2.0
"""The messages of `emotion_node` for the images of a recording, added to a copy of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fer_ros.media.bag_writer import BagWriter, message_types
from fer_ros.media.bags import BagImage
from fer_ros.people.events import Event, FaceEvents
from fer_ros.types import FaceResult, Position

_ARRAY, _EVENT = "fer_ros/msg/FaceEmotionArray", "fer_ros/msg/EmotionEvent"


class BagCopy:
    """Makes the messages that the emotion node publishes on `emotions` and `emotion_events` with default parameters.

    Args:
        source: the recording.
        topic: of its images; empty for the only one.
        labels: of the model, in the order of the scores.
        model_id: of the model.

    Raises:
        ImportError: the package `rosbags` is not installed.
        FileNotFoundError: the package's message files are missing.
    """

    def __init__(self, source: Path, topic: str, labels: Sequence[str], model_id: str):
        self._labels = list(labels)
        self._model_id = model_id
        store = message_types()
        self._types = store.types
        self._writer = BagWriter(source, topic, store)
        self._events = FaceEvents()
        self._last: tuple[float, BagImage] | None = None

    def add(self, image: BagImage, stamp: float, size: tuple[int, int], faces: Sequence[FaceResult]) -> None:
        """Add the results of an image.

        Args:
            image: of the recording.
            stamp: of the image, seconds.
            size: width and height of the image, pixels.
            faces: in it.
        """
        if self._last and stamp < self._last[0]:
            self._add_events(self._events.reset(), self._last[1])
        self._last = (stamp, image)
        events = self._events.update(faces, stamp, size)
        message = self._types[_ARRAY](
            header=image.message.header,
            image_width=size[0],
            image_height=size[1],
            model_id=self._model_id,
            labels=self._labels,
            faces=[self._face(face, size) for face in faces],
            dominant_face_id=self._events.dominant_id,
            processing_time=self._duration(0.0),
        )
        self._writer.add(image.received, "/emotions", _ARRAY, message)
        self._add_events(events, image)

    def write(self, path: Path, is_stopped: Callable[[], bool]) -> None:
        """Write the copy; see `BagWriter.write`."""
        self._writer.write(path, is_stopped)

    def _add_events(self, events: Sequence[Event], image: BagImage) -> None:
        for event in events:
            message = self._types[_EVENT](
                header=image.message.header,
                kind=int(event.kind),
                face_id=event.face_id,
                dominant=event.dominant,
                previous=event.previous,
                current=event.current,
                confidence=event.confidence,
                position=self._point(event.position),
            )
            self._writer.add(image.received, "/emotion_events", _EVENT, message)

    def _face(self, face: FaceResult, size: tuple[int, int]) -> Any:
        box = face.box.clipped(*size)
        region = self._types["sensor_msgs/msg/RegionOfInterest"](
            x_offset=box.x, y_offset=box.y, height=box.height, width=box.width, do_rectify=False
        )
        return self._types["fer_ros/msg/FaceEmotion"](
            face_id=face.id,
            roi=region,
            detection_score=face.detection_score,
            quality=face.quality,
            emotion=face.emotion,
            confidence=face.confidence,
            scores=np.asarray(face.scores, np.float32),
            smoothed_scores=np.asarray(face.smoothed_scores, np.float32),
            valence=face.valence,
            arousal=face.arousal,
            position=self._point(face.position),
            tracked_for=self._duration(face.tracked_for),
        )

    def _point(self, position: Position | None) -> Any:
        x, y, z = position or (math.nan, math.nan, math.nan)
        return self._types["geometry_msgs/msg/Point"](x=x, y=y, z=z)

    def _duration(self, seconds: float) -> Any:
        whole, nanoseconds = divmod(round(seconds * 1e9), 10**9)
        return self._types["builtin_interfaces/msg/Duration"](sec=whole, nanosec=nanoseconds)
