"""How this node's publishers are made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rclpy.qos import QoSDurabilityPolicy, QoSHistoryPolicy, QoSProfile, QoSReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions

if TYPE_CHECKING:
    from rclpy.lifecycle import LifecycleNode, LifecyclePublisher


def create_publisher(
    node: LifecycleNode, message_type: type, topic: str, depth: int, latched: bool = False
) -> LifecyclePublisher:
    """A reliable publisher that is silent while `node` is inactive, and whose QoS can be overridden by parameter.

    Args:
        node: publishes.
        message_type: of the messages.
        topic: before remapping.
        depth: how many messages wait for a slow subscriber.
        latched: the last `depth` messages are also for those who subscribe later.
    """
    qos = QoSProfile(
        reliability=QoSReliabilityPolicy.RELIABLE,
        durability=QoSDurabilityPolicy.TRANSIENT_LOCAL if latched else QoSDurabilityPolicy.VOLATILE,
        history=QoSHistoryPolicy.KEEP_LAST,
        depth=depth,
    )
    return node.create_lifecycle_publisher(
        message_type, topic, qos, qos_overriding_options=QoSOverridingOptions.with_default_policies()
    )
