# SPDX-License-Identifier: Apache-2.0
"""Queries of the ROS graph, for log lines that say why a topic is silent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rclpy.qos import QoSCompatibility, QoSProfile, qos_check_compatible

if TYPE_CHECKING:
    from rclpy.node import Node

_MAX_LISTED = 5
"""Topics in one log line."""


def published_topics(node: Node, type_names: Iterable[str]) -> dict[str, str]:
    """Return the topics of these types that another node publishes, and the type of each."""
    wanted = set(type_names)
    found = {}
    for topic, types in node.get_topic_names_and_types():
        matching = [
            publisher.topic_type
            for publisher in node.get_publishers_info_by_topic(topic)
            if wanted.intersection(types) and _name(publisher) != node.get_fully_qualified_name()
        ]
        if wanted.intersection(matching):
            found[topic] = matching[0]
    return found


def publisher_names(publishers: Sequence[Any]) -> str:
    """Return the names of the nodes of `TopicEndpointInfo`, separated by commas."""
    return ", ".join(sorted({_name(publisher) for publisher in publishers}))


def qos_mismatch(publishers: Sequence[Any], requested: QoSProfile) -> str:
    """Return that no publisher matches the requested QoS, and why; empty if one does, or if there is none."""
    reasons = [_mismatch(publisher.qos_profile, requested) for publisher in publishers]
    if not reasons or not all(reasons):
        return ""
    names = publisher_names(publishers)
    return f"the QoS offered by {names} does not satisfy the QoS requested by this node ({reasons[0]})"


def listed(topics: Iterable[str]) -> str:
    """Return some topics as text; empty if there are none."""
    names = sorted(topics)
    return ", ".join(names[:_MAX_LISTED]) + (", ..." if len(names) > _MAX_LISTED else "")


def _name(endpoint: Any) -> str:
    return f"{endpoint.node_namespace.rstrip('/')}/{endpoint.node_name}"


def _mismatch(offered: QoSProfile, requested: QoSProfile) -> str:
    """Return why the two are incompatible; empty if they are compatible."""
    compatibility, reason = qos_check_compatible(offered, requested)
    return (reason or "incompatible QoS").rstrip("; ") if compatibility == QoSCompatibility.ERROR else ""
