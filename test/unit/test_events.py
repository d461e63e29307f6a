"""Who is there: events a behavior can rely on, and one person to attend to."""

import itertools
import math
import re
from pathlib import Path

import numpy as np
import pytest

from fer_ros.people.events import DOMINANT_RULES, EventKind, FaceEvents
from fer_ros.types import UNKNOWN, Box, FaceResult

APPEARED, CHANGED, LOST = EventKind
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


def watch(people, images, rate=10, start=0.0):
    """Events as (seconds, kind, face_id, previous, current)."""
    events = []
    for step, faces in enumerate(images):
        stamp = start + step / rate
        events += [
            (round(stamp, 3), event.kind, event.face_id, event.previous, event.current)
            for event in people.update(faces, stamp, SIZE)
        ]
    return events


def test_a_person_appears_changes_and_is_lost():
    images = [[face()]] * 10 + [[face(emotion="sad")]] * 5 + [[]] * 15
    assert watch(FaceEvents(appear_after=0.3, lost_after=1.0), images) == [
        (0.3, APPEARED, "1", "", "happy"),
        (1.0, CHANGED, "1", "happy", "sad"),
        (2.4, LOST, "1", "sad", ""),
    ]


@pytest.mark.parametrize("rate", [5, 20, 60])
def test_times_are_counted_in_seconds(rate):
    images = [[face()]] * (2 * rate + 1) + [[]] * (2 * rate)
    appeared, lost = watch(FaceEvents(appear_after=0.4, lost_after=1.0), images, rate, start=1.7e9)
    assert appeared[0] - 1.7e9 == pytest.approx(0.4, abs=1e-3)
    assert lost[0] - 1.7e9 == pytest.approx(3.0, abs=1e-3)


def test_a_false_face_that_flashes_up_gives_no_events():
    flashes = [[face("7")], [], [], [face("7")], [], [face("8"), face("9")], []] + [[]] * 20
    people = FaceEvents()
    assert watch(people, flashes) == []
    assert people.dominant == ""


def test_a_face_that_is_missed_for_a_moment_is_not_lost():
    images = [[face()]] * 5 + [[]] * 8 + [[face()]] * 5
    assert [event[1] for event in watch(FaceEvents(lost_after=1.0), images)] == [APPEARED]


def test_everybody_counts_at_once_where_that_is_asked_for():
    assert watch(FaceEvents(appear_after=0), [[face(emotion=UNKNOWN)]]) == [(0.0, APPEARED, "1", "", UNKNOWN)]


def test_an_emotion_that_becomes_unknown_is_a_change():
    images = [[face()], [face(emotion=UNKNOWN)], [face()]]
    changes = watch(FaceEvents(appear_after=0), images)[1:]
    assert [(previous, current) for *_, previous, current in changes] == [
        ("happy", UNKNOWN),
        (UNKNOWN, "happy"),
    ]


def test_events_carry_confidence_and_place():
    people = FaceEvents(appear_after=0, lost_after=0.5)
    (appeared,) = people.update([face(position=(0.1, 0.2, 1.5))], 0.0, SIZE)
    (lost,) = people.update([], 0.5, SIZE)
    assert (appeared.confidence, appeared.position, appeared.dominant) == (0.7, (0.1, 0.2, 1.5), True)
    assert math.isnan(lost.confidence)
    assert (lost.position, lost.dominant) == ((0.1, 0.2, 1.5), True)


def test_when_nobody_looks_any_more_each_who_appeared_is_lost_once():
    people = FaceEvents(appear_after=0.3)
    watch(people, [[face("1"), face("2")]] * 5 + [[face("1"), face("2"), face("3")]])
    assert sorted((event.kind, event.face_id) for event in people.drop_all()) == [(LOST, "1"), (LOST, "2")]
    assert people.drop_all() == []
    assert people.dominant == ""
    assert [event[1] for event in watch(people, [[face("1")]] * 5, start=10)] == [APPEARED]


def test_in_a_looped_recording_everybody_is_lost_and_comes_anew():
    people = FaceEvents(appear_after=0.3)
    watch(people, [[face("1")]] * 10, start=100)
    again = watch(people, [[face("2")]] * 5, start=3)
    assert again == [(3.0, LOST, "1", "happy", ""), (3.3, APPEARED, "2", "", "happy")]


