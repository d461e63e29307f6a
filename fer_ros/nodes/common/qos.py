"""How publishers are made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rclpy.qos import QoSDurabilityPolicy, QoSHistoryPolicy, QoSProfile, QoSReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions

if TYPE_CHECKING:
    from rclpy.node import Node
    from rclpy.publisher import Publisher


def create_publisher(node: Node, message_type: type, topic: str, depth: int, latched: bool = False) -> Publisher:
    """A reliable publisher whose QoS can be overridden by parameter; of a managed node, silent while that is inactive.

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
    create = getattr(node, "create_lifecycle_publisher", node.create_publisher)
    return create(message_type, topic, qos, qos_overriding_options=QoSOverridingOptions.with_default_policies())
