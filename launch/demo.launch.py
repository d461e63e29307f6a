"""Starts a camera that shows a video, pictures, a webcam or the built-in scene, and the emotion node on it.

    ros2 launch fer_ros demo.launch.py rviz:=true
    ros2 launch fer_ros demo.launch.py source:=/path/to/video.mp4 loop:=true
    ros2 launch fer_ros demo.launch.py source:=0

Ends when the source does. Arguments of emotion.launch.py (namespace, model, rviz, ...) are taken too.
"""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, Shutdown
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

ARGUMENTS = {
    "source": ("scene", "path of a video, picture or folder, number of a webcam, or scene, which is built in"),
    "rate": ("0.0", "pictures per second; 0.0: the source's own"),
    "loop": ("false", "true: start again at the end"),
}
"""Default and description of each."""


def generate_launch_description() -> LaunchDescription:
    declared = [
        DeclareLaunchArgument(name, default_value=default, description=description)
        for name, (default, description) in ARGUMENTS.items()
    ]
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
                # So that the first pictures of a short video are not over before anybody looks.
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
    # First what is included: it declares the namespace, and sets the environment that the camera needs too.
    return LaunchDescription([*declared, emotion, camera])
