"""Write docs/parameters.md and config/<node>.yaml from the parameter tables of the nodes.

python -m fer_ros.nodes.parameter_docs markdown              docs/parameters.md
python -m fer_ros.nodes.parameter_docs yaml emotion_node     config/emotion_node.yaml
"""

from __future__ import annotations

import sys
import textwrap
from dataclasses import fields

from fer_ros.nodes.common.parameters import ROS_TYPES, allowed
from fer_ros.nodes.emotion.parameters import Settings
from fer_ros.nodes.recorder.node import RecorderSettings
from fer_ros.nodes.trainer.node import TrainerSettings
from fer_ros.nodes.video_publisher.node import PublisherSettings


def as_markdown() -> str:
    """docs/parameters.md."""
    return "\n".join(
        [
            "# Parameters",
            "",
            "Written by `python -m fer_ros.nodes.parameter_docs markdown` from the tables in the code, such as",
            "[`parameters.py`](../fer_ros/nodes/emotion/parameters.py); a test fails where they differ. *Dynamic*",
            "parameters can be set while the node runs: they are checked together, and take effect between two images.",
            "The others are read-only and set at the start.",
            "",
            *(line for node, table in _tables().items() for line in _as_section(node, table)),
            _QOS,
        ]
    )


def _tables() -> dict[str, type]:
    return {
        "emotion_node": Settings,
        "trainer_node": TrainerSettings,
        "video_publisher_node": PublisherSettings,
        "emotion_recorder_node": RecorderSettings,
    }


def _as_section(node: str, table: type) -> list[str]:
    return [
        f"## `{node}`",
        "",
        "| name | type | default | allowed | dynamic | meaning |",
        "|---|---|---|---|---|---|",
        *(
            f"| `{row.name}` | {ROS_TYPES[type(row.default)]} | `{_literal(row.default)}` | {allowed(row) or 'any'} "
            f"| {'yes' if row.metadata['dynamic'] else 'no'} | {row.metadata['description']} |"
            for row in fields(table)
        ),
        "",
    ]


_QOS = """\
## Quality of service

Beside these, reliability, history and depth of each topic can be set at the start, as in every node that follows the
ROS 2 convention, under `qos_overrides.<resolved topic>.<publisher or subscription>.<policy>`, for instance

    ros2 run fer_ros emotion_node --ros-args -p qos_overrides./image.subscription.reliability:=reliable
"""


def as_yaml(node: str) -> str:
    """config/<node>.yaml."""
    lines = [
        f"# Parameters of {node} with their defaults.",
        f"# Written by `python -m fer_ros.nodes.parameter_docs yaml {node}`; a test fails where the two differ.",
        "/**:",
        "  ros__parameters:",
    ]
    for row in fields(_tables()[node]):
        limits = f" ({allowed(row)})" if allowed(row) else ""
        comment = textwrap.wrap(row.metadata["description"] + limits, 100)
        lines += [f"    # {line}" for line in comment]
        lines.append(f"    {row.name}: {_literal(row.default)}")
    return "\n".join(lines) + "\n"


def _literal(value) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(repr, value))}]"
    return str(value).lower() if isinstance(value, bool) else str(value) or "''"


if __name__ == "__main__":
    sys.stdout.write({"markdown": as_markdown, "yaml": as_yaml}[sys.argv[1]](*sys.argv[2:]))
