# SPDX-License-Identifier: Apache-2.0
"""Starts the trainer node; an emotion node may run beside it.

    ros2 launch fer_ros trainer.launch.py datasets:=/data output:=/data/runs

The arguments become parameters of the node.
"""

from launch import LaunchDescription
from launch.actions import OpaqueFunction

from fer_ros.nodes.common import launch as common

PARAMETERS = {
    "datasets": ("", "folder of the data sets; default: as in params_file"),
    "output": ("", "folder for the runs; default: as in params_file"),
    "emotion_node": ("", "name of the node that models are deployed to; default: as in params_file"),
}
ARGUMENTS = {**common.node_arguments("trainer_node"), **PARAMETERS}


def generate_launch_description() -> LaunchDescription:
    return LaunchDescription([*common.declare(ARGUMENTS), OpaqueFunction(function=_start)])


def _start(context) -> list:
    common.check_names(context, "trainer.launch.py", ARGUMENTS)
    given = common.values(context, ARGUMENTS)
    parameters = {name: given[name] for name in PARAMETERS if given[name]}
    # Training gets ten seconds to end (fer_ros/nodes/trainer/process.py), and the node must outlive it.
    return [common.start_node(context, "trainer_node", given, parameters, sigterm_timeout="15")]
