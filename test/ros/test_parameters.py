# SPDX-License-Identifier: Apache-2.0
"""Parameter tables: documentation, configuration files and the declared parameters agree."""

from dataclasses import dataclass
from pathlib import Path

import pytest

pytest.importorskip("fer_ros.msg", reason="needs ROS 2 and the package's own messages: make setup")

from fer_ros.faces.detectors.registry import DETECTORS
from fer_ros.nodes import parameter_docs
from fer_ros.nodes.common.parameters import ParameterError, rows
from fer_ros.nodes.emotion import parameter_groups, parameters
from fer_ros.nodes.emotion.node import EmotionNode
from fer_ros.nodes.emotion.parameter_groups import EventParameters
from fer_ros.nodes.emotion.parameters import Settings
from fer_ros.nodes.emotion.publishers.registry import REGISTRY as PUBLISHERS
from fer_ros.registry import Entry, option

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("path", "content"), parameter_docs.generated_files().items())
def test_generated_parameter_files_are_up_to_date(path, content):
    assert (ROOT / path).read_text() == content, "run: python -m fer_ros.nodes.parameter_docs"


@dataclass(frozen=True)
class ToyOptions:
    sensitivity: float = option(0.5, "0..1; higher finds more faces")


def test_registered_detector_gets_parameters():
    DETECTORS.register("toy", Entry(lambda options: None, ToyOptions))
    try:
        table = parameter_groups.detector_parameters()
    finally:
        DETECTORS.unregister("toy")
    (row,) = (row for row in rows(table) if row.name == "sensitivity")
    assert (row.ros_type, row.default, row.description) == ("double", 0.5, "0..1; higher finds more faces")


def test_registered_publisher_gets_parameter():
    PUBLISHERS.register("toy", Entry(lambda options, node, cameras: None, description="Publish toys."))
    try:
        table = parameters._publish_parameters()
    finally:
        PUBLISHERS.unregister("toy")
    assert {row.name: row.description for row in rows(table)}["toy"] == "Publish toys."


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"max_rate": 0.05}, r"max_rate is 0.05 images/s, expected 0 \(no limit\) or at least 0.1"),
        (
            {"events": EventParameters(lost_after=3.0)},
            r"events.lost_after \(3.0 s\) is above tracking.keep_for \(1.0 s\)",
        ),
    ],
)
def test_times_that_cannot_work_together_are_rejected(values, reason):
    with pytest.raises(ParameterError, match=reason):
        Settings(**values)


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
