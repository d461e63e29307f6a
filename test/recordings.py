# SPDX-License-Identifier: Apache-2.0
"""Recordings for tests, written and read with the package `rosbags`."""

import cv2
import numpy as np
import pytest

TOPIC = "/camera/image_raw"
START = 1_700_000_000_123_456_789


def write_bag(path, images, storage="sqlite3", topics=(TOPIC,), compressed=False):
    """Write BGR images, by their stamps in nanoseconds, in the order given; return the path."""
    rosbag2 = pytest.importorskip("rosbags.rosbag2")
    typesys = pytest.importorskip("rosbags.typesys")
    types = typesys.get_typestore(typesys.Stores.ROS2_HUMBLE)
    kind = "sensor_msgs/msg/CompressedImage" if compressed else "sensor_msgs/msg/Image"
    with rosbag2.Writer(path, version=9, storage_plugin=rosbag2.StoragePlugin[storage.upper()]) as writer:
        connections = [writer.add_connection(topic, kind, typestore=types) for topic in topics]
        writer.add_connection("/chatter", "std_msgs/msg/String", typestore=types)
        for received, (stamp, image) in enumerate(images, START):
            sec, nanosec = divmod(stamp, 10**9)
            header = types.types["std_msgs/msg/Header"](
                types.types["builtin_interfaces/msg/Time"](sec=sec, nanosec=nanosec), "camera"
            )
            if compressed:
                data = cv2.imencode(".jpg", image)[1]
                message = types.types[kind](header=header, format="jpeg", data=data)
            else:
                height, width, _ = image.shape
                message = types.types[kind](header, height, width, "bgr8", 0, 3 * width, image.ravel())
            for connection in connections:
                writer.write(connection, received, types.serialize_cdr(message, kind))
    return path


def read_bag(path):
    """Return topic, type, time of reception and content of each message."""
    with pytest.importorskip("rosbags.rosbag2").Reader(path) as reader:
        return [(c.topic, c.msgtype, at, bytes(content)) for c, at, content in reader.messages()]


def rolled(photo, frames=6):
    return [(START + step * 10**8 + step, np.roll(photo, 2 * step, axis=1)) for step in range(frames)]
