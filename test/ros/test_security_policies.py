# SPDX-License-Identifier: Apache-2.0
"""The SROS 2 policies allow each node what it has, and nothing else."""

from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest

pytest.importorskip("fer_ros.msg", reason="needs ROS 2 and the package's own messages: make setup")

from fer_ros.nodes.dashboard import node as dashboard
from fer_ros.nodes.dashboard.node import DashboardNode
from fer_ros.nodes.emotion.node import EmotionNode
from fer_ros.nodes.recorder.node import EmotionRecorderNode
from fer_ros.nodes.trainer.node import TrainerNode
from fer_ros.nodes.video_publisher.node import VideoPublisherNode

POLICIES = Path(__file__).parents[2] / "config" / "sros2" / "policies.xml"
CREATE = {
    "dashboard_node": DashboardNode,
    "emotion_node": EmotionNode,
    "emotion_recorder_node": EmotionRecorderNode,
    "trainer_node": TrainerNode,
    "video_publisher_node": VideoPublisherNode,
}
RIGHTS = {
    ("topics", "publish"): "publisher",
    ("topics", "subscribe"): "subscriber",
    ("services", "reply"): "service",
    ("services", "request"): "client",
}
ON_DEMAND = ("/clock", "image/compressed", "/parameter_events", "/get_type_description")
"""Ends of the names that exist with use_sim_time, with image_transport:=compressed, in nodes that follow the parameters
of others, and from Jazzy on."""


def allowed(node: str) -> dict[str, set[str]]:
    """Return the names that the policy of a node allows, by kind: publisher, subscriber, service, client, action."""
    profile = ElementTree.parse(POLICIES).find(f".//profile[@node='{node}']")
    names = {kind: set() for kind in (*RIGHTS.values(), "action")}
    for rules in profile:
        for right in rules.attrib:
            kind = RIGHTS.get((rules.tag, right), "action")
            names[kind] |= {rule.text.replace("~", node) for rule in rules}
    return names


@pytest.mark.parametrize("name", CREATE)
def test_policy_allows_what_the_node_has(name, robot, model, quick_start, tmp_path, monkeypatch):
    monkeypatch.setattr(dashboard, "_create_server", lambda node: SimpleNamespace(url="", is_local=True))
    parameters = {
        "dashboard_node": {},
        "emotion_node": {"model": str(model), "lazy": False},
        "video_publisher_node": {"source": "scene"},
    }
    output = {} if name in parameters else {"output": str(tmp_path)}
    node = robot.start(CREATE[name], **parameters.get(name, output))
    assert name != "emotion_node" or node.autostart()
    if name == "dashboard_node":
        node.set_viewer("browser", True)

    def present(kind):
        found = getattr(node, f"get_{kind}_names_and_types_by_node")(name, robot.namespace)
        names = {topic.removeprefix(f"{robot.namespace}/") for topic, _ in found}
        return {topic for topic in names if "/_action/" not in topic}, names

    expected = allowed(name)
    for kind in RIGHTS.values():
        always = {topic for topic in expected[kind] if not topic.endswith(ON_DEMAND)}
        robot.wait_until(lambda kind=kind, names=always: names <= present(kind)[0], f"every {kind} of {name}")
        assert present(kind)[0] <= expected[kind]
    actions = {topic.partition("/_action/")[0] for topic in present("service")[1] if "/_action/" in topic}
    assert actions == expected["action"]
