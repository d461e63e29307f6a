# SPDX-License-Identifier: Apache-2.0
"""Diagnostics of the emotion node and its cameras."""

import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

pytest.importorskip("fer_ros.msg", reason="needs ROS 2 and the package's own messages: make setup")

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from robot import image_message

from fer_ros.msg import FaceEmotionArray
from fer_ros.nodes.emotion import diagnostics
from fer_ros.nodes.emotion.node import EmotionNode
from fer_ros.nodes.emotion.parameter_groups import DiagnosticsParameters
from fer_ros.nodes.emotion.state import NodeState

ROOT = Path(__file__).parents[2]


@pytest.fixture
def start(robot, model, quick_start, monkeypatch):
    """Start an emotion node that reports ten times a second; return its statuses by name."""
    monkeypatch.setattr(diagnostics, "_PERIOD", 0.1)

    def started(**parameters):
        reports: dict[str, DiagnosticStatus] = {}

        prefix = f"{robot.namespace.strip('/')}/"

        def receive(array):
            reports.update({s.name.removeprefix(prefix): s for s in array.status if s.name.startswith(prefix)})

        robot.node.create_subscription(DiagnosticArray, "/diagnostics", receive, 10)
        assert robot.start(EmotionNode, model=str(model), **parameters).autostart()
        return reports

    return started


def wait_for(robot, reports, name, level, text, step=lambda: None):
    """Repeat `step` until a status has `level` and `text` in its message; return its values."""

    def matching_status():
        step()
        status = reports.get(name)
        return status if status and status.level == level and text in status.message else None

    status = robot.wait_until(matching_status, f"{level} and '{text}' of {name}")
    return {value.key: value.value for value in status.values}


def test_diagnostics_report_rates_times_and_model(robot, start, astronaut):
    reports = start(diagnostics__warn_after=100.0, diagnostics__error_after=100.0)
    camera = robot.matched_camera()
    result = robot.process(camera, astronaut)
    name = "emotion_node: camera"
    wait_for(robot, reports, name, DiagnosticStatus.OK, "processing", lambda: robot.process(camera, astronaut))
    reports.clear()  # the next one follows an image with a face
    values = wait_for(robot, reports, name, DiagnosticStatus.OK, "processing", lambda: robot.process(camera, astronaut))
    assert reports[name].hardware_id == f"{robot.namespace}/image"
    assert values["model"] == result.model_id
    assert values["backend"] == "torchscript"
    assert values["faces"] == "1"
    assert int(values["images processed"]) >= 1
    assert values["images unreadable"] == "0"
    for rate in ("images/s", "processed/s"):
        assert float(values[rate]) > 0
    stages = ("conversion", "detection", "classification", "decision", "publishing", "scan")
    medians = [float(values[f"{stage} p50 (ms)"]) for stage in stages]
    assert min(medians) >= 0  # conversion takes less than the 0.05 ms that are shown as 0.0
    assert min(medians[1:3]) > 0
    assert sum(medians) <= float(values["total p95 (ms)"]) * len(stages)
    for stage in (*stages, "total"):
        assert float(values[f"{stage} p50 (ms)"]) <= float(values[f"{stage} p95 (ms)"])
    # The robot's stamps are near 1000 s after 1970, as of a camera with a wrong clock.
    assert float(values["age of last processed image (s)"]) == pytest.approx(time.time() - 1000, abs=300)


def test_diagnostics_warn_then_fail_without_images(robot, start, astronaut):
    reports = start(diagnostics__warn_after=0.5, diagnostics__error_after=1.5)
    name = "emotion_node: camera"
    wait_for(robot, reports, name, DiagnosticStatus.STALE, "no image")  # there has been none
    camera = robot.matched_camera()
    wait_for(robot, reports, name, DiagnosticStatus.OK, "processing", lambda: robot.process(camera, astronaut))
    wait_for(robot, reports, name, DiagnosticStatus.WARN, "no image for")
    values = wait_for(robot, reports, name, DiagnosticStatus.ERROR, "no image for")
    assert float(values["time since last image (s)"]) >= 1.5


