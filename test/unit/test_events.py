# SPDX-License-Identifier: Apache-2.0
"""Events about faces, and the choice of the dominant face."""

import itertools
import math
import re
from pathlib import Path

import numpy as np
import pytest

from fer_ros.people.attention import DOMINANT_RULES
from fer_ros.people.events import EventKind, EventSettings, FaceEvents
from fer_ros.types import UNKNOWN, Box, FaceResult

APPEARED, CHANGED, LOST, PRESENT, NOTICE = EventKind
SIZE = (640, 480)
SCORES = np.array([0.7, 0.3])


def face(face_id="1", emotion="happy", box=(100, 100, 80, 80), position=None, tracked_for=0.0):
    return FaceResult(
        box=Box(*box),
        id=face_id,
        tracked_for=tracked_for,
        labels=("happy", "sad"),
        scores=SCORES,
        smoothed_scores=SCORES,
        emotion=emotion,
        confidence=0.7,
        position=position,
    )


def create(**settings):
    return FaceEvents(EventSettings(**settings))


def watch(face_events, images, rate=10, start=0.0):
    """Return the events as (seconds, kind, face_id, previous, current)."""
    events = []
    for step, faces in enumerate(images):
        stamp = start + step / rate
        events += [
            (round(stamp, 3), event.kind, event.face_id, event.previous, event.current)
            for event in face_events.update(faces, stamp, SIZE)
        ]
    return events


def test_face_appears_changes_and_is_lost():
    images = [[face()]] * 10 + [[face(emotion="sad")]] * 5 + [[]] * 15
    assert watch(create(appear_after=0.3, lost_after=1.0), images) == [
        (0.3, APPEARED, "1", "", "happy"),
        (1.0, CHANGED, "1", "happy", "sad"),
        (2.4, LOST, "1", "sad", ""),
    ]


def test_notice_comes_before_the_face_appears():
    events = create(appear_after=0.3, notice=2.0, lost_after=1.0)
    withheld = []
    for step in range(30):
        events.update([face()], step / 10, SIZE)
        withheld.append(events.is_withheld("1"))
    assert withheld == [True] * 23 + [False] * 7
    images = [[face()]] * 25 + [[]] * 15
    assert watch(create(appear_after=0.3, notice=2.0, lost_after=1.0), images) == [
        (0.3, NOTICE, "1", "", ""),
        (2.3, APPEARED, "1", "", "happy"),
        (3.4, LOST, "1", "happy", ""),
    ]


def test_face_that_leaves_after_its_notice_is_not_lost():
    assert watch(create(appear_after=0.0, notice=2.0), [[face()], *[[]] * 20]) == [(0.0, NOTICE, "1", "", "")]


@pytest.mark.parametrize("rate", [5, 20, 60])
def test_event_times_are_in_seconds_at_any_rate(rate):
    images = [[face()]] * (2 * rate + 1) + [[]] * (2 * rate)
    appeared, lost = watch(create(appear_after=0.4, lost_after=1.0), images, rate, start=1.7e9)
    assert appeared[0] - 1.7e9 == pytest.approx(0.4, abs=1e-3)
    assert lost[0] - 1.7e9 == pytest.approx(3.0, abs=1e-3)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9, 100.0])
def test_face_appears_once_at_any_image_rate(rate):
    seen, second = [[face()]] * max(3, int(rate)), int(rate)
    assert [event[1] for event in watch(create(), [*seen, []] * 3 + seen, rate)] == [APPEARED]
    assert [event[1] for event in watch(create(), seen + [[]] * (2 + second), rate)] == [APPEARED, LOST]


def test_false_detections_give_no_events():
    false_detections = [[face("7")], [], [], [face("7")], [], [face("8"), face("9")], []] + [[]] * 20
    face_events = create()
    assert watch(face_events, false_detections) == []
    assert face_events.dominant_id == ""


def test_face_missed_for_a_moment_is_not_lost():
    images = [[face()]] * 5 + [[]] * 8 + [[face()]] * 5
    assert [event[1] for event in watch(create(lost_after=1.0), images)] == [APPEARED]


def test_appear_after_zero_reports_at_once():
    assert watch(create(appear_after=0), [[face(emotion=UNKNOWN)]]) == [(0.0, APPEARED, "1", "", UNKNOWN)]


def test_change_to_unknown_is_an_event():
    images = [[face()], [face(emotion=UNKNOWN)], [face()]]
    changes = watch(create(appear_after=0), images)[1:]
    assert [(previous, current) for *_, previous, current in changes] == [
        ("happy", UNKNOWN),
        (UNKNOWN, "happy"),
    ]


def test_events_carry_confidence_and_position():
    face_events = create(appear_after=0, lost_after=0.5)
    (appeared,) = face_events.update([face(position=(0.1, 0.2, 1.5))], 0.0, SIZE)
    (lost,) = face_events.update([], 0.5, SIZE)
    assert (appeared.confidence, appeared.position, appeared.dominant) == (0.7, (0.1, 0.2, 1.5), True)
    assert math.isnan(lost.confidence)
    assert (lost.position, lost.dominant) == ((0.1, 0.2, 1.5), True)


