"""What the emotion node says on /diagnostics of itself and its cameras."""

import time
from pathlib import Path

import pytest
import yaml

pytest.importorskip("fer_ros.msg", reason="needs ROS 2 and the package's own messages: make setup")

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from robot import image_message

from fer_ros.msg import FaceEmotionArray
from fer_ros.nodes.emotion import diagnostics
from fer_ros.nodes.emotion.node import EmotionNode
from fer_ros.nodes.emotion.state import NodeState

ROOT = Path(__file__).parents[2]


@pytest.fixture
def serve(robot, model, quick_start, monkeypatch):
    """Starts an emotion node that reports ten times a second; gives what it says, by the name of its status."""
    monkeypatch.setattr(diagnostics, "_PERIOD", 0.1)

    def start(**parameters):
        reports: dict[str, DiagnosticStatus] = {}

        def hear(array):
            reports.update({s.name: s for s in array.status if s.hardware_id.startswith(f"{robot.namespace}/")})

        robot.node.create_subscription(DiagnosticArray, "/diagnostics", hear, 10)
        assert robot.start(EmotionNode, model=str(model), **parameters).autostart()
        return reports

    return start


def until(robot, reports, name, level, word, each=lambda: None):
    """The values of a status that has come to `level`, and says `word`."""

    def come():
        each()
        status = reports.get(name)
        return status if status and status.level == level and word in status.message else None

    status = robot.wait_until(come, f"{level} and '{word}' of {name}")
    return {value.key: value.value for value in status.values}


def test_a_healthy_camera_has_rates_times_and_the_model(robot, serve, astronaut):
    reports = serve(diagnostics__warn_after=100.0, diagnostics__error_after=100.0)
    camera = robot.heard_camera()
    answer = robot.ask(camera, astronaut)
    name = "emotion_node: camera"
    until(robot, reports, name, DiagnosticStatus.OK, "processing", lambda: robot.ask(camera, astronaut))
    reports.clear()  # the next is made after an answer with a face
    values = until(robot, reports, name, DiagnosticStatus.OK, "processing", lambda: robot.ask(camera, astronaut))
    assert reports[name].hardware_id == f"{robot.namespace}/image"
    assert values["model"] == answer.model_id
    assert values["backend"] == "torchscript"
    assert values["faces"] == "1"
    assert int(values["images processed"]) >= 1
    assert values["images unreadable"] == "0"
    for rate in ("images/s", "processed/s"):
        assert float(values[rate]) > 0
    stages = ("conversion", "detection", "classification", "decision", "publishing")
    medians = [float(values[f"{stage} p50 (ms)"]) for stage in stages]
    assert all(median > 0 for median in medians)
    assert sum(medians) <= float(values["total p95 (ms)"]) * len(stages)
    for stage in (*stages, "total"):
        assert float(values[f"{stage} p50 (ms)"]) <= float(values[f"{stage} p95 (ms)"])
    # The robot's stamps lie at 1000 s after 1970: a camera whose clock is wrong is seen.
    assert float(values["age of last processed image (s)"]) == pytest.approx(time.time() - 1000, abs=300)


def test_a_camera_that_falls_silent_is_a_warning_then_an_error(robot, serve, astronaut):
    reports = serve(diagnostics__warn_after=0.5, diagnostics__error_after=1.5)
    name = "emotion_node: camera"
    until(robot, reports, name, DiagnosticStatus.STALE, "no image")  # there has never been one
    camera = robot.heard_camera()
    until(robot, reports, name, DiagnosticStatus.OK, "processing", lambda: robot.ask(camera, astronaut))
    until(robot, reports, name, DiagnosticStatus.WARN, "no image for")
    values = until(robot, reports, name, DiagnosticStatus.ERROR, "no image for")
    assert float(values["time since last image (s)"]) >= 1.5


def test_images_that_cannot_be_read_are_a_warning(robot, serve, astronaut):
    reports = serve(diagnostics__warn_after=100.0, diagnostics__error_after=100.0)
    camera = robot.heard_camera()
    broken = image_message(astronaut)
    broken.encoding = "rgb9"
    values = until(
        robot,
        reports,
        "emotion_node: camera",
        DiagnosticStatus.WARN,
        "unreadable",
        lambda: camera.publish(broken),
    )
    assert int(values["images unreadable"]) > 0


def test_a_node_that_is_slower_than_its_camera_says_so(robot, serve, astronaut, monkeypatch):
    recognize = NodeState.recognize
    monkeypatch.setattr(NodeState, "recognize", lambda *of: time.sleep(0.2) or recognize(*of))
    reports = serve(diagnostics__warn_after=100.0, diagnostics__error_after=100.0)
    camera = robot.heard_camera()
    values = until(
        robot,
        reports,
        "emotion_node: camera",
        DiagnosticStatus.WARN,
        "too slow",
        lambda: camera.publish(image_message(astronaut, robot.stamp())),
    )
    assert int(values["images skipped"]) > 0
    assert float(values["images/s"]) > float(values["processed/s"])


def test_each_camera_has_a_status_of_its_own(robot, serve, astronaut):
    reports = serve(cameras=["left", "right"], lazy=False, diagnostics__warn_after=0.5, diagnostics__error_after=100.0)
    robot.node.create_subscription(FaceEmotionArray, "left/emotions", robot.hear, 100)
    left = robot.heard_camera("left/image")
    until(robot, reports, "emotion_node: left", DiagnosticStatus.OK, "processing", lambda: robot.ask(left, astronaut))
    until(robot, reports, "emotion_node: right", DiagnosticStatus.WARN, "no image")


def test_a_camera_that_nobody_listens_to_is_well(robot, serve):
    reports = serve(cameras=["unheard"], diagnostics__warn_after=0.1, diagnostics__error_after=0.1)
    until(robot, reports, "emotion_node: unheard", DiagnosticStatus.OK, "idle")


def test_images_above_the_rate_that_is_wanted_are_no_fault(robot, serve, astronaut):
    reports = serve(max_rate=1.0, diagnostics__warn_after=100.0, diagnostics__error_after=100.0)
    camera = robot.heard_camera()

    def publish():
        camera.publish(image_message(astronaut, robot.stamp()))
        status = reports.get("emotion_node: camera")
        return status and any(v.key == "images above max_rate" and int(v.value) > 5 for v in status.values)

    robot.wait_until(publish, "images to be passed over")
    assert reports["emotion_node: camera"].level == DiagnosticStatus.OK


def test_the_aggregator_finds_them(robot, serve):
    reports = serve(cameras=["left", "right"])
    robot.wait_until(lambda: len(reports) == 2, "two statuses")
    file = yaml.safe_load((ROOT / "config/diagnostics_aggregator.yaml").read_text())
    prefixes = tuple(file["analyzers"]["ros__parameters"]["emotions"]["find_and_remove_prefix"])
    assert all(name.startswith(prefixes) for name in reports)
