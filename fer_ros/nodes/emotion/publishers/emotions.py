# SPDX-License-Identifier: Apache-2.0
"""The topic `emotions`: every face of each image."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from sensor_msgs.msg import RegionOfInterest

from fer_ros.msg import FaceEmotion, FaceEmotionArray
from fer_ros.nodes.common.messages import to_duration, to_point
from fer_ros.nodes.common.qos import reliable
from fer_ros.nodes.emotion.publishers.base import CameraPublisher
from fer_ros.types import FaceResult

if TYPE_CHECKING:
    from rclpy.lifecycle import LifecycleNode

    from fer_ros.nodes.emotion.result import Result


class EmotionsPublisher(CameraPublisher):
    """Publishes a FaceEmotionArray on `emotions` of each camera, also for images without faces.

    Args:
        node: publishes.
        cameras: names of all cameras of the node.
    """

    def __init__(self, node: LifecycleNode, cameras: Sequence[str]):
        super().__init__(node, cameras)
        self._emotions = self._create_publishers(FaceEmotionArray, "emotions", reliable(depth=10))

    def publish(self, camera: str, result: Result) -> None:
        """See `Publisher`."""
        self._emotions[camera].publish(to_face_emotion_array(result))


def to_face_emotion_array(result: Result) -> FaceEmotionArray:
    """Return a result as a message."""
    width, height = size = result.image_size
    return FaceEmotionArray(
        header=result.header,
        image_width=width,
        image_height=height,
        model_id=result.model_id,
        labels=list(result.labels),
        faces=[_to_face_emotion(face, size) for face in result.faces],
        dominant_face_id=result.dominant_id,
        processing_time=to_duration(result.processing_time),
    )


def _to_face_emotion(face: FaceResult, image_size: tuple[int, int]) -> FaceEmotion:
    box = face.box.clipped(*image_size)
    return FaceEmotion(
        face_id=face.id,
        roi=RegionOfInterest(x_offset=box.x, y_offset=box.y, width=box.width, height=box.height),
        detection_score=face.detection_score,
        quality=face.quality,
        emotion=face.emotion,
        confidence=face.confidence,
        scores=_floats(face.scores),
        smoothed_scores=_floats(face.smoothed_scores),
        valence=face.valence,
        arousal=face.arousal,
        position=to_point(face.position),
        tracked_for=to_duration(face.tracked_for),
    )


def _floats(values: np.ndarray) -> array[float]:
    # rclpy takes an array.array as it is, and checks any other sequence element by element.
    return array("f", np.asarray(values, np.float32).tobytes())