def test_a_pause_in_the_images_loses_those_who_left_meanwhile():
    people = FaceEvents()
    watch(people, [[face("1"), face("2", box=(300, 100, 80, 80))]] * 10)
    events = watch(people, [[face("2", box=(300, 100, 80, 80))]], start=60)
    assert events == [(60.0, LOST, "1", "happy", "")]


def test_other_rules_make_nobody_appear_again():
    people = FaceEvents(appear_after=0)
    people.update([face("1"), face("2", box=(300, 100, 60, 60))], 0.0, SIZE)
    changed = people.with_rules(appear_after=0.3, lost_after=5.0, dominant_rule="longest_seen")
    assert changed.dominant == "1"
    assert changed.update([face("2", emotion="sad", box=(300, 100, 60, 60))], 1.5, SIZE)[0].kind == CHANGED
    assert [event.kind for event in changed.update([], 7.0, SIZE)] == [LOST, LOST]
    with pytest.raises(ValueError, match="lost_after"):
        people.with_rules(0.3, -1.0, "largest")


# --- whom to attend to ---

NEAR = face("near", box=(0, 0, 100, 100), position=(-1.0, -0.5, 1.0), tracked_for=2)
MIDDLE = face("middle", box=(295, 215, 50, 50), position=(0.0, 0.0, 2.5), tracked_for=1)
OLD = face("old", box=(500, 300, 60, 60), position=(1.0, 0.5, 2.0), tracked_for=60)
LARGE = face("large", box=(400, 0, 150, 150), position=(0.8, -0.5, 1.6), tracked_for=3)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [("largest", "large"), ("nearest", "near"), ("most_central", "middle"), ("longest_seen", "old")],
)
def test_each_rule_chooses_its_own(rule, expected):
    for order in itertools.permutations([NEAR, MIDDLE, OLD, LARGE]):
        people = FaceEvents(appear_after=0, dominant_rule=rule)
        people.update(order, 0.0, SIZE)
        assert people.dominant == expected


def test_without_places_the_nearest_is_the_largest():
    people = FaceEvents(appear_after=0, dominant_rule="nearest")
    people.update([face("1"), face("2", box=(300, 100, 120, 120))], 0.0, SIZE)
    assert people.dominant == "2"


def test_two_equals_do_not_take_turns():
    people, dominant = FaceEvents(appear_after=0), set()
    for step in range(100):
        first = 80 + 6 * math.sin(step)
        pair = [face("1", box=(50, 100, round(first), 80)), face("2", box=(400, 100, 82, 80))]
        people.update(pair, step / 10, SIZE)
        dominant.add(people.dominant)
    assert len(dominant) == 1


def test_who_is_clearly_ahead_for_a_while_takes_over():
    people = FaceEvents(appear_after=0)
    people.update([face("1")], 0.0, SIZE)
    closer = [face("1"), face("2", box=(300, 100, 120, 120))]
    for step in range(1, 11):
        people.update(closer, step / 10, SIZE)
        assert people.dominant == ("1" if step < 6 else "2")


def test_who_is_hidden_for_a_moment_stays_the_one_to_attend_to():
    people = FaceEvents(appear_after=0, lost_after=1.0)
    other = face("2", box=(300, 100, 60, 60))
    people.update([face("1"), other], 0.0, SIZE)
    for step in range(1, 10):
        people.update([other], step / 10, SIZE)
        assert people.dominant == "1"
    (lost,) = people.update([other], 1.0, SIZE)
    assert (lost.face_id, lost.dominant, people.dominant) == ("1", True, "2")


def test_the_kinds_are_those_of_the_message():
    text = (Path(__file__).parents[2] / "msg" / "EmotionEvent.msg").read_text()
    constants = {name: int(value) for name, value in re.findall(r"^uint8 (\w+)=(\d+)", text, re.MULTILINE)}
    assert constants == {kind.name: kind.value for kind in EventKind}


@pytest.mark.parametrize(
    "wrong",
    [{"appear_after": -1.0}, {"lost_after": 0.0}, {"lost_after": float("nan")}, {"dominant_rule": "loudest"}],
)
def test_numbers_and_rules_that_make_no_sense_are_named(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        FaceEvents(**wrong)
    with pytest.raises(ValueError, match=", ".join(DOMINANT_RULES)):
        FaceEvents(dominant_rule="loudest")
