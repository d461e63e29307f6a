# SPDX-License-Identifier: Apache-2.0
"""Hostile messages over DDS: the next good image is answered; `make fuzz-dds` sends thousands."""

import random

import pytest

pytest.importorskip("fer_ros.msg", reason="needs ROS 2 and the package's own messages: make setup")

from fuzz.dds import Attack

from fer_ros.nodes.emotion.node import EmotionNode


@pytest.mark.parametrize("transport", ["raw", "compressed"])
def test_good_image_is_answered_after_a_hostile_one(robot, light_model, transport):
    node = robot.start(EmotionNode, model=str(light_model), image_transport=transport)
    assert node.autostart()
    attack, draw = Attack(robot, transport), random.Random(1)
    for number in range(90):
        attack.send(number, draw)
    assert node.processor.cameras[""].statistics.unreadable > 30
    assert not robot.logged("unhandled error")
    assert all(line.replace("\n", "").isprintable() for line in robot.logged(""))
