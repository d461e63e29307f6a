# SPDX-License-Identifier: Apache-2.0
"""Test harness around the node under test: a camera, a subscriber, and waiting with a deadline."""

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
from rclpy.executors import Executor, MultiThreadedExecutor, SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.qos import QoSDurabilityPolicy, QoSProfile, qos_profile_sensor_data
from rclpy.task import Future
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from fer_ros.emotion import model_file
from fer_ros.emotion.labels import FER2013
from fer_ros.msg import FaceEmotionArray
from fer_ros.networks import create
from fer_ros.nodes.common import run

DEADLINE = 60.0
"""Seconds for what takes milliseconds on an idle machine; the machine may be busy with training and builds."""
_RETRY_PERIOD = 1.0
"""Seconds between two requests to a service that may not be discovered yet."""
_PROBE = "probe"
"""Prefix of the frame_id of images that only test the connection; their results are not recorded."""

_namespaces = itertools.count(1)


def untrained_model(path: Path, labels: tuple[str, ...] = FER2013, emotion: str = "happy") -> Path:
    """Write a valid model file with random weights that assigns `emotion` to every face."""
    import torch

    torch.set_num_threads(1)  # several threads wait for each other for seconds on a busy machine
    torch.manual_seed(0)
    network = create("mini_xception", len(labels))
    with torch.no_grad():
        network.head.bias[labels.index(emotion)] += 3.0
    model_file.write(path, network, model_file.ModelMetadata("mini_xception", labels))
    return path


def image_message(bgr: np.ndarray, stamp: Time | None = None, frame_id: str = "camera") -> Image:
    """Return `bgr` (height, width, 3) or gray (height, width) as a message."""
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
    """Return `bgr` as a JPEG message."""
    return CompressedImage(
        header=Header(frame_id=frame_id), format="jpeg", data=array.array("B", cv2.imencode(".jpg", bgr)[1].tobytes())
    )


def camera_info(width: int, height: int) -> CameraInfo:
    """Return the calibration of a camera with a field of view of 90 degrees and without distortion."""
    focal = width / 2
    k = [focal, 0.0, width / 2, 0.0, focal, height / 2, 0.0, 0.0, 1.0]
    return CameraInfo(width=width, height=height, distortion_model="plumb_bob", d=[0.0] * 5, k=k)


def parameters_of(values: Mapping[str, Any]) -> list[Parameter]:
    """Return ROS parameters; a name may have a double underscore instead of a dot: detector__name."""
    return [Parameter(name.replace("__", "."), value=value) for name, value in values.items()]


