# SPDX-License-Identifier: Apache-2.0
"""Detections of vision_msgs, version 4 (Humble and later)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from geometry_msgs.msg import Pose, PoseWithCovariance
from vision_msgs.msg import (
    BoundingBox2D,
    Detection2D,
    Detection2DArray,
    LabelInfo,
    ObjectHypothesis,
    ObjectHypothesisWithPose,
    VisionClass,
)

from fer_ros.nodes.common.messages import to_point
from fer_ros.nodes.common.qos import reliable
from fer_ros.nodes.emotion.publishers.base import CameraPublisher
from fer_ros.types import FaceResult

if TYPE_CHECKING:
    from rclpy.lifecycle import LifecycleNode

    from fer_ros.nodes.emotion.result import Result


class VisionMsgsPublisher(CameraPublisher):
    """Publishes `emotions/detections` and, latched, the model's classes on `emotions/label_info` of each camera.

    Args:
        node: publishes.
        cameras: names of all cameras of the node.
    """

    def __init__(self, node: LifecycleNode, cameras: Sequence[str]):
        super().__init__(node, cameras)
        self._detections = self._create_publishers(Detection2DArray, "emotions/detections", reliable(depth=10))
        self._label_info = self._create_publishers(LabelInfo, "emotions/label_info", reliable(depth=1, latched=True))
        self._labels: dict[str, tuple[str, ...]] = {}
        """Last published labels of each camera."""

    def publish(self, camera: str, result: Result) -> None:
        """See `Publisher`; publishes the classes when they have changed."""
        if result.labels != self._labels.get(camera):
            self._labels[camera] = result.labels
            threshold = float(self._node.get_parameter("smoothing.min_confidence").value)
            self._label_info[camera].publish(_label_info(result, threshold))
        if self._detections[camera].get_subscription_count():
            detections = [_detection(face, result) for face in result.faces]
            self._detections[camera].publish(Detection2DArray(header=result.header, detections=detections))


def _label_info(result: Result, threshold: float) -> LabelInfo:
    classes = [VisionClass(class_id=index, class_name=label) for index, label in enumerate(result.labels)]
    return LabelInfo(header=result.header, class_map=classes, threshold=threshold)


def _detection(face: FaceResult, result: Result) -> Detection2D:
    visible = face.box.clipped(*result.image_size)
    box = BoundingBox2D(size_x=float(visible.width), size_y=float(visible.height))
    box.center.position.x, box.center.position.y = visible.center
    pose = PoseWithCovariance(pose=Pose(position=to_point(face.position)))
    best_first = sorted(zip(face.smoothed_scores.tolist(), result.labels, strict=True), reverse=True)
    hypotheses = [
        ObjectHypothesisWithPose(hypothesis=ObjectHypothesis(class_id=label, score=score), pose=pose)
        for score, label in best_first
    ]
    return Detection2D(header=result.header, results=hypotheses, bbox=box, id=face.id)
