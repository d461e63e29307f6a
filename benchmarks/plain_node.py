# SPDX-License-Identifier: Apache-2.0
"""Baseline for emotion_node: `python -m benchmarks.plain_node`.

Like most published nodes, it converts every image to gray with OpenCV, scans it whole, and calls the PyTorch network
once for each face.
"""

from __future__ import annotations

import contextlib

import cv2
import numpy as np
import rclpy
import torch
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import QoSHistoryPolicy, QoSProfile, QoSReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image, RegionOfInterest

from fer_ros import networks
from fer_ros.emotion import model_file
from fer_ros.msg import FaceEmotion, FaceEmotionArray


class PlainNode(Node):
    """Processes the newest image of `image` or `image/compressed` and publishes `emotions`."""

    def __init__(self):
        super().__init__("plain_node")
        compressed = self.declare_parameter("image_transport", "raw").value == "compressed"
        path = model_file.find("mini_xception")
        self._metadata = model_file.read_metadata(path)
        self._network = networks.create(self._metadata.network, len(self._metadata.labels))
        self._network.load_state_dict(torch.jit.load(str(path)).state_dict())
        self._network.eval()
        self._cascade = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")
        self._emotions = self.create_publisher(FaceEmotionArray, "emotions", 10)
        newest = QoSProfile(reliability=QoSReliabilityPolicy.BEST_EFFORT, history=QoSHistoryPolicy.KEEP_LAST, depth=1)
        if compressed:
            self.create_subscription(CompressedImage, "image/compressed", self._process, newest)
        else:
            self.create_subscription(Image, "image", self._process, newest)

    def _process(self, image: Image | CompressedImage) -> None:
        gray = cv2.cvtColor(_decode(image), cv2.COLOR_BGR2GRAY)
        boxes = self._cascade.detectMultiScale(gray, scaleFactor=1.1, minNeighbors=5, minSize=(30, 30))
        self._emotions.publish(
            FaceEmotionArray(
                header=image.header,
                image_width=gray.shape[1],
                image_height=gray.shape[0],
                labels=list(self._metadata.labels),
                faces=[self._face(gray, *map(int, box)) for box in boxes],
            )
        )

    @torch.inference_mode()
    def _face(self, gray: np.ndarray, x: int, y: int, width: int, height: int) -> FaceEmotion:
        crop = cv2.resize(gray[y : y + height, x : x + width], (48, 48), interpolation=cv2.INTER_AREA)
        batch = torch.from_numpy(self._metadata.preprocessing.batch(crop[None]))
        scores = torch.softmax(self._network(batch), dim=1)[0].numpy()
        return FaceEmotion(
            roi=RegionOfInterest(x_offset=x, y_offset=y, width=width, height=height),
            emotion=self._metadata.labels[int(scores.argmax())],
            confidence=float(scores.max()),
            scores=scores.tolist(),
        )


def _decode(image: Image | CompressedImage) -> np.ndarray:
    data = np.frombuffer(image.data, np.uint8)
    if isinstance(image, CompressedImage):
        return cv2.imdecode(data, cv2.IMREAD_COLOR)
    return data.reshape(image.height, image.width, 3)


def main() -> None:
    torch.set_num_threads(1)  # several threads are slower on a network this small
    rclpy.init()
    # A regular shutdown releases the shared memory of Fast DDS.
    with contextlib.suppress(KeyboardInterrupt, ExternalShutdownException):
        rclpy.spin(PlainNode())


if __name__ == "__main__":
    main()
