# SPDX-License-Identifier: Apache-2.0
"""The state of the dashboard, the shapes of a person's history, and the HTML made of them."""

from __future__ import annotations

import re

import numpy as np
import pytest

from fer_ros.cli import demo
from fer_ros.nodes.dashboard import charts, timeline
from fer_ros.nodes.dashboard.state import (
    MAX_EVENTS,
    MAX_PEOPLE,
    Camera,
    DashboardState,
    Epoch,
    EventLine,
    Person,
    Sample,
    Status,
    Training,
)
from fer_ros.types import Box, FaceResult

LABELS = ("happy", "sad")


def face(face_id: str, happy: float = 0.75) -> FaceResult:
    scores = np.array([happy, 1 - happy], np.float32)
    emotion = "happy" if happy >= 0.5 else "sad"
    return FaceResult(
        box=Box(0, 0, 40, 40),
        id=face_id,
        labels=LABELS,
        scores=scores,
        smoothed_scores=scores,
        emotion=emotion,
        confidence=max(happy, 1 - happy),
    )


def seen(camera: Camera, now: float, *faces: FaceResult, labels=LABELS) -> Camera:
    return camera.with_result(labels, "toy@12345678", faces, faces[0].id if faces else "", now, 10.0)


def epoch(number: int) -> Epoch:
    return Epoch(number, 1.0, 1.1, 0.5, 0.6)


def test_history_is_sampled_and_shortened():
    camera = Camera()
    for image in range(30 * 30):
        camera = seen(camera, 100 + image / 30, face("f1"))
    (person,) = camera.people
    assert person.seen == 100 + 899 / 30
    assert 38 <= len(person.samples) <= 42
    assert all(before.time < after.time for before, after in zip(person.samples, person.samples[1:], strict=False))
    # One sample may lie before the left edge, so that the shape reaches it.
    assert person.samples[0].time <= person.seen - 9.5


def test_person_leaves_after_the_history():
    camera = seen(seen(Camera(), 0.0, face("f1")), 9.0, face("f2"))
    assert [person.face_id for person in camera.people] == ["f1", "f2"]
    assert [person.face_id for person in seen(camera, 10.5).people] == ["f2"]


def test_crowd_is_limited_to_the_latest():
    camera = Camera()
    for number in range(3 * MAX_PEOPLE):
        camera = seen(camera, number * 0.1, face(f"f{number}"))
    assert [person.face_id for person in camera.people] == [f"f{number}" for number in range(16, 24)]


def test_other_labels_start_anew():
    camera = seen(seen(Camera(), 0.0, face("f1")), 1.0, face("f1"), labels=("sad", "happy"))
    assert len(camera.people[0].samples) == 1


def test_events_are_limited_and_latest_first():
    state = DashboardState()
    for number in range(2 * MAX_EVENTS):
        state = state.with_event(EventLine("12:00:00", "", f"f{number}", "appeared, happy", "happy"))
    assert len(state.events) == MAX_EVENTS
    assert state.events[0].face_id == f"f{2 * MAX_EVENTS - 1}"


@pytest.mark.parametrize(
    ("run", "number", "expected"),
    [("a", 4, [1, 2, 3, 4]), ("a", 2, [1, 2]), ("b", 1, [1])],
    ids=["next epoch", "resumed earlier", "another run"],
)
def test_training_keeps_the_epochs_of_one_run(run, number, expected):
    training = Training()
    for name, one in (("a", 1), ("a", 2), ("a", 3), (run, number)):
        training = training.with_epoch(name, "", 9, 100.0, 5.0, epoch(one))
    assert [one.number for one in training.epochs] == expected
    assert [point[0] for point in charts.accuracy(training.epochs)["series"][0]["data"]] == expected


def test_timeline_fills_the_height_and_ends_at_the_last_image():
    person = Person("f1", "sad", 0.8, 9.0, (Sample(0.0, "happy", (0.75, 0.25)), Sample(0.5, "sad", (0.2, 0.8))))
    person = Person("f1", "sad", 0.8, 1.0, person.samples)
    lower, upper = timeline.areas(person, LABELS, now=2.0, history=2.0)
    assert lower.color == timeline.css_color("happy")
    assert lower.path.startswith("M0.0 25.0L250.0 80.0L500.0 80.0L500.0 100.0L")
    assert upper.path.startswith("M0.0 0.0L250.0 0.0L500.0 0.0L500.0 80.0L")
    assert [(span.emotion, span.x, span.width) for span in timeline.spans(person, 2.0, 2.0)] == [
        ("happy", 0.0, 250.0),
        ("sad", 250.0, 250.0),
    ]


