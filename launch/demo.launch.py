# SPDX-License-Identifier: Apache-2.0
"""Starts the emotion node on a video, images, a webcam or the synthetic scene.

    ros2 launch fer_ros demo.launch.py rviz:=true
    ros2 launch fer_ros demo.launch.py source:=/path/to/video.mp4 loop:=true
    ros2 launch fer_ros demo.launch.py source:=0

Ends with the source. Also accepts the arguments of emotion.launch.py (namespace, model, rviz, ...).
"""

from launch import LaunchDescription
from launch.actions import IncludeLaunchDescription, Shutdown
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

from fer_ros.nodes.common import launch as common

ARGUMENTS = {
    "source": ("scene", "path of a video, an image or a folder of images, number of a webcam, or scene (built in)"),
    "rate": ("0.0", "images per second; 0.0: the rate of the source"),
    "loop": ("false", "true: restart at the end"),
}


def generate_launch_description() -> LaunchDescription:
    emotion = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(
            PathJoinSubstitution([FindPackageShare("fer_ros"), "launch", "emotion.launch.py"])
        )
    )
    camera = Node(
        package="fer_ros",
        executable="video_publisher_node",
        name="video_publisher_node",
        namespace=LaunchConfiguration("namespace"),
        parameters=[
            {
                "source": ParameterValue(LaunchConfiguration("source"), value_type=str),
                "rate": ParameterValue(LaunchConfiguration("rate"), value_type=float),
                "loop": ParameterValue(LaunchConfiguration("loop"), value_type=bool),
                # The first images of a short video are not published before the emotion node is ready.
                "wait_for_subscribers": 1,
            }
        ],
        remappings=[
            ("image", LaunchConfiguration("image")),
            ("camera_info", LaunchConfiguration("camera_info")),
        ],
        output="screen",
        emulate_tty=True,
        on_exit=Shutdown(reason="the source has ended"),
    )
    # The included file first: it declares the namespace, and sets environment variables that the camera needs too.
    return LaunchDescription([*common.declare(ARGUMENTS), emotion, camera])
