# SPDX-License-Identifier: Apache-2.0
"""What the launch files of this package have in common."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from launch.actions import DeclareLaunchArgument, Shutdown
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare

Arguments = Mapping[str, tuple[str, str]]
"""Default and description of each launch argument, by name."""


def node_arguments(node: str) -> dict[str, tuple[str, str]]:
    """Return the arguments of every launch file that starts `node`, with their defaults and descriptions."""
    return {
        "namespace": ("", "namespace of the node, for instance that of the robot"),
        "params_file": ("", f"YAML file with parameters; default: config/{node}.yaml of this package"),
        "log_level": ("info", "debug, info, warn, error or fatal"),
    }


def declare(arguments: Arguments) -> list[DeclareLaunchArgument]:
    """Return the actions that declare the arguments."""
    return [
        DeclareLaunchArgument(name, default_value=default, description=description)
        for name, (default, description) in arguments.items()
    ]


def values(context: Any, arguments: Arguments) -> dict[str, str]:
    """Return the values of declared arguments."""
    return {name: context.launch_configurations[name] for name in arguments}


def is_true(text: str) -> bool:
    """Return whether a launch argument is true."""
    return text.lower() in ("true", "1", "yes", "on")


def share(context: Any) -> str:
    """Return the path of the package's share folder."""
    path: str = FindPackageShare("fer_ros").perform(context)
    return path


def start_node(
    context: Any, name: str, given: Mapping[str, str], parameters: Mapping[str, Any], **options: Any
) -> Node:
    """Return the action that starts a node of this package; the launch ends when the node does.

    Args:
        context: of the launch.
        name: of the executable and the node.
        given: values of the arguments of `node_arguments`.
        parameters: override those of the parameter file.
        **options: further ones of `launch_ros.actions.Node`.

    Raises:
        FileNotFoundError: the parameter file does not exist.
    """
    file = given["params_file"] or f"{share(context)}/config/{name}.yaml"
    if not Path(file).is_file():
        raise FileNotFoundError(f"params_file: {file} does not exist")
    return Node(
        package="fer_ros",
        executable=name,
        name=name,
        namespace=given["namespace"],
        parameters=[file, dict(parameters)],
        arguments=["--ros-args", "--log-level", given["log_level"]],
        output="screen",
        emulate_tty=True,
        on_exit=Shutdown(reason=f"{name} has ended"),
        **options,
    )
