# SPDX-License-Identifier: Apache-2.0
"""Parameter tables: documentation, configuration files and the declared parameters agree."""

from pathlib import Path

import pytest

pytest.importorskip("fer_ros.msg", reason="needs ROS 2 and the package's own messages: make setup")

from fer_ros.nodes import parameter_docs
from fer_ros.nodes.common.parameters import rows
from fer_ros.nodes.emotion.node import EmotionNode
from fer_ros.nodes.emotion.parameters import Settings

ROOT = Path(__file__).parents[2]
WRITTEN = {
    "markdown": "docs/parameters.md",
    "yaml emotion_node": "config/emotion_node.yaml",
    "yaml trainer_node": "config/trainer_node.yaml",
}


@pytest.mark.parametrize(("arguments", "path"), WRITTEN.items())
def test_generated_parameter_files_are_up_to_date(arguments, path):
    kind, *node = arguments.split()
    written = {"markdown": parameter_docs.as_markdown, "yaml": parameter_docs.as_yaml}[kind](*node)
    assert (ROOT / path).read_text() == written, f"run: python -m fer_ros.nodes.parameter_docs {arguments} > {path}"


def test_declared_parameters_match_their_table(robot):
    node = robot.start(EmotionNode)
    for row in rows(Settings):
        descriptor = node.describe_parameter(row.name)
        assert descriptor.description
        assert descriptor.read_only == (not row.dynamic)
        if row.range:
            (limits,) = [*descriptor.integer_range, *descriptor.floating_point_range]
            assert (limits.from_value, limits.to_value) == row.range
        if row.choices:
            assert all(choice in descriptor.additional_constraints for choice in row.choices)
