"""A small robot around the node under test: a camera, somebody who listens, and time to wait for what should happen."""

from __future__ import annotations

import array
import itertools
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import rclpy
from builtin_interfaces.msg import Time
from rcl_interfaces.msg import Log
from rclpy.executors import MultiThreadedExecutor, SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.qos import QoSDurabilityPolicy, QoSProfile, qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from fer_ros.emotion import model_file
from fer_ros.emotion.labels import FER2013
from fer_ros.msg import FaceEmotionArray
from fer_ros.networks import create

DEADLINE = 60.0
"""Seconds for what takes milliseconds on an idle machine: tests share theirs with training and builds."""
_ASKED_AGAIN_AFTER = 1.0
"""Seconds."""
_KNOCK = "knock"
"""Begins the frame_id of images that only ask whether anybody is there; answers to them are not counted."""

_namespaces = itertools.count(1)


def untrained_model(path: Path, labels: tuple[str, ...] = FER2013, answer: str = "happy") -> Path:
    """A model file, made in a moment, that works, knows nothing, and finds every face to be `answer`."""
    import torch

    torch.set_num_threads(1)  # more of them, on a machine that is busy, wait for each other for seconds
    torch.manual_seed(0)
    network = create("mini_xception", len(labels))
    with torch.no_grad():
        network.head.bias[labels.index(answer)] += 3.0
    model_file.write(path, network, model_file.ModelMetadata("mini_xception", labels))
    return path


def image_message(bgr: np.ndarray, stamp: Time | None = None, frame_id: str = "camera") -> Image:
    """`bgr` (height, width, 3) or gray (height, width) as a message."""
    data = array.array("B")
    data.frombytes(np.ascontiguousarray(bgr))
    return Image(
        header=Header(stamp=stamp or Time(), frame_id=frame_id),
        height=bgr.shape[0],
        width=bgr.shape[1],
        encoding="mono8" if bgr.ndim == 2 else "bgr8",
        step=bgr[0].nbytes,
        data=data,
    )


def jpeg_message(bgr: np.ndarray, frame_id: str = "camera") -> CompressedImage:
    """`bgr` as a JPEG in a message."""
    return CompressedImage(
        header=Header(frame_id=frame_id), format="jpeg", data=array.array("B", cv2.imencode(".jpg", bgr)[1].tobytes())
    )


def calibration(width: int, height: int) -> CameraInfo:
    """Of a camera that sees 90 degrees, without distortion."""
    focal = width / 2
    k = [focal, 0.0, width / 2, 0.0, focal, height / 2, 0.0, 0.0, 1.0]
    return CameraInfo(width=width, height=height, distortion_model="plumb_bob", d=[0.0] * 5, k=k)


def parameters_of(values: Mapping[str, Any]) -> list[Parameter]:
    """Return ROS parameters; a name may have a double underscore instead of a dot: detector__name."""
    return [Parameter(name.replace("__", "."), value=value) for name, value in values.items()]


