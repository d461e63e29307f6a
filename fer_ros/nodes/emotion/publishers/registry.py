# SPDX-License-Identifier: Apache-2.0
"""Registry of the publishers for third-party message types; each has a parameter `publish.<name>`.

A publisher from another package is added without touching this one, before the parameters of the node are imported:

    from fer_ros.nodes.emotion.publishers.registry import REGISTRY
    from fer_ros.registry import Entry

    REGISTRY.register("my_msgs", Entry(lambda options, node, cameras: MyPublisher(node, cameras)))

    from fer_ros.nodes.emotion.node import main
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from fer_ros.nodes.emotion.publishers.base import Publisher
from fer_ros.registry import Entry, Registry

if TYPE_CHECKING:
    from rclpy.lifecycle import LifecycleNode

REGISTRY: Registry[Publisher] = Registry("publisher")


def create_publishers(node: LifecycleNode, cameras: Sequence[str], names: Sequence[str]) -> list[Publisher]:
    """Return the registered publishers called `names`, or none of them if one cannot be created.

    Args:
        node: publishes.
        cameras: names of all cameras of the node.
        names: of the publishers.

    Raises:
        ImportError: a package of messages is not installed; names it and how to install it.
    """
    publishers: list[Publisher] = []
    try:
        for name in names:
            publishers.append(REGISTRY.create(name, None, node, cameras))
    except ImportError as error:
        for publisher in publishers:
            publisher.close()
        raise ImportError(f"{error}, or set publish.{name} to false") from error
    return publishers


def _loader(module: str, name: str) -> Callable[..., Publisher]:
    def load(options: Any, node: LifecycleNode, cameras: Sequence[str]) -> Publisher:
        publisher_class = getattr(importlib.import_module(module), name)
        publisher: Publisher = publisher_class(node, cameras)
        return publisher

    return load


def _register(name: str, class_name: str, package: str, description: str) -> None:
    install = f"sudo apt install ros-$ROS_DISTRO-{package.replace('_', '-')}"
    loader = _loader(f"{__package__}.{name}", class_name)
    REGISTRY.register(name, Entry(loader, install=install, description=description))


_register(
    "markers",
    "MarkersPublisher",
    "visualization_msgs",
    "Publish emotions/markers (visualization_msgs/MarkerArray): a sphere and a text at each face, for RViz. Needs a "
    "calibrated camera.",
)
_register(
    "tf",
    "TfPublisher",
    "tf2_msgs",
    "Publish a frame for each face on /tf: face_<face_id>, with the namespace of the node and the name of the camera, "
    "where they have one, before the id: face_robot1_left_f1. Needs a calibrated camera and tf2_msgs.",
)
_register(
    "vision_msgs",
    "VisionMsgsPublisher",
    "vision_msgs",
    "Publish emotions/detections (vision_msgs/Detection2DArray) with every class of each face, and the classes on "
    "emotions/label_info. Needs vision_msgs.",
)
_register(
    "hri",
    "HriPublisher",
    "hri_msgs",
    "Publish /humans/faces/tracked and /humans/faces/<id>/... as defined by ROS4HRI (REP 155). Needs hri_msgs.",
)
_register(
    "foxglove",
    "FoxglovePublisher",
    "foxglove_msgs",
    "Publish emotions/annotations (foxglove_msgs/ImageAnnotations): boxes and texts that Foxglove draws on the "
    "camera's image. Needs foxglove_msgs.",
)