def test_timeline_has_a_gap_where_the_face_was_hidden():
    times = (0.0, 0.5, 4.0, 4.5)
    samples = tuple(Sample(time, "happy", (1.0, 0.0)) for time in times)
    spans = timeline.spans(Person("f1", "happy", 1.0, 4.5, samples), now=5.0, history=5.0)
    assert [(span.x, span.width) for span in spans] == [(0.0, 100.0), (800.0, 100.0)]


def test_texts_of_other_nodes_are_escaped():
    views = pytest.importorskip("fer_ros.nodes.dashboard.views", reason="needs Jinja2")
    hostile = "<script>alert(1)</script>"
    person = Person(hostile, hostile, 0.5, 0.0, (Sample(0.0, hostile, (1.0,)),))
    status = Status(0, hostile, {f"{hostile} p50 (ms)": "1", f"{hostile} p95 (ms)": "2", "faces": hostile}, 0.0)
    pages = [
        views.people(Camera((hostile,), "", (person,)), 0.1, 10.0),
        views.legend(Camera((hostile,))),
        views.events([EventLine(hostile, hostile, hostile, hostile, hostile)], True),
        views.health(status, hostile, 0.0),
        views.health(None, hostile, 0.0),
        views.training(Training(hostile, hostile, 9, 1.0, 1.0, (epoch(1),)), status),
    ]
    for html in pages:
        assert "<script" not in html
        assert "&lt;script" in html


def test_present_people_come_first_and_short_visits_are_left_out():
    views = pytest.importorskip("fer_ros.nodes.dashboard.views", reason="needs Jinja2")
    camera = seen(Camera(), 0.0, face("f1"), face("f2"))
    for image in range(1, 5):
        camera = seen(camera, image * 0.5, face("f1"))
    camera = seen(camera, 5.0, face("f3"))
    assert re.findall(r'class="id">(f\d)<', views.people(camera, 5.0, 10.0)) == ["f3", "f1"]


@pytest.mark.parametrize(
    ("status", "level", "message"),
    [
        (None, "stale", "no diagnostics from emotion_node: does it run, and is it active?"),
        (Status(0, "processing 9 images/s", {}, 0.0), "stale", "no diagnostics from emotion_node: does it run"),
        (Status(0, "idle", {}, 9.0), "ok", "idle: the node is disabled"),
        (Status(1, "too slow", {}, 9.0), "warn", "too slow"),
        (Status(200, "strange", {}, 9.0), "error", "strange"),
    ],
    ids=["never", "no longer", "disabled", "warning", "unknown level"],
)
def test_health_says_what_is_wrong(status, level, message):
    views = pytest.importorskip("fer_ros.nodes.dashboard.views", reason="needs Jinja2")
    html = views.health(status, "emotion_node", 10.0)
    assert re.search(rf'class="level {level}"><i></i>{re.escape(message)}', html)


def test_bars_of_stages_are_in_proportion():
    views = pytest.importorskip("fer_ros.nodes.dashboard.views", reason="needs Jinja2")
    values = {"detection p50 (ms)": "4.0", "detection p95 (ms)": "8", "scan p50 (ms)": "nan", "scan p95 (ms)": "x"}
    html = views.health(Status(0, "fine", values, 0.0), "emotion_node", 0.0)
    assert "width: 50.0%" in html
    assert "width: 100.0%" in html
    assert "scan" not in html


@pytest.mark.parametrize(
    ("arguments", "duration", "loop"),
    [
        ([], 0.0, True),
        (["--input", "clip.mp4"], 0.0, True),
        (["--input", "0"], 0.0, False),
        (["--duration", "5"], 5.0, True),
    ],
)
def test_demo_with_dashboard_runs_until_it_is_stopped(arguments, duration, loop):
    planned = demo.plan(demo.parser().parse_args(["--dashboard", *arguments]))
    assert (planned.duration, planned.loop) == (duration, loop)
