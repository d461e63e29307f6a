# SPDX-License-Identifier: Apache-2.0
"""Starts the emotion node on one or several cameras, and optionally RViz.

    ros2 launch fer_ros emotion.launch.py image:=/camera/color/image_raw rviz:=true

The arguments become parameters, remappings and environment variables of the node.
"""

import os
from pathlib import Path
from tempfile import NamedTemporaryFile

from launch import LaunchDescription
from launch.actions import (
    LogInfo,
    OpaqueFunction,
    RegisterEventHandler,
    SetEnvironmentVariable,
    SetLaunchConfiguration,
)
from launch.event_handlers import OnShutdown
from launch_ros.actions import Node

from fer_ros import dds_profile
from fer_ros.nodes.common import launch as common
from fer_ros.nodes.common import rviz

ARGUMENTS = {
    **common.node_arguments("emotion_node"),
    "cameras": ("", "names of several cameras, separated by commas; default: as in params_file"),
    "camera_topics": (
        "",
        "topics of the images of several cameras, separated by commas, in the order of cameras, for topics of "
        "unrelated names; default: as in params_file",
    ),
    "image": (
        "image",
        "topic of the images, relative to the namespace unless it begins with /; with several cameras, relative to the "
        "name of each",
    ),
    "camera_info": ("", "topic of the calibration; default: camera_info in the namespace of the images"),
    "model": ("", "name or absolute path of a model file; default: as in params_file"),
    "image_transport": ("", "raw or compressed; default: as in params_file"),
    "autostart": (
        "",
        "true: configure and activate at start-up; false: wait for a lifecycle manager; default: as in params_file",
    ),
    "rviz": ("false", "true: start RViz with the annotated images and, of calibrated cameras, the markers"),
    "fastdds_profile": (
        "",
        "Fast DDS profile with enough shared memory for images; default: config/fastdds.xml of this package, or "
        "fastdds_large.xml if /dev/shm has 8 GB or more. A profile set in the environment has precedence",
    ),
}


def generate_launch_description() -> LaunchDescription:
    return LaunchDescription([*common.declare(ARGUMENTS), OpaqueFunction(function=_start)])


def _start(context) -> list:
    common.check_names(context, "emotion.launch.py", ARGUMENTS)
    given = common.values(context, ARGUMENTS)
    common.check_choice("image_transport", given["image_transport"], ("raw", "compressed"))
    _check_cameras(given)
    with_rviz = common.to_bool("rviz", given["rviz"])
    given["camera_info"] = given["camera_info"] or _sibling_topic(given["image"], "camera_info")
    profile = dds_profile.variables(os.environ, given["fastdds_profile"])
    return [
        *(SetEnvironmentVariable(name, path) for name, path in profile.items()),
        # For demo.launch.py, whose camera publishes it.
        SetLaunchConfiguration("camera_info", given["camera_info"]),
        # RViz first: if it is not installed, nothing has been started yet.
        *(_rviz(context, given) if with_rviz else ()),
        common.start_node(context, "emotion_node", given, _parameters(given), remappings=_remappings(given)),
    ]


def _parameters(given: dict[str, str]) -> dict:
    parameters = {name: given[name] for name in ("model", "image_transport") if given[name]}
    names = _camera_names(given)
    if names:
        parameters["cameras"] = names
    topics = common.listed(given["camera_topics"])
    if topics:
        parameters["camera_topics"] = topics
    if given["autostart"]:
        parameters["autostart"] = common.to_bool("autostart", given["autostart"])
    if common.to_bool("rviz", given["rviz"]):
        parameters["publish.markers"] = True
    return parameters


def _check_cameras(given: dict[str, str]) -> None:
    """Refuse a topic that several cameras would share.

    Raises:
        ValueError: says which, and what to do.
    """
    names = _camera_names(given)
    for topic in ("image", "camera_info"):
        if names and given[topic].startswith("/"):
            name = given[topic].rpartition("/")[2]
            raise ValueError(
                f"{topic} is '{given[topic]}', one topic for the cameras {', '.join(names)}; with cameras it is "
                f"relative to the name of each, as in {topic}:={name} for /{names[0]}/{name}; topics of unrelated "
                "names are given by camera_topics:=/one/image,/another/image"
            )
    topics = common.listed(given["camera_topics"])
    if topics and len(topics) != len(names):
        raise ValueError(f"camera_topics has {len(topics)} topics, but cameras has {len(names)} names: give both alike")


def _remappings(given: dict[str, str]) -> list[tuple[str, str]]:
    prefixes = [f"{name}/" for name in _camera_names(given)] or [""]
    return [
        (f"{prefix}{topic}", f"{prefix}{given[topic]}") for prefix in prefixes for topic in ("image", "camera_info")
    ]


def _camera_names(given: dict[str, str]) -> list[str]:
    """Return the names of the cameras given as an argument."""
    return common.listed(given["cameras"])


def _sibling_topic(topic: str, name: str) -> str:
    """Return the topic called `name` in the namespace of `topic`, where camera drivers publish it."""
    return f"{topic.rpartition('/')[0]}/{name}" if "/" in topic else name


def _rviz(context, given: dict[str, str]) -> list:
    names = _camera_names(given)
    images = common.listed(given["camera_topics"]) or [f"{name}/{given['image']}" for name in names] or [given["image"]]
    cameras = [_topics(given, name, image) for name, image in zip(names or [""], images, strict=True)]
    template = Path(common.share(context), "config", "fer.rviz").read_text()
    # Not remappings, which can neither add displays nor reach the topics of image transports.
    with NamedTemporaryFile("w", prefix="fer_ros_", suffix=".rviz", delete=False) as file:
        file.write(rviz.configuration(template, cameras))
    return [
        *(LogInfo(msg=f"RViz shows {each.annotated} and {each.markers}; ticked, {each.image}") for each in cameras),
        Node(package="rviz2", executable="rviz2", arguments=["-d", file.name]),
        # The file is read when RViz starts.
        RegisterEventHandler(OnShutdown(on_shutdown=lambda *_: Path(file.name).unlink(missing_ok=True))),
    ]


def _topics(given: dict[str, str], camera: str, image: str) -> rviz.CameraTopics:
    def resolved(topic: str) -> str:
        namespace = given["namespace"].strip("/")
        return topic if topic.startswith("/") else f"/{namespace}/{topic}" if namespace else f"/{topic}"

    prefix = f"{camera}/" if camera else ""
    transport = "/compressed" if given["image_transport"] == "compressed" else ""
    return rviz.CameraTopics(
        camera,
        resolved(f"{prefix}emotions/image"),
        f"{resolved(image)}{transport}",
        resolved(f"{prefix}emotions/markers"),
    )
