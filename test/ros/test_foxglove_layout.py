# SPDX-License-Identifier: Apache-2.0
"""config/foxglove.json: every panel shows a topic, field or service that the nodes have, of a type that it can show."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path

import pytest

pytest.importorskip("fer_ros.msg", reason="needs ROS 2 and the package's own messages: make setup")

from fer_ros.emotion.labels import FER2013
from fer_ros.nodes.emotion.node import EmotionNode
from fer_ros.nodes.trainer.publishers import TrainingPublishers

LAYOUT = json.loads((Path(__file__).parents[2] / "config" / "foxglove.json").read_text())
PANELS = LAYOUT["configById"]
IMAGES = {"sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"}


def panels(node) -> list[str]:
    """Return the panels that a part of the layout arranges."""
    if isinstance(node, str):
        return [node, *(name for tab in PANELS[node].get("tabs", ()) for name in panels(tab["layout"]))]
    return panels(node["first"]) + panels(node["second"])


def interface(name: str) -> type:
    """Return the class of an interface such as "std_msgs/msg/Header"."""
    package, kind, name = name.split("/")
    return getattr(importlib.import_module(f"{package}.{kind}"), name)


def field_type(message_type: str, path: list[str]) -> str:
    """Return the type of a field such as ["faces[:]", "emotion"] of a message."""
    for part in path:
        name, slices = re.fullmatch(r"(\w+)(\[.*)?", part).groups()
        message_type = interface(message_type).get_fields_and_field_types()[name]
        array = re.fullmatch(r"sequence<(.*)>", message_type)
        assert bool(array) == bool(slices), f"{part} is a {message_type}"
        message_type = array[1] if array else message_type
        message_type = re.sub("^(\\w+)/(\\w+)$", r"\1/msg/\2", message_type)
        if slices and "{" in slices:
            field, variable = re.fullmatch(r"\[:\]\{(\w+)==\$(\w+)\}", slices).groups()
            assert field_type(message_type, [field]) == "string"
            assert variable in LAYOUT["globalVariables"]
    return message_type


@pytest.fixture(scope="module")
def graph(_ros, model, quick_start):
    """Return the types of the nodes' topics and services, without the namespace."""
    from robot import Robot

    with Robot() as robot:
        node = robot.start(EmotionNode, model=str(model))
        assert node.autostart()
        TrainingPublishers(robot.node)
        prefix = robot.namespace

        def found() -> dict[str, str]:
            pairs = [*robot.node.get_topic_names_and_types(), *robot.node.get_service_names_and_types()]
            return {name.removeprefix(prefix): types[0] for name, types in pairs}

        robot.wait_until(lambda: {"/emotions", "/training/progress", "/emotion_node/reset"} <= set(found()), "topics")
        return found()


def test_each_panel_of_the_layout_is_arranged_once():
    assert sorted(panels(LAYOUT["layout"])) == sorted(PANELS)


def test_images_are_image_topics(graph):
    topics = [panel["imageMode"]["imageTopic"] for name, panel in PANELS.items() if name.startswith("Image!")]
    assert len(topics) == 2
    assert {graph[topic] for topic in topics} <= IMAGES


@pytest.mark.parametrize(
    "path", [path["value"] for panel in PANELS.values() for path in panel.get("paths", ())], ids=lambda path: path
)
def test_path_leads_to_a_field(graph, path):
    topic, *fields = path.split(".")
    kind = field_type(graph[topic], fields)
    states = [path["value"] for name, panel in PANELS.items() if "State" in name for path in panel["paths"]]
    assert kind == ("string" if path in states else "float")


def test_each_label_of_the_shipped_models_is_plotted():
    scores = [path["label"] for path in PANELS["Plot!scores"]["paths"]]
    assert scores == list(FER2013)


def test_topics_of_the_other_panels_exist(graph):
    assert graph[PANELS["DiagnosticSummary!health"]["topicToRender"]] == "diagnostic_msgs/msg/DiagnosticArray"
    assert graph[PANELS["RawMessages!events"]["topicPath"]] == "fer_ros/msg/EmotionEvent"


@pytest.mark.parametrize("name", [name for name in PANELS if name.startswith("CallService!")])
def test_button_sends_a_request_of_the_service(graph, name):
    panel = PANELS[name]
    fields = interface(graph[panel["serviceName"]]).Request.get_fields_and_field_types()
    request = json.loads(panel["requestPayload"])
    assert set(request) == set(fields) - {"structure_needs_at_least_one_member"}