def test_present_lists_appeared_faces_until_they_are_lost():
    face_events = create(appear_after=0.3, lost_after=1.0)
    watch(face_events, [[face("1"), face("2", emotion="sad")]] * 5 + [[face("2", emotion="sad"), face("3")]])
    present = face_events.present()
    assert [(event.kind, event.face_id, event.previous, event.current) for event in present] == [
        (PRESENT, "1", "", "happy"),
        (PRESENT, "2", "", "sad"),
    ]
    assert [event.dominant for event in present] == [event.face_id == face_events.dominant_id for event in present]
    watch(face_events, [[]] * 12, start=1.0)
    assert face_events.present() == []


def test_reset_loses_each_appeared_face_once():
    face_events = create(appear_after=0.3)
    watch(face_events, [[face("1"), face("2")]] * 5 + [[face("1"), face("2"), face("3")]])
    assert sorted((event.kind, event.face_id) for event in face_events.reset()) == [(LOST, "1"), (LOST, "2")]
    assert face_events.reset() == []
    assert face_events.dominant_id == ""
    assert [event[1] for event in watch(face_events, [[face("1")]] * 5, start=10)] == [APPEARED]


def test_faces_are_lost_when_stamps_jump_back():
    face_events = create(appear_after=0.3)
    watch(face_events, [[face("1")]] * 10, start=100)
    again = watch(face_events, [[face("2")]] * 5, start=3)
    assert again == [(3.0, LOST, "1", "happy", ""), (3.3, APPEARED, "2", "", "happy")]


def test_gap_in_images_loses_faces_that_left():
    face_events = create()
    watch(face_events, [[face("1"), face("2", box=(300, 100, 80, 80))]] * 10)
    events = watch(face_events, [[face("2", box=(300, 100, 80, 80))]], start=60)
    assert events == [(60.0, LOST, "1", "happy", "")]


def test_new_settings_keep_faces():
    face_events = create(appear_after=0)
    face_events.update([face("1"), face("2", box=(300, 100, 60, 60))], 0.0, SIZE)
    changed = face_events.with_settings(EventSettings(appear_after=0.3, lost_after=5.0, dominant_rule="longest_seen"))
    assert changed.dominant_id == "1"
    assert changed.update([face("2", emotion="sad", box=(300, 100, 60, 60))], 1.5, SIZE)[0].kind == CHANGED
    assert [event.kind for event in changed.update([], 7.0, SIZE)] == [LOST, LOST]


# --- dominant face ---

NEAR = face("near", box=(0, 0, 100, 100), position=(-1.0, -0.5, 1.0), tracked_for=2)
CENTRAL = face("central", box=(295, 215, 50, 50), position=(0.0, 0.0, 2.5), tracked_for=1)
OLD = face("old", box=(500, 300, 60, 60), position=(1.0, 0.5, 2.0), tracked_for=60)
LARGE = face("large", box=(400, 0, 150, 150), position=(0.8, -0.5, 1.6), tracked_for=3)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [("largest", "large"), ("nearest", "near"), ("most_central", "central"), ("longest_seen", "old")],
)
def test_dominant_rules_choose_different_faces(rule, expected):
    for order in itertools.permutations([NEAR, CENTRAL, OLD, LARGE]):
        face_events = create(appear_after=0, dominant_rule=rule)
        face_events.update(order, 0.0, SIZE)
        assert face_events.dominant_id == expected


def test_nearest_without_positions_is_largest():
    face_events = create(appear_after=0, dominant_rule="nearest")
    face_events.update([face("1"), face("2", box=(300, 100, 120, 120))], 0.0, SIZE)
    assert face_events.dominant_id == "2"


def test_dominant_face_does_not_alternate():
    face_events, dominant = create(appear_after=0), set()
    for step in range(100):
        first = 80 + 6 * math.sin(step)
        pair = [face("1", box=(50, 100, round(first), 80)), face("2", box=(400, 100, 82, 80))]
        face_events.update(pair, step / 10, SIZE)
        dominant.add(face_events.dominant_id)
    assert len(dominant) == 1


def test_dominant_face_changes_after_hold():
    face_events = create(appear_after=0)
    face_events.update([face("1")], 0.0, SIZE)
    closer = [face("1"), face("2", box=(300, 100, 120, 120))]
    for step in range(1, 11):
        face_events.update(closer, step / 10, SIZE)
        assert face_events.dominant_id == ("1" if step < 6 else "2")


def test_hidden_dominant_face_stays_dominant():
    face_events = create(appear_after=0, lost_after=1.0)
    other = face("2", box=(300, 100, 60, 60))
    face_events.update([face("1"), other], 0.0, SIZE)
    for step in range(1, 10):
        face_events.update([other], step / 10, SIZE)
        assert face_events.dominant_id == "1"
    (lost,) = face_events.update([other], 1.0, SIZE)
    assert (lost.face_id, lost.dominant, face_events.dominant_id) == ("1", True, "2")


def test_event_kinds_match_message():
    text = (Path(__file__).parents[2] / "msg" / "EmotionEvent.msg").read_text()
    constants = {name: int(value) for name, value in re.findall(r"^uint8 (\w+)=(\d+)", text, re.MULTILINE)}
    assert constants == {kind.name: kind.value for kind in EventKind}


@pytest.mark.parametrize(
    "wrong",
    [{"appear_after": -1.0}, {"lost_after": 0.0}, {"lost_after": float("nan")}, {"dominant_rule": "loudest"}],
)
def test_event_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        EventSettings(**wrong)
    with pytest.raises(ValueError, match=", ".join(DOMINANT_RULES)):
        create(dominant_rule="loudest")
