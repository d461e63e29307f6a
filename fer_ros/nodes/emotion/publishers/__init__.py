"""Publishers for third-party message types, one module per package, imported only when enabled.

A publisher serves all cameras of the node, runs in the thread that processes images, and only while the node is active.
It builds no message without a subscriber.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from std_msgs.msg import Header

from fer_ros.people.events import Event

if TYPE_CHECKING:
    from rclpy.lifecycle import LifecycleNode

    from fer_ros.nodes.emotion.parameters import Settings
    from fer_ros.nodes.emotion.result import Result

_PACKAGES = {
    "markers": "visualization_msgs",
    "tf": "tf2_msgs",
    "vision_msgs": "vision_msgs",
    "hri": "hri_msgs",
    "foxglove": "foxglove_msgs",
}
"""The package whose messages each of the modules here needs. None of them is needed by a node without publishers."""


class Publisher(Protocol):
    """What each module's class `Publisher` does; it is made of the node and the names of its cameras."""

    def has_subscribers(self, camera: str) -> bool:
        """Whether somebody subscribes to what is said about this camera."""

    def publish(self, camera: str, result: Result) -> None:
        """What is to be said of one image, after its events."""

    def publish_events(self, camera: str, events: Sequence[Event], header: Header) -> None:
        """What happened to people; `header` is that of the last image."""

    def close(self) -> None:
        """Takes the topics off the graph."""


def create_publishers(node: LifecycleNode, settings: Settings) -> list[Publisher]:
    """Those that `settings` switch on.

    Raises:
        ImportError: a package of messages is not installed; names it.
    """
    # All are imported before the first makes a topic.
    modules = [_module(language) for language in _PACKAGES if getattr(settings, f"publish_{language}")]
    return [module.Publisher(node, settings.cameras) for module in modules]


def unique_id(camera: str, face_id: str) -> str:
    """A name for a face that no other camera of the node gives; a valid part of the name of a topic or a frame."""
    return f"{camera}_{face_id}" if camera else face_id


def _module(language: str):
    try:
        return importlib.import_module(f"{__name__}.{language}")
    except ImportError as error:
        package = _PACKAGES[language]
        debian = f"ros-{os.environ.get('ROS_DISTRO', '$ROS_DISTRO')}-{package.replace('_', '-')}"
        raise ImportError(
            f"publish_{language} needs the package {package} ({error}): install it (apt install {debian}), "
            "or set the parameter to false"
        ) from error
