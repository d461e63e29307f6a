# SPDX-License-Identifier: Apache-2.0
"""Quality of service of all topics of this package."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rclpy.qos import QoSDurabilityPolicy, QoSHistoryPolicy, QoSPolicyKind, QoSProfile, QoSReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions

if TYPE_CHECKING:
    from rclpy.node import Node


def best_effort(depth: int = 1) -> QoSProfile:
    """Return the profile for camera topics (REP 2003): its subscriptions match every publisher.

    Args:
        depth: number of messages that are queued; the oldest are dropped.
    """
    return QoSProfile(reliability=QoSReliabilityPolicy.BEST_EFFORT, history=QoSHistoryPolicy.KEEP_LAST, depth=depth)


def reliable(depth: int, latched: bool = False) -> QoSProfile:
    """Return the profile for results.

    Args:
        depth: number of messages that are queued for a slow subscriber.
        latched: whether the last `depth` messages are also delivered to later subscribers.
    """
    return QoSProfile(
        reliability=QoSReliabilityPolicy.RELIABLE,
        durability=QoSDurabilityPolicy.TRANSIENT_LOCAL if latched else QoSDurabilityPolicy.VOLATILE,
        history=QoSHistoryPolicy.KEEP_LAST,
        depth=depth,
    )


def overriding_options() -> QoSOverridingOptions:
    """Return the options of every topic's QoS overrides: the usual ones, and the durability of latched topics."""
    return QoSOverridingOptions(
        (QoSPolicyKind.HISTORY, QoSPolicyKind.DEPTH, QoSPolicyKind.RELIABILITY, QoSPolicyKind.DURABILITY)
    )


def create_publisher(node: Node, message_type: type, topic: str, qos: QoSProfile) -> Any:
    """Return a publisher with QoS overrides by parameter; on a lifecycle node it publishes only while that is active.

    Args:
        node: publishes.
        message_type: of the messages.
        topic: before remapping.
        qos: its reliability, durability, history and depth are the defaults of the parameters `qos_overrides`.
    """
    create = getattr(node, "create_lifecycle_publisher", node.create_publisher)
    return create(message_type, topic, qos, qos_overriding_options=overriding_options())
