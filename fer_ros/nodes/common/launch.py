# SPDX-License-Identifier: Apache-2.0
"""What the launch files of this package have in common."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from launch.actions import DeclareLaunchArgument, Shutdown
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare

from fer_ros.registry import did_you_mean

_BOOLEANS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
_LOG_LEVELS = ("debug", "info", "warn", "error", "fatal")
_DISCOVERY = ("localhost", "subnet")
Arguments = Mapping[str, tuple[str, str]]
"""Default and description of each launch argument, by name."""


def node_arguments(node: str) -> dict[str, tuple[str, str]]:
    """Return the arguments of every launch file that starts `node`, with their defaults and descriptions."""
    return {
        "namespace": ("", "namespace of the node, for instance that of the robot"),
        "params_file": ("", f"YAML file with parameters; default: config/{node}.yaml of this package"),
        "log_level": ("info", "debug, info, warn, error or fatal"),
        "discovery": (
            "",
            "localhost: only participants on this machine reach the node; subnet: all that use the same domain; "
            "default: as in the environment",
        ),
        "use_sim_time": ("false", "true: time comes from /clock, as of a simulator or of `ros2 bag play --clock 100`"),
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


def check_names(context: Any, file: str, known: Collection[str]) -> None:
    """Refuse arguments of the command line that `file` does not have; `launch` ignores them.

    Args:
        context: of the launch.
        file: name of the launch file; checked only where that file was launched, not where another one includes it.
        known: names of its arguments, also of those of the files that it includes.

    Raises:
        ValueError: names the arguments, and for each the nearest that there is.
    """
    if file not in {Path(argument).name for argument in sys.argv}:
        return
    given = [argument.partition(":=")[0] for argument in context.argv if ":=" in argument]
    unknown = [f"'{name}'{did_you_mean(name, known)}" for name in given if name not in known]
    if unknown:
        raise ValueError(f"{file} has no argument {'; '.join(unknown)} (all: ros2 launch fer_ros {file} --show-args)")


def to_bool(name: str, text: str) -> bool:
    """Return the value of a launch argument that is true or false.

    Raises:
        ValueError: it is neither.
    """
    if text.lower() not in _BOOLEANS:
        raise ValueError(f"{name} is '{text}', expected true or false")
    return _BOOLEANS[text.lower()]


def to_float(name: str, text: str) -> float:
    """Return the value of a launch argument that is a number.

    Raises:
        ValueError: it is none.
    """
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{name} is '{text}', expected a number") from None


def to_int(name: str, text: str) -> int:
    """Return the value of a launch argument that is an integer.

    Raises:
        ValueError: it is none.
    """
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"{name} is '{text}', expected an integer") from None


def listed(text: str) -> list[str]:
    """Return the values of a launch argument with several, separated by commas."""
    return [part.strip() for part in text.split(",") if part.strip()]


def check_choice(name: str, text: str, choices: Sequence[str]) -> None:
    """Check a launch argument that has a few values; an empty one stands for the parameter file.

    Raises:
        ValueError: it has another value.
    """
    if text and text not in choices:
        raise ValueError(f"{name} is '{text}', expected one of: {', '.join(choices)}")


def share(context: Any) -> str:
    """Return the path of the package's share folder."""
    path: str = FindPackageShare("fer_ros").perform(context)
    return path


def sim_time(given: Mapping[str, str]) -> dict[str, bool]:
    """Return the parameter `use_sim_time` if the launch argument is true; otherwise the parameter file decides."""
    return {"use_sim_time": True} if to_bool("use_sim_time", given["use_sim_time"]) else {}


def discovery(given: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variable that limits who reaches a node; none where the argument is empty.

    Raises:
        ValueError: there is no such range.
    """
    chosen = given["discovery"]
    check_choice("discovery", chosen, _DISCOVERY)
    if not chosen:
        return {}
    if os.environ.get("ROS_DISTRO") == "humble":
        return {"ROS_LOCALHOST_ONLY": str(int(chosen == "localhost"))}
    return {"ROS_AUTOMATIC_DISCOVERY_RANGE": chosen.upper()}


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
        ValueError: there is no such log level or discovery range, or `use_sim_time` is neither true nor false.
    """
    check_choice("log_level", given["log_level"].rpartition(":=")[2], _LOG_LEVELS)
    file = given["params_file"] or f"{share(context)}/config/{name}.yaml"
    if not Path(file).is_file():
        raise FileNotFoundError(f"params_file: {file} does not exist")
    return Node(
        package="fer_ros",
        executable=name,
        name=name,
        namespace=given["namespace"],
        parameters=[file, {**parameters, **sim_time(given)}],
        arguments=["--ros-args", "--log-level", given["log_level"]],
        additional_env=discovery(given),
        output="screen",
        emulate_tty=True,
        on_exit=Shutdown(reason=f"{name} has ended"),
        **options,
    )
