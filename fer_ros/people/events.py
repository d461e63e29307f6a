"""Who is there: people that appear, change what they show, and are lost, and the one to attend to."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from fer_ros.types import FaceResult, Position

_DOMINANCE_HOLD = 0.5
"""Seconds that somebody must be clearly ahead before the robot turns to them."""
_CLEARLY_LARGER = math.log(1.2)
"""20 % in width or in distance; boxes of one resting face vary by about 10 %."""
_CLEARLY_MORE_CENTRAL = 0.1
"""Of the way from the image's center to its corner."""

_TICK = 1e-6
"""Seconds; stamps since 1970 are exact to a quarter of that."""


class EventKind(IntEnum):
    """As in EmotionEvent.msg."""

    APPEARED = 1
    CHANGED = 2
    LOST = 3


@dataclass(frozen=True)
class Event:
    """Something a behavior waits for; the fields are those of EmotionEvent.msg."""

    kind: EventKind
    face_id: str
    dominant: bool
    """Whether this is the face to attend to."""
    previous: str
    """What the face was said to show until now; empty on APPEARED."""
    current: str
    """What it is said to show from now on; empty on LOST."""
    confidence: float
    """0..1, of `current`; NaN on LOST."""
    position: Position | None
    """Where the face is, on LOST where it was last; None when unknown."""


@dataclass
class _Track:
    emotion: FaceResult
    """As last seen."""
    last_seen: float
    watched_for: float = 0.0
    """Seconds between images that both show the face."""
    reported: str = ""
    """The emotion in the last event about this person; empty before APPEARED."""


class FaceEvents:
    """The people before one camera.

    Args:
        appear_after: seconds a face must be seen from image to image before it counts, so that a false face that
            flashes up gives no events; 0 counts each face at once.
        lost_after: seconds without being seen after which a person is lost.
        dominant_rule: who is to be attended to: "largest", "nearest" (like largest while no position is known),
            "most_central" or "longest_seen".

    Raises:
        ValueError: a number is out of its range, or there is no such rule.
    """

    def __init__(self, appear_after: float = 0.3, lost_after: float = 1.0, dominant_rule: str = "largest"):
        if not 0 <= appear_after < math.inf:
            raise ValueError(f"appear_after must be 0 or more seconds, not {appear_after}")
        if not 0 < lost_after < math.inf:
            raise ValueError(f"lost_after must be above 0 seconds, not {lost_after}")
        self._appear_after = appear_after
        self._lost_after = lost_after
        self._dominance = _Dominance(dominant_rule)
        self._people: dict[str, _Track] = {}
        self._last_stamp = -math.inf

    def with_rules(self, appear_after: float, lost_after: float, dominant_rule: str) -> FaceEvents:
        """The same people under other rules, which mean what they mean for a new object; this one is done with.

        Nobody appears again or is lost by that.

        Raises:
            ValueError: as for a new object.
        """
        others = FaceEvents(appear_after, lost_after, dominant_rule)
        others._people, others._last_stamp = self._people, self._last_stamp
        others._dominance.face_id = self.dominant
        return others

    @property
    def dominant(self) -> str:
        """The face_id of the person to attend to, empty for nobody.

        It stays with a person who is hidden for less than `lost_after`, so she may be missing from this very image.
        """
        return self._dominance.face_id

    def update(self, faces: Sequence[FaceResult], stamp: float, image_size: tuple[int, int]) -> list[Event]:
        """What the faces of a new image mean for who is there.

        When time jumps back, as in a recording that is played again, everybody is lost and counting starts anew.

        Args:
            faces: every face of the image.
            stamp: when it was taken, seconds.
            image_size: its width and height, pixels.

        Returns:
            First whom was lost, then who appeared or changed, in the order of `faces`.
        """
        lost = self.drop_all() if stamp < self._last_stamp else self._lose(stamp, faces)
        for face in faces:
            self._see(face, stamp)
        self._last_stamp = stamp
        self._attend(faces, stamp, image_size)
        return lost + [event for face in faces for event in self._pending_event(self._people[face.id])]

    def drop_all(self) -> list[Event]:
        """Everybody is lost: for a camera that is no longer looked at."""
        events = [self._lost_event(person) for person in self._people.values() if person.reported]
        self._people.clear()
        self._dominance.forget()
        self._last_stamp = -math.inf
        return events

    def _lose(self, stamp: float, faces: Sequence[FaceResult]) -> list[Event]:
        seen = {face.id for face in faces}
        gone = [
            face_id
            for face_id, person in self._people.items()
            if face_id not in seen and stamp - person.last_seen >= self._lost_after - _TICK
        ]
        people = [self._people.pop(face_id) for face_id in gone]
        return [self._lost_event(person) for person in people if person.reported]

    def _see(self, face: FaceResult, stamp: float) -> None:
        person = self._people.setdefault(face.id, _Track(face, stamp))
        if person.last_seen == self._last_stamp:
            person.watched_for += stamp - self._last_stamp
        person.emotion, person.last_seen = face, stamp

    def _attend(self, faces: Sequence[FaceResult], stamp: float, image_size: tuple[int, int]) -> None:
        present = {face.id: face for face in faces if self._counts(self._people[face.id])}
        # While the one attended to is hidden for a moment, nobody else takes the place.
        if self.dominant in present or self.dominant not in self._people:
            self._dominance.update(present, stamp, image_size)

    def _counts(self, person: _Track) -> bool:
        return bool(person.reported) or person.watched_for >= self._appear_after - _TICK

    def _pending_event(self, person: _Track) -> list[Event]:
        current, previous = person.emotion.emotion, person.reported
        if not self._counts(person) or current == previous:
            return []
        person.reported = current
        kind = EventKind.CHANGED if previous else EventKind.APPEARED
        return [self._event(kind, person, previous, current, person.emotion.confidence)]

    def _lost_event(self, person: _Track) -> Event:
        return self._event(EventKind.LOST, person, person.reported, "", math.nan)

    def _event(self, kind: EventKind, person: _Track, previous: str, current: str, confidence: float) -> Event:
        face_id = person.emotion.id
        return Event(kind, face_id, face_id == self.dominant, previous, current, confidence, person.emotion.position)


