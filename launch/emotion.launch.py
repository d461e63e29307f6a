"""Starts the emotion node on a camera, and rviz beside it if asked.

    ros2 launch fer_ros emotion.launch.py image:=/camera/color/image_raw rviz:=true

Nothing is decided here: arguments that are given become parameters, remappings and environment of the node.
"""

import os
from pathlib import Path

from launch import LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    LogInfo,
    OpaqueFunction,
    SetEnvironmentVariable,
    SetLaunchConfiguration,
    Shutdown,
)
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare

from fer_ros import dds_profile

ARGUMENTS = {
    "namespace": ("", "namespace of the node, for instance that of the robot"),
    "cameras": ("", "names of several cameras, separated by commas; empty: as in params_file"),
    "image": (
        "image",
        "topic of the camera's images, relative to the namespace unless it begins with /; of several cameras, relative "
        "to the name of each",
    ),
    "camera_info": ("", "topic of the camera's calibration; empty: camera_info beside the images"),
    "model": ("", "name or absolute path of a model file; empty: as in params_file"),
    "image_transport": ("", "raw or compressed; empty: as in params_file"),
    "autostart": ("", "true: configure and activate at the start; false: wait for a manager; empty: as in params_file"),
    "params_file": ("", "yaml file with the node's parameters; empty: config/emotion_node.yaml of this package"),
    "log_level": ("info", "debug, info, warn, error or fatal"),
    "rviz": ("false", "true: rviz shows the camera, the annotated picture, and, of a calibrated camera, the faces"),
    "fastdds_profile": (
        "",
        "Fast DDS profile, with room for images, of what is started here; empty: this package's config/fastdds.xml, or "
        "fastdds_large.xml where there is memory for it. A profile in the environment comes first",
    ),
}
"""Default and description of each."""


def generate_launch_description() -> LaunchDescription:
    declared = [
        DeclareLaunchArgument(name, default_value=default, description=description)
        for name, (default, description) in ARGUMENTS.items()
    ]
    return LaunchDescription([*declared, OpaqueFunction(function=_start)])


def _start(context) -> list:
    given = {name: context.launch_configurations[name] for name in ARGUMENTS}
    share = FindPackageShare("fer_ros").perform(context)
    given["params_file"] = given["params_file"] or f"{share}/config/emotion_node.yaml"
    if not Path(given["params_file"]).is_file():
        raise FileNotFoundError(f"params_file: there is no file {given['params_file']}")
    given["camera_info"] = given["camera_info"] or _beside(given["image"], "camera_info")
    profile = dds_profile.variables(os.environ, given["fastdds_profile"])
    return [
        *(SetEnvironmentVariable(name, path) for name, path in profile.items()),
        # For demo.launch.py, whose camera publishes it.
        SetLaunchConfiguration("camera_info", given["camera_info"]),
        # rviz first: where it is not installed, nothing has been started yet.
        *(_rviz(given, share) if _is_true(given["rviz"]) else ()),
        _emotion_node(given),
    ]


def _is_true(text: str) -> bool:
    return text.lower() in ("true", "1", "yes", "on")


def _names(given: dict[str, str]) -> list[str]:
    """Of the cameras, as far as they were given here."""
    return [name.strip() for name in given["cameras"].split(",") if name.strip()]


def _beside(topic: str, name: str) -> str:
    """Where camera drivers publish `name`."""
    return f"{topic.rpartition('/')[0]}/{name}" if "/" in topic else name


def _emotion_node(given: dict[str, str]) -> Node:
    overrides = {name: given[name] for name in ("model", "image_transport") if given[name]}
    names = _names(given)
    if names:
        overrides["cameras"] = names
    if given["autostart"]:
        overrides["autostart"] = _is_true(given["autostart"])
    if _is_true(given["rviz"]):
        overrides["publish.markers"] = True
    return Node(
        package="fer_ros",
        executable="emotion_node",
        name="emotion_node",
        namespace=given["namespace"],
        parameters=[given["params_file"], overrides],
        remappings=[
            (f"{prefix}{name}", f"{prefix}{given[name]}")
            for prefix in ([f"{name}/" for name in names] or [""])
            for name in ("image", "camera_info")
        ],
        arguments=["--ros-args", "--log-level", given["log_level"]],
        output="screen",
        emulate_tty=True,
        on_exit=Shutdown(reason="the emotion node has ended"),
    )


def _rviz(given: dict[str, str], share: str) -> list:
    def resolved(topic: str) -> str:
        namespace = given["namespace"].strip("/")
        return topic if topic.startswith("/") else f"/{namespace}/{topic}" if namespace else f"/{topic}"

    first = f"{_names(given)[0]}/" if _names(given) else ""
    image, annotated = resolved(f"{first}{given['image']}"), resolved(f"{first}emotions/image")
    markers = resolved(f"{first}emotions/markers")
    return [
        LogInfo(msg=f"rviz shows {annotated}, {image} and {markers}"),
        Node(
            package="rviz2",
            executable="rviz2",
            # The topics of the configuration are those of a node without a namespace.
            remappings=[("/emotions/image", annotated), ("/image", image), ("/emotions/markers", markers)],
            arguments=["-d", f"{share}/config/fer.rviz"],
        ),
    ]
