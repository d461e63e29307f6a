# SPDX-License-Identifier: Apache-2.0
"""Starts the examples: the emotion node with the greeter and the behavior tree.

    ros2 launch fer_ros behaviors.launch.py image:=/camera/image_raw
    ros2 launch fer_ros behaviors.launch.py scene:=true              on a synthetic scene instead of a camera

Also accepts the arguments of emotion.launch.py, and with scene:=true those of demo.launch.py. The behaviors listen to
one camera; with several, start them by hand with remappings.
"""

import sys
from pathlib import Path

from launch import LaunchDescription
from launch.actions import ExecuteProcess, IncludeLaunchDescription, OpaqueFunction
from launch.launch_description_sources import PythonLaunchDescriptionSource

from fer_ros.nodes.common import launch as common

ARGUMENTS = {"scene": ("false", "true: start a camera that shows a synthetic scene with two people")}
BEHAVIORS = ("greeter.py", "behavior_tree.py")


def generate_launch_description() -> LaunchDescription:
    return LaunchDescription([*common.declare(ARGUMENTS), OpaqueFunction(function=_start)])


def _start(context) -> list:
    scene = common.to_bool("scene", common.values(context, ARGUMENTS)["scene"])
    included = Path(common.share(context), "launch", "demo.launch.py" if scene else "emotion.launch.py")
    return [
        IncludeLaunchDescription(PythonLaunchDescriptionSource(str(included))),
        *(OpaqueFunction(function=_start_behavior, args=[name]) for name in BEHAVIORS),
    ]


def _start_behavior(context, name: str) -> list:
    """Start a behavior in the namespace of the emotion node, an argument of the included file."""
    given = context.launch_configurations
    namespace = given["namespace"].strip("/")
    rules = ["-r", f"__ns:=/{namespace}"] if namespace else []
    return [
        ExecuteProcess(
            cmd=[sys.executable, str(Path(common.share(context), "examples", name)), "--ros-args", *rules],
            name=Path(name).stem,
            additional_env=common.discovery(given),
            output="screen",
        )
    ]
