# SPDX-License-Identifier: Apache-2.0
"""Names that must be unique among all nodes of a robot: tf2 frames, REP 155 ids and diagnostics."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rclpy.node import Node


def status_name(node: Node, task: str) -> str:
    """Return the name of a status on /diagnostics, as diagnostic_updater has it, with the node's namespace."""
    return f"{node.get_fully_qualified_name().lstrip('/')}: {task}"


def node_prefix(node: Node, default: str) -> str:
    """Return what distinguishes a node from others of its kind: its namespace, and its name unless that is `default`.

    Returns:
        parts joined by "_", which are valid in a frame and a topic; empty for the node `default` without a namespace.
    """
    *namespace, name = node.get_fully_qualified_name().strip("/").split("/")
    return "_".join([*namespace, *([name] if name != default else [])])
