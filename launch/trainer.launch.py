"""Starts the trainer node, beside an emotion node that may run or not.

    ros2 launch fer_ros trainer.launch.py datasets:=/data output:=/data/runs

Nothing is decided here: arguments that are given become parameters of the node.
"""

from pathlib import Path

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction, Shutdown
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare

ARGUMENTS = {
    "namespace": ("", "namespace of the node, for instance that of the robot"),
    "datasets": ("", "folder in which data sets are looked for; empty: as in params_file"),
    "output": ("", "folder for the runs; empty: as in params_file"),
    "emotion_node": ("", "name of the node that models are deployed to; empty: as in params_file"),
    "params_file": ("", "yaml file with the node's parameters; empty: config/trainer_node.yaml of this package"),
    "log_level": ("info", "debug, info, warn, error or fatal"),
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
    given["params_file"] = given["params_file"] or f"{share}/config/trainer_node.yaml"
    if not Path(given["params_file"]).is_file():
        raise FileNotFoundError(f"params_file: there is no file {given['params_file']}")
    return [
        Node(
            package="fer_ros",
            executable="trainer_node",
            name="trainer_node",
            namespace=given["namespace"],
            parameters=[
                given["params_file"],
                {name: given[name] for name in ("datasets", "output", "emotion_node") if given[name]},
            ],
            arguments=["--ros-args", "--log-level", given["log_level"]],
            output="screen",
            emulate_tty=True,
            # Training gets ten seconds to end (nodes/training_process.py), and the node must outlive it.
            sigterm_timeout="15",
            on_exit=Shutdown(reason="the trainer node has ended"),
        )
    ]
