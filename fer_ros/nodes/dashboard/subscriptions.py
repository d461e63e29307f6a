# SPDX-License-Identifier: Apache-2.0
"""Subscriptions of the dashboard, which exist only while a browser shows what they are for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fer_ros.nodes.common import qos

if TYPE_CHECKING:
    from rclpy.node import Node
    from rclpy.qos import QoSProfile


@dataclass(frozen=True)
class Topic:
    """What to subscribe to, and when."""

    message_type: type
    name: str
    callback: Callable[[Any], None]
    profile: QoSProfile
    is_wanted: Callable[[], bool]


class Subscriptions:
    """Subscribes to topics while they are wanted; for the thread of the executor.

    Args:
        node: subscribes.
        topics: by any key.
    """

    def __init__(self, node: Node, topics: Mapping[Any, Topic]):
        self._node = node
        self._topics = topics
        self._existing: dict[Any, Any] = {}

    def update(self) -> None:
        """Subscribe to what has become wanted, and unsubscribe from the rest."""
        for key, topic in self._topics.items():
            if topic.is_wanted() == (key in self._existing):
                continue
            if key in self._existing:
                self._node.destroy_subscription(self._existing.pop(key))
            else:
                self._existing[key] = self._node.create_subscription(
                    topic.message_type,
                    topic.name,
                    topic.callback,
                    topic.profile,
                    qos_overriding_options=qos.overriding_options(),
                )