@pytest.mark.parametrize(
    ("period", "waited", "level"),
    [
        (0.1, 2.1, DiagnosticStatus.WARN),
        (0.1, 5.1, DiagnosticStatus.ERROR),
        (2.0, 4.9, DiagnosticStatus.OK),
        (2.0, 5.1, DiagnosticStatus.WARN),
        (10.0, 24.0, DiagnosticStatus.OK),
        (10.0, 26.0, DiagnosticStatus.WARN),
        (10.0, 63.0, DiagnosticStatus.ERROR),
    ],
)
def test_diagnostics_limits_follow_a_slow_camera(period, waited, level):
    arrivals = SimpleNamespace(count=9, since_last=waited, period=SimpleNamespace(seconds=period))
    statistics = SimpleNamespace(arrivals=arrivals, stamps_stand_still=False)
    camera = SimpleNamespace(subscribed=True, statistics=statistics)
    rates = diagnostics._Rates(received=1.0, processed=1.0, skipped=0.0, unreadable=0.0)
    assert diagnostics._level(camera, rates, DiagnosticsParameters())[0] == level


def test_diagnostics_warn_about_unreadable_images(robot, start, astronaut):
    reports = start(diagnostics__warn_after=100.0, diagnostics__error_after=100.0)
    camera = robot.matched_camera()
    broken = image_message(astronaut)
    broken.encoding = "rgb9"
    values = wait_for(
        robot,
        reports,
        "emotion_node: camera",
        DiagnosticStatus.WARN,
        "unreadable",
        lambda: camera.publish(broken),
    )
    assert int(values["images unreadable"]) > 0


def test_diagnostics_warn_about_stamps_that_stand_still(robot, start, astronaut):
    reports = start(diagnostics__warn_after=100.0, diagnostics__error_after=100.0)
    camera, name = robot.matched_camera(), "emotion_node: camera"
    same = image_message(astronaut, robot.stamp())
    wait_for(robot, reports, name, DiagnosticStatus.WARN, "stamps of the images do not", lambda: camera.publish(same))
    wait_for(robot, reports, name, DiagnosticStatus.OK, "processing", lambda: robot.process(camera, astronaut))


def test_diagnostics_warn_when_too_slow(robot, start, astronaut, monkeypatch):
    recognize = NodeState.recognize
    monkeypatch.setattr(NodeState, "recognize", lambda *arguments: time.sleep(0.2) or recognize(*arguments))
    reports = start(diagnostics__warn_after=100.0, diagnostics__error_after=100.0)
    camera = robot.matched_camera()
    values = wait_for(
        robot,
        reports,
        "emotion_node: camera",
        DiagnosticStatus.WARN,
        "too slow",
        lambda: camera.publish(image_message(astronaut, robot.stamp())),
    )
    assert int(values["images skipped"]) > 0
    assert float(values["images/s"]) > float(values["processed/s"])


def test_diagnostics_have_one_status_per_camera(robot, start, astronaut):
    reports = start(cameras=["left", "right"], lazy=False, diagnostics__warn_after=0.5, diagnostics__error_after=100.0)
    robot.node.create_subscription(FaceEmotionArray, "left/emotions", robot.add_result, 100)
    left = robot.matched_camera("left/image")
    wait_for(
        robot, reports, "emotion_node: left", DiagnosticStatus.OK, "processing", lambda: robot.process(left, astronaut)
    )
    wait_for(robot, reports, "emotion_node: right", DiagnosticStatus.WARN, "no image")


def test_diagnostics_are_ok_while_idle(robot, start):
    reports = start(cameras=["idle"], diagnostics__warn_after=0.1, diagnostics__error_after=0.1)
    wait_for(robot, reports, "emotion_node: idle", DiagnosticStatus.OK, "idle")


def test_diagnostics_are_ok_above_max_rate(robot, start, astronaut):
    reports = start(max_rate=1.0, diagnostics__warn_after=100.0, diagnostics__error_after=100.0)
    camera = robot.matched_camera()

    def many_are_above():
        camera.publish(image_message(astronaut, robot.stamp()))
        status = reports.get("emotion_node: camera")
        # Of the first images, some are skipped while the model warms up.
        is_ok = status and status.level == DiagnosticStatus.OK
        return is_ok and any(v.key == "images above max_rate" and int(v.value) > 5 for v in status.values)

    robot.wait_until(many_are_above, "images above max_rate, which are no fault")


def test_aggregator_configuration_matches_status_names(robot, start):
    reports = start(cameras=["left", "right"])
    robot.wait_until(lambda: len(reports) == 2, "two statuses")
    file = yaml.safe_load((ROOT / "config/diagnostics_aggregator.yaml").read_text())
    prefixes = tuple(file["analyzers"]["ros__parameters"]["emotions"]["find_and_remove_prefix"])
    assert all(name.startswith(prefixes) for name in reports)