class Robot:
    """Everything around the node under test, in a namespace of its own.

    It is a part of the same DDS participant: two of them, in one process, often take three seconds to find each other's
    new topics and services, and every test makes some. Programs are tested across processes.
    """

    def __init__(self):
        self.namespace = f"/robot{next(_namespaces)}"
        self.node = rclpy.create_node("robot", namespace=self.namespace)
        self.answers: list[FaceEmotionArray] = []
        self._logs: list[Log] = []
        self._knocks_answered: set[str] = set()
        self.node.create_subscription(FaceEmotionArray, "emotions", self.hear, 1000)
        # What is logged, also by a node that was there first.
        keeps = QoSProfile(depth=1000, durability=QoSDurabilityPolicy.TRANSIENT_LOCAL)
        self.node.create_subscription(Log, "/rosout", self._logs.append, keeps)
        self._numbers = itertools.count(1)
        self._spinning = [self._spin(self.node, SingleThreadedExecutor())]

    def __enter__(self) -> Robot:
        return self

    def __exit__(self, *_) -> None:
        for node, executor, thread in reversed(self._spinning):
            executor.shutdown()
            thread.join()
            node.destroy_node()

    def start(self, make: Callable[..., Any], *remappings: str, **parameters) -> Any:
        """Makes a node in the robot's namespace, with remappings such as "image:=camera", and spins it."""
        rules = [word for remapping in remappings for word in ("-r", remapping)]
        node = make(
            namespace=self.namespace,
            cli_args=["--ros-args", *rules],
            parameter_overrides=parameters_of(parameters),
        )
        self._spinning.append(self._spin(node, MultiThreadedExecutor(num_threads=3)))
        return node

    def close(self, node: Any) -> None:
        """Closes a node as its program does: when no callback is under way any more."""
        for other, executor, thread in self._spinning:
            if other is node:
                executor.shutdown()
                thread.join()
        node.close()

    def camera(self, topic: str = "image", message_type=Image, qos: QoSProfile = qos_profile_sensor_data):
        """A publisher of images, once somebody listens to it."""
        publisher = self.node.create_publisher(message_type, topic, qos)
        self.wait_until(lambda: publisher.get_subscription_count() > 0, f"a subscription to {topic}")
        return publisher

    def heard_camera(self, topic: str = "image", message_type=Image, qos: QoSProfile = qos_profile_sensor_data):
        """A publisher of images that the emotion node receives for certain.

        That somebody listens does not mean yet that he hears: a best-effort image is lost while the subscription has
        not got to know of its publisher.
        """
        camera = self.camera(topic, message_type, qos)
        make = image_message if message_type is Image else jpeg_message
        end, patience = time.monotonic() + DEADLINE, 0.1
        while True:
            assert time.monotonic() < end, f"nobody answers to {topic}"
            knock = make(np.zeros((8, 8, 3), np.uint8), frame_id=f"{_KNOCK} {next(self._numbers)}")
            camera.publish(knock)
            late = time.monotonic() + patience
            while time.monotonic() < late:
                # The last one: no other is still on its way to mix with what comes next.
                if knock.header.frame_id in self._knocks_answered:
                    return camera
                time.sleep(0.005)
            patience *= 2

    def hear(self, answer: FaceEmotionArray) -> None:
        """Takes what is published on `emotions`."""
        if answer.header.frame_id.startswith(_KNOCK):
            self._knocks_answered.add(answer.header.frame_id)
        else:
            self.answers.append(answer)

    def stamp(self) -> Time:
        """Another time at each call, 0.1 s after the last."""
        tenths = next(self._numbers)
        return Time(sec=1000 + tenths // 10, nanosec=tenths % 10 * 100_000_000)

    def ask(self, camera, picture: np.ndarray | Image, frame_id: str = "camera") -> FaceEmotionArray:
        """The answer to one image."""
        image = picture if isinstance(picture, Image) else image_message(picture, self.stamp(), frame_id)
        camera.publish(image)
        return self.wait_until(
            lambda: next((answer for answer in self.answers if answer.header == image.header), None),
            f"an answer to the image of {image.header.stamp}",
        )

    def logged(self, text: str) -> list[str]:
        """What nodes of this robot have logged with `text` in it."""
        name = self.namespace.strip("/")
        return [log.msg for log in list(self._logs) if log.name.startswith(f"{name}.") and text in log.msg]

    def call(self, service_type, name: str, **request) -> Any:
        """The response of a service."""
        client = self.node.create_client(service_type, name)
        self.wait_until(client.service_is_ready, f"the service {name}")
        future = client.call_async(service_type.Request(**request))
        self.wait_until(future.done, f"an answer of {name}")
        self.node.destroy_client(client)
        return future.result()

    def knock(self, service_type, name: str, **request) -> None:
        """Returns when the node behind a service knows this robot: an answer to somebody it has yet to find is lost."""
        client = self.node.create_client(service_type, name)
        asked = []

        def is_answered() -> bool:
            if time.monotonic() > _ASKED_AGAIN_AFTER * len(asked) + begun:
                asked.append(client.call_async(service_type.Request(**request)))
            return any(future.done() for future in asked)

        self.wait_until(client.service_is_ready, f"the service {name}")
        begun = time.monotonic()
        self.wait_until(is_answered, f"an answer of {name}")
        self.node.destroy_client(client)

    def wait_until(self, condition: Callable[[], Any], what: str, deadline: float = DEADLINE) -> Any:
        """Waits for `condition` to be true, and returns what it gave."""
        end = time.monotonic() + deadline
        while not (result := condition()):
            if time.monotonic() > end:
                said = "\n".join(log.msg for log in self._logs)
                raise AssertionError(f"waited {deadline:g} s for {what}; logged was:\n{said}")
            time.sleep(0.01)
        return result

    def _spin(self, node, executor):
        executor.add_node(node)
        thread = threading.Thread(target=executor.spin, daemon=True)
        thread.start()
        return node, executor, thread