class _Dominance:
    """Keeps attending to one face until another is clearly ahead for a while."""

    def __init__(self, rule: str):
        if rule not in _RULES:
            raise ValueError(f"dominant_rule must be one of {', '.join(_RULES)}, not '{rule}'")
        self._merit, self._lead = _RULES[rule]
        self.face_id = ""
        self._rival = ""
        self._rival_since = 0.0

    def forget(self) -> None:
        self.face_id = self._rival = ""

    def update(self, present: Mapping[str, FaceResult], stamp: float, image_size: tuple[int, int]) -> None:
        merits = self._merit(present, image_size)
        best = max(merits, key=merits.__getitem__, default="")
        if self.face_id not in merits:
            self.face_id, self._rival = best, ""
        elif merits[best] <= merits[self.face_id] + self._lead:
            self._rival = ""
        elif best != self._rival:
            self._rival, self._rival_since = best, stamp
        elif stamp - self._rival_since >= _DOMINANCE_HOLD - _TICK:
            self.face_id, self._rival = best, ""


_Merits = Callable[[Mapping[str, FaceResult], tuple[int, int]], dict[str, float]]


def _size(present: Mapping[str, FaceResult], image_size: tuple[int, int]) -> dict[str, float]:
    return {face_id: math.log(max(shown.box.area, 1)) / 2 for face_id, shown in present.items()}


def _nearness(present: Mapping[str, FaceResult], image_size: tuple[int, int]) -> dict[str, float]:
    places = {face_id: shown.position for face_id, shown in present.items()}
    if None in places.values():
        return _size(present, image_size)
    return {face_id: -math.log(max(math.hypot(*place), 1e-3)) for face_id, place in places.items() if place}


def _centrality(present: Mapping[str, FaceResult], image_size: tuple[int, int]) -> dict[str, float]:
    middle = image_size[0] / 2, image_size[1] / 2
    return {face_id: -math.dist(shown.box.center, middle) / math.hypot(*middle) for face_id, shown in present.items()}


def _acquaintance(present: Mapping[str, FaceResult], image_size: tuple[int, int]) -> dict[str, float]:
    return {face_id: shown.tracked_for for face_id, shown in present.items()}


_RULES: dict[str, tuple[_Merits, float]] = {
    "largest": (_size, _CLEARLY_LARGER),
    "nearest": (_nearness, _CLEARLY_LARGER),
    "most_central": (_centrality, _CLEARLY_MORE_CENTRAL),
    "longest_seen": (_acquaintance, 0.0),
}
"""Rules by name: how much each face deserves attention, and by how much another must deserve more."""

DOMINANT_RULES = tuple(_RULES)
"""The names that `dominant_rule` can have."""