class Spinning:
    """A node that an executor spins in a thread.

    Args:
        node: to be spun.
        executor: of this node alone.
    """

    def __init__(self, node: Any, executor: Executor):
        self.node = node
        self._executor = executor
        self._stopped = Future()
        executor.add_node(node)
        self._thread = threading.Thread(target=executor.spin_until_future_complete, args=(self._stopped,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop spinning, and wait for running callbacks; then the node can be destroyed."""
        if not self._stopped.done():
            self._stopped.set_result(None)
        self._thread.join()
        run.shut_down(self._executor)


class Robot:
    """Everything around the node under test, in a unique namespace.

    It shares the DDS participant of the node under test: two participants in one process often take three seconds to
    discover each other's new topics and services, and every test creates some. Programs are tested across processes.
    """

    def __init__(self):
        self.namespace = f"/robot{next(_namespaces)}"
        self.node = rclpy.create_node("robot", namespace=self.namespace)
        self.results: list[FaceEmotionArray] = []
        """Messages on `emotions`."""
        self._logs: list[Log] = []
        self._probes: set[str] = set()
        self.node.create_subscription(FaceEmotionArray, "emotions", self.add_result, 1000)
        # Also receives what was logged before.
        latched = QoSProfile(depth=1000, durability=QoSDurabilityPolicy.TRANSIENT_LOCAL)
        self.node.create_subscription(Log, "/rosout", self._logs.append, latched)
        self._numbers = itertools.count(1)
        self._spinning = [Spinning(self.node, SingleThreadedExecutor())]

    def __enter__(self) -> Robot:
        return self

    def __exit__(self, *_) -> None:
        for spinning in reversed(self._spinning):
            spinning.stop()
            spinning.node.destroy_node()

    def start(self, create: Callable[..., Any], *remappings: str, **parameters) -> Any:
        """Create a node in the robot's namespace, with remappings such as "image:=camera", and spin it."""
        rules = [argument for remapping in remappings for argument in ("-r", remapping)]
        node = create(
            namespace=self.namespace,
            cli_args=["--ros-args", *rules],
            parameter_overrides=parameters_of(parameters),
        )
        self.spin(node)
        return node

    def spin(self, node: Any) -> None:
        """Spin a node until the end of the test, then destroy it."""
        self._spinning.append(Spinning(node, MultiThreadedExecutor(num_threads=3)))

    def close(self, node: Any) -> None:
        """Close a node as its program does: when no callback is running any more."""
        for spinning in self._spinning:
            if spinning.node is node:
                spinning.stop()
        node.close()

    def camera(self, topic: str = "image", message_type=Image, qos: QoSProfile = qos_profile_sensor_data):
        """Return a publisher of images that has a subscription."""
        publisher = self.node.create_publisher(message_type, topic, qos)
        self.wait_until(lambda: publisher.get_subscription_count() > 0, f"a subscription to {topic}")
        return publisher

    def matched_camera(self, topic: str = "image", message_type=Image, qos: QoSProfile = qos_profile_sensor_data):
        """Return a publisher whose images the emotion node receives.

        A publisher that has a subscription may still lose best-effort images, until the subscription has discovered the
        publisher.
        """
        camera = self.camera(topic, message_type, qos)
        create = image_message if message_type is Image else jpeg_message
        end, timeout = time.monotonic() + DEADLINE, 0.1
        while True:
            assert time.monotonic() < end, f"no result for images on {topic}"
            probe = create(np.zeros((8, 8, 3), np.uint8), frame_id=f"{_PROBE} {next(self._numbers)}")
            camera.publish(probe)
            late = time.monotonic() + timeout
            while time.monotonic() < late:
                # Only the last probe counts, so that no earlier one arrives among the next images.
                if probe.header.frame_id in self._probes:
                    return camera
                time.sleep(0.005)
            timeout *= 2

    def add_result(self, result: FaceEmotionArray) -> None:
        """Record a message of `emotions`."""
        if result.header.frame_id.startswith(_PROBE):
            self._probes.add(result.header.frame_id)
        else:
            self.results.append(result)

    def stamp(self) -> Time:
        """Return a new stamp, 0.1 s after the previous one."""
        tenths = next(self._numbers)
        return Time(sec=1000 + tenths // 10, nanosec=tenths % 10 * 100_000_000)

    def process(
        self, camera, image: np.ndarray | Image | CompressedImage, frame_id: str = "camera"
    ) -> FaceEmotionArray:
        """Publish one image, and return its result."""
        message = image_message(image, self.stamp(), frame_id) if isinstance(image, np.ndarray) else image
        camera.publish(message)
        return self.wait_until(
            lambda: next((result for result in self.results if result.header == message.header), None),
            f"the result of the image of {message.header.stamp}",
        )

    def logged(self, text: str) -> list[str]:
        """Return the messages with `text` that nodes of this robot have logged."""
        name = self.namespace.strip("/")
        return [log.msg for log in list(self._logs) if log.name.startswith(f"{name}.") and text in log.msg]

    def call(self, service_type, name: str, **request) -> Any:
        """Call a service and return its response."""
        client = self.node.create_client(service_type, name)
        self.wait_until(client.service_is_ready, f"the service {name}")
        future = client.call_async(service_type.Request(**request))
        self.wait_until(future.done, f"a response of {name}")
        self.node.destroy_client(client)
        return future.result()

    def discover_service(self, service_type, name: str, **request) -> None:
        """Wait until a service has discovered this robot's client; before, its responses are lost."""
        client = self.node.create_client(service_type, name)
        requests = []

        def is_done() -> bool:
            if time.monotonic() > _RETRY_PERIOD * len(requests) + start:
                requests.append(client.call_async(service_type.Request(**request)))
            return any(future.done() for future in requests)

        self.wait_until(client.service_is_ready, f"the service {name}")
        start = time.monotonic()
        self.wait_until(is_done, f"a response of {name}")
        self.node.destroy_client(client)

    def wait_until(self, condition: Callable[[], Any], what: str, deadline: float = DEADLINE) -> Any:
        """Wait until `condition` returns a true value, and return that."""
        end = time.monotonic() + deadline
        while not (result := condition()):
            if time.monotonic() > end:
                logs = "\n".join(log.msg for log in self._logs)
                raise AssertionError(f"waited {deadline:g} s for {what}; log:\n{logs}")
            time.sleep(0.01)
        return result
