# SPDX-License-Identifier: Apache-2.0
"""Values and names of parameters as users write them, in all four nodes."""

import pytest

pytest.importorskip("fer_ros.msg", reason="needs ROS 2 and the package's own messages: make setup")

from rcl_interfaces.srv import SetParametersAtomically
from rclpy.parameter import Parameter
from robot import parameters_of

from fer_ros.nodes.common import parameter_overrides, parameters
from fer_ros.nodes.common.parameter_overrides import Section, find_errors, find_warnings, read_sections
from fer_ros.nodes.common.parameters import ParameterError
from fer_ros.nodes.emotion.node import EmotionNode
from fer_ros.nodes.emotion.parameters import Settings
from fer_ros.nodes.recorder.node import EmotionRecorderNode
from fer_ros.nodes.trainer.node import TrainerNode
from fer_ros.nodes.video_publisher.node import VideoPublisherNode

NODE = "/robot/emotion_node"
DECLARED = ("model", "alignment", "detector.cascade", "publish.tf")


@pytest.mark.usefixtures("_ros")
@pytest.mark.parametrize(
    ("create", "name", "nearest"),
    [
        (EmotionNode, "mode", "model"),
        (EmotionNode, "detector.casacde", "detector.cascade"),
        (EmotionNode, "cascade", "detector.cascade"),
        (EmotionRecorderNode, "outputs", "output"),
        (VideoPublisherNode, "frame", "frame_id"),
        (TrainerNode, "dataset", "datasets"),
    ],
)
def test_unknown_parameter_is_named_with_nearest(create, name, nearest, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ParameterError) as error:
        create(parameter_overrides=[Parameter(name, value="x")])
    assert str(error.value).endswith(f"has no parameter '{name}', did you mean '{nearest}'")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("section", "matches"),
    [
        ("/**", True),
        ("/robot/emotion_node", True),
        ("/robot/**", True),
        ("/*/emotion_node", True),
        ("/**/emotion_node", True),
        ("/emotion_node", False),
        ("/*/*/emotion_node", False),
    ],
)
def test_section_matches_as_in_rcl(robot, tmp_path, section, matches):
    assert Section("f", section, ()).is_for(NODE) == matches
    file = tmp_path / "parameters.yaml"
    file.write_text(f"{section}:\n  ros__parameters:\n    use_sim_time: true\n")
    import rclpy

    options = {"namespace": "/robot", "cli_args": ["--ros-args", "--params-file", str(file)]}
    node = rclpy.create_node("emotion_node", **options)
    assert node.get_parameter("use_sim_time").value == matches
    node.destroy_node()


def test_sections_are_read_from_files_and_options(tmp_path):
    file = tmp_path / "parameters.yaml"
    file.write_text(
        "/**:\n  ros__parameters: {a: 1, group: {b: 2}}\nrobot:\n  emotion_node:\n    ros__parameters: {c: 3}\nempty:\n"
    )
    arguments = ["node", "-p", "no:=ros", "--ros-args", "--params-file", str(file), "-p", "d:=4", "-p", "other:e:=5"]
    assert read_sections([*arguments, "--params-file", str(tmp_path), "--", "-p", "no:=ros"]) == [
        Section(str(file), "/**", ("a", "group.b")),
        Section(str(file), "/robot/emotion_node", ("c",)),
        Section("-p", "", ("d",)),
        Section("-p", "/other", ("e",)),
    ]


@pytest.mark.parametrize(
    ("sections", "warnings"),
    [
        (
            [Section("f.yaml", "/emotion_node", ("model",))],
            ["f.yaml are for /emotion_node, but this node is /robot/em"],
        ),
        ([Section("f.yaml", "/recorder", ("output",))], ["f.yaml are for /recorder"]),
        ([Section("-p", "/emotion_nod", ("model",))], ["-p are for /emotion_nod,"]),
        ([Section("f", "/**", ()), Section("f", "/robot/emotion_nod", ("model",))], ["f are for /robot/emotion_nod,"]),
        # A file for several nodes, in which this one is named or is addressed with all others.
        ([Section("f", NODE, ()), Section("f", f"{NODE}_2", ("model",))], []),
        ([Section("f", "/**", ("model",)), Section("f", "/slam", ("x",))], []),
        ([Section("f", "/**", ("mode",))], ["no parameter 'mode', did you mean 'model'; it is ignored"]),
        ([Section("f", "/**", ("qos_overrides./image.subscription.reliability",))], []),
        ([Section("f", "/**", ("qos_overrides./image.subscriber.depth",))], ["<publisher or subscription>"]),
    ],
)
def test_misaddressed_parameters_are_warned_about(sections, warnings):
    found = find_warnings(DECLARED, sections, NODE)
    assert len(found) == len(warnings)
    assert all(text in warning for text, warning in zip(warnings, found, strict=True)), found


def test_unknown_parameter_for_every_node_is_no_error():
    shared, own = Section("f", "/**", ("use_gazebo",)), Section("f", NODE, ("use_gazebo",))
    assert find_errors(["use_gazebo", "model"], DECLARED, [shared], NODE) == []
    assert len(find_errors(["use_gazebo"], DECLARED, [shared, own], NODE)) == 1


def test_mistyped_parameter_in_file_is_warned_about(robot, tmp_path, monkeypatch):
    file = tmp_path / "parameters.yaml"
    file.write_text("/**:\n  ros__parameters:\n    tracking: {max_rol: 20.0}\n")
    monkeypatch.setattr(parameter_overrides.sys, "argv", ["node", "--ros-args", "--params-file", str(file)])
    EmotionNode(namespace=robot.namespace, cli_args=["--ros-args", "--params-file", str(file)]).destroy_node()
    (warning,) = robot.wait_until(lambda: robot.logged("has no parameter"), "a warning")
    assert "'tracking.max_rol', did you mean 'tracking.max_roll'; it is ignored" in warning


@pytest.mark.parametrize(
    ("value", "taken"),
    [("180", (180,)), ("[0, 90]", (0, 90)), ("on", None), ("[0.5]", None), ("sideways", None)],
)
def test_array_of_integers_takes_one_integer(robot, value, taken):
    def rotation():
        options = ["--ros-args", "-p", f"rotation:={value}", "-p", "cameras:=[left, right]"]
        node = EmotionNode(namespace=robot.namespace, cli_args=options)
        settings = parameters.read(node, Settings)
        node.destroy_node()
        return settings.rotation

    if taken:
        assert rotation() == taken
    else:
        with pytest.raises(ParameterError, match="rotation must be an integer_array"):
            rotation()


def test_unquoted_yaml_words_and_integers_are_taken(robot, model, quick_start):
    yaml_words = ["-p", "alignment:=off", "-p", "tracking.contrast:=off", "-p", "smoothing.time_constant:=1"]
    node = EmotionNode(namespace=robot.namespace, cli_args=["--ros-args", *yaml_words, "-p", f"model:={model}"])
    robot.spin(node)
    assert node.autostart()

    def in_use() -> Settings:
        return node.processor.state.settings

    assert (in_use().alignment, in_use().tracking.contrast, in_use().smoothing.time_constant) == ("off", "off", 1.0)
    values = {"alignment": True, "max_rate": 15, "smoothing.min_confidence": 0}
    messages = [parameter.to_parameter_msg() for parameter in parameters_of(values)]
    assert robot.call(
        SetParametersAtomically, "emotion_node/set_parameters_atomically", parameters=messages
    ).result.successful
    assert (in_use().alignment, in_use().max_rate, in_use().smoothing.min_confidence) == ("on", 15.0, 0.0)
    assert isinstance(in_use().max_rate, float)
