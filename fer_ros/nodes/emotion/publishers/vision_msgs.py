"""For everything that reads detections of objects: vision_msgs, as of its version 4 (Humble and later)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from geometry_msgs.msg import Pose, PoseWithCovariance
from std_msgs.msg import Header
from vision_msgs.msg import (
    BoundingBox2D,
    Detection2D,
    Detection2DArray,
    LabelInfo,
    ObjectHypothesis,
    ObjectHypothesisWithPose,
    VisionClass,
)

from fer_ros.msg import FaceEmotion, FaceEmotionArray
from fer_ros.nodes.common.image_subscription import topic_of
from fer_ros.nodes.common.qos import create_publisher
from fer_ros.people.events import Event

if TYPE_CHECKING:
    from rclpy.lifecycle import LifecycleNode

    from fer_ros.nodes.emotion.result import Result


class Publisher:
    """Publishes, for each camera, `emotions/detections` and, latched, the model's classes on `emotions/label_info`.

    Args:
        node: publishes.
        cameras: their names.
    """

    def __init__(self, node: LifecycleNode, cameras: Sequence[str]):
        self._node = node
        self._detections = {
            camera: create_publisher(node, Detection2DArray, topic_of(camera, "emotions/detections"), depth=10)
            for camera in cameras
        }
        self._label_info = {
            camera: create_publisher(node, LabelInfo, topic_of(camera, "emotions/label_info"), depth=1, latched=True)
            for camera in cameras
        }
        self._labels: dict[str, list[str]] = {}
        """Of each camera, as last published."""

    def has_subscribers(self, camera: str) -> bool:
        """Whether somebody subscribes to what is said about this camera."""
        publishers = self._detections[camera], self._label_info[camera]
        return any(publisher.get_subscription_count() for publisher in publishers)

    def publish(self, camera: str, result: Result) -> None:
        """The faces of one image as detections, and the classes, where a model has brought others."""
        emotions = result.emotions
        if emotions.labels != self._labels.get(camera):
            self._labels[camera] = emotions.labels
            self._label_info[camera].publish(_label_info(emotions, self._node.get_parameter("min_confidence").value))
        if self._detections[camera].get_subscription_count():
            detections = [_detection(face, emotions) for face in emotions.faces]
            self._detections[camera].publish(Detection2DArray(header=emotions.header, detections=detections))

    def publish_events(self, camera: str, events: Sequence[Event], header: Header) -> None:
        """Nothing: detections have no events."""

    def close(self) -> None:
        """Takes the topics off the graph."""
        for publisher in (*self._detections.values(), *self._label_info.values()):
            self._node.destroy_lifecycle_publisher(publisher)


def _label_info(emotions: FaceEmotionArray, threshold: float) -> LabelInfo:
    classes = [VisionClass(class_id=index, class_name=label) for index, label in enumerate(emotions.labels)]
    return LabelInfo(header=emotions.header, class_map=classes, threshold=threshold)


def _detection(face: FaceEmotion, emotions: FaceEmotionArray) -> Detection2D:
    box = BoundingBox2D(size_x=float(face.roi.width), size_y=float(face.roi.height))
    box.center.position.x = face.roi.x_offset + face.roi.width / 2
    box.center.position.y = face.roi.y_offset + face.roi.height / 2
    pose = PoseWithCovariance(pose=Pose(position=face.position))
    best_first = sorted(zip(face.smoothed_scores, emotions.labels, strict=True), reverse=True)
    hypotheses = [
        ObjectHypothesisWithPose(hypothesis=ObjectHypothesis(class_id=label, score=score), pose=pose)
        for score, label in best_first
    ]
    return Detection2D(header=emotions.header, results=hypotheses, bbox=box, id=face.face_id)
