# SPDX-License-Identifier: Apache-2.0
"""Starts the dashboard: a web page that shows live what the emotion node and the trainer node do.

    ros2 launch fer_ros dashboard.launch.py open:=true

The arguments become parameters of the node.
"""

from launch import LaunchDescription
from launch.actions import OpaqueFunction

from fer_ros.nodes.common import launch as common

PARAMETERS = {
    "host": ("", "address that the page is served on; default: as in params_file"),
    "port": ("", "TCP port of the page; default: as in params_file"),
    "open": ("", "true: open the page in the web browser of this machine; default: as in params_file"),
    "cameras": ("", "names of the cameras, separated by commas, as for emotion.launch.py; default: as in params_file"),
    "emotion_node": ("", "name of the emotion node; default: as in params_file"),
    "trainer_node": ("", "name of the trainer node; default: as in params_file"),
}
ARGUMENTS = {**common.node_arguments("dashboard_node"), **PARAMETERS}


def generate_launch_description() -> LaunchDescription:
    return LaunchDescription([*common.declare(ARGUMENTS), OpaqueFunction(function=_start)])


def _start(context) -> list:
    common.check_names(context, "dashboard.launch.py", ARGUMENTS)
    given = common.values(context, ARGUMENTS)
    parameters = {name: given[name] for name in ("host", "emotion_node", "trainer_node") if given[name]}
    if given["port"]:
        parameters["port"] = common.to_int("port", given["port"])
    if given["open"]:
        parameters["open"] = common.to_bool("open", given["open"])
    names = common.listed(given["cameras"])
    if names:
        parameters["cameras"] = names
    return [common.start_node(context, "dashboard_node", given, parameters)]
