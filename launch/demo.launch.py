# SPDX-License-Identifier: Apache-2.0
"""Starts the emotion node on a video, images, a webcam or the synthetic scene.

    ros2 launch fer_ros demo.launch.py rviz:=true
    ros2 launch fer_ros demo.launch.py source:=/path/to/video.mp4 loop:=true
    ros2 launch fer_ros demo.launch.py source:=0

Ends with the source. Also accepts the arguments of emotion.launch.py (namespace, model, rviz, ...).
"""

from launch import LaunchDescription
from launch.actions import IncludeLaunchDescription, OpaqueFunction, Shutdown
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

from fer_ros.nodes.common import launch as common

ARGUMENTS = {
    "source": (
        "scene",
        "path of a video, an image or a folder of images, number or device of a webcam, or scene (built in)",
    ),
    "rate": ("0.0", "images per second; 0.0: the rate of the source"),
    "loop": ("false", "true: restart at the end"),
}


def generate_launch_description() -> LaunchDescription:
    emotion = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(
            PathJoinSubstitution([FindPackageShare("fer_ros"), "launch", "emotion.launch.py"])
        )
    )
    # The included file before the camera: it declares the namespace, and sets environment variables that the camera
    # needs too.
    return LaunchDescription(
        [
            *common.declare(ARGUMENTS),
            OpaqueFunction(function=_check, args=[emotion]),
            emotion,
            OpaqueFunction(function=_start_camera),
        ]
    )


def _check(context, emotion: IncludeLaunchDescription) -> None:
    """Check the arguments, before the included file starts a node."""
    included = emotion.launch_description_source.get_launch_description(context).get_launch_arguments()
    common.check_names(context, "demo.launch.py", [*ARGUMENTS, *(argument.name for argument in included)])
    _parameters(context)


def _parameters(context) -> dict:
    given = common.values(context, ARGUMENTS)
    if not given["source"].strip():
        raise ValueError(f"source is empty, expected: {ARGUMENTS['source'][1]}")
    return {
        # Not the text alone, which would be a number for source:=0.
        "source": ParameterValue(given["source"], value_type=str),
        "rate": common.to_float("rate", given["rate"]),
        "loop": common.to_bool("loop", given["loop"]),
        # The first images of a short video are not published before the emotion node is ready.
        "wait_for_subscribers": 1,
    }


def _start_camera(context) -> list:
    return [
        Node(
            package="fer_ros",
            executable="video_publisher_node",
            name="video_publisher_node",
            namespace=LaunchConfiguration("namespace"),
            parameters=[{**_parameters(context), **common.sim_time(context.launch_configurations)}],
            remappings=[("image", LaunchConfiguration("image")), ("camera_info", LaunchConfiguration("camera_info"))],
            additional_env=common.discovery(context.launch_configurations),
            output="screen",
            emulate_tty=True,
            on_exit=Shutdown(reason="the source has ended"),
        )
    ]
