# SPDX-License-Identifier: Apache-2.0
"""What a node without images suggests, from the topics that exist."""

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2: make setup")

from fer_ros.nodes.common.image_monitor import suggest_topic

RAW, JPEG = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"


@pytest.mark.parametrize(
    ("topic", "topics", "suggestion"),
    [
        (
            "/eye",
            {"/eye/compressed": JPEG},
            "/eye/compressed has compressed images: set the parameter image_transport to",
        ),
        ("/eye/compressed", {"/eye": RAW}, "/eye has raw images: set the parameter image_transport to raw"),
        ("/eye/compressed", {"/eye/compressed": JPEG}, "image_transport to compressed, and `-r image:=/eye`"),
        ("/eye/compressed/compressed", {"/eye/compressed": JPEG}, "`-r image:=/eye`"),
        ("/eye", {"/eye": JPEG}, "/eye has compressed images: publish them on /eye/compressed, and set the parameter"),
        ("/image", {"/b/image_raw": RAW, "/a/emotions/image": RAW}, "images are published on /b/image_raw"),
        ("/image", {f"/{name}": RAW for name in "abcdefg"}, "images are published on /a, /b, /c, /d, /e, ..."),
        ("/image", {"/emotions/image": RAW}, "list the existing topics with `ros2 topic list -t`"),
    ],
)
def test_suggestion_names_topic_and_parameter(topic, topics, suggestion):
    assert suggestion in suggest_topic("image", topic, topics)
