# SPDX-License-Identifier: Apache-2.0
"""Events for behaviors: a face appeared, changed its emotion, or was lost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from fer_ros.image_period import ImagePeriod
from fer_ros.people.attention import DominantFace, check_rule
from fer_ros.people.hysteresis import TIME_TOLERANCE
from fer_ros.types import FaceResult, Position

_LOST_PERIODS = 1.5
"""Periods of the images for which a face must be unseen at least before it is LOST: missed in two consecutive ones."""


class EventKind(IntEnum):
    """Kinds of event, numbered as in EmotionEvent.msg."""

    APPEARED = 1
    CHANGED = 2
    LOST = 3
    PRESENT = 4
    """The face had appeared before; tells a late subscriber who is there."""
    NOTICE = 5
    """A new face was seen; only after `EventSettings.notice` it APPEARED and has results."""


@dataclass(frozen=True)
class Event:
    """An event about one face; the fields are those of EmotionEvent.msg."""

    kind: EventKind
    face_id: str
    dominant: bool
    """Whether this is the dominant face."""
    previous: str
    """The emotion in the event before this one; empty on APPEARED, PRESENT and NOTICE."""
    current: str
    """The emotion from now on; empty on LOST and NOTICE."""
    confidence: float
    """0..1, of `current`; NaN on LOST and NOTICE."""
    position: Position | None
    """Meters in the camera's optical frame, on LOST the last one; None when unknown."""


@dataclass(frozen=True)
class EventSettings:
    """Settings of `FaceEvents`.

    Raises:
        ValueError: a value is out of its range, or there is no such rule.
    """

    appear_after: float = 0.3
    """Seconds that a face must be seen without a gap before it has APPEARED, so that false detections in single images
    give no events; 0 reports each face at once."""
    lost_after: float = 1.0
    """Seconds that a face must be unseen before it is LOST; with a slow camera, in at least two images."""
    notice: float = 0.0
    """Seconds from the NOTICE of a new face until it has APPEARED; 0 gives no NOTICE."""
    dominant_rule: str = "largest"
    """What makes a face dominant: one of `fer_ros.people.attention.DOMINANT_RULES`."""

    def __post_init__(self) -> None:
        if not 0 <= self.appear_after < math.inf:
            raise ValueError(f"appear_after must be 0 or more seconds, not {self.appear_after}")
        if not 0 <= self.notice < math.inf:
            raise ValueError(f"notice must be 0 or more seconds, not {self.notice}")
        if not 0 < self.lost_after < math.inf:
            raise ValueError(f"lost_after must be above 0 seconds, not {self.lost_after}")
        check_rule(self.dominant_rule)


@dataclass
class _Track:
    face: FaceResult
    """In the last image that shows it."""
    last_seen: float
    seen_for: float = 0.0
    """Sum of the intervals, in seconds, between consecutive images that both show the face."""
    noticed: bool = False
    """Whether its NOTICE was returned."""
    reported: str = ""
    """The emotion in the last event about this face; empty before APPEARED."""


class FaceEvents:
    """Derives events from the results of one camera, image by image.

    Args:
        settings: when a face counts as there and as lost, and which one is dominant.
    """

    def __init__(self, settings: EventSettings = EventSettings()):
        self._settings = settings
        self._dominant = DominantFace(settings.dominant_rule)
        self._tracks: dict[str, _Track] = {}
        self._last_stamp = -math.inf
        self._period = ImagePeriod()

    def with_settings(self, settings: EventSettings) -> FaceEvents:
        """Return an object that continues with the same faces under other settings; do not use this one any more.

        No face appears again or is lost because of the change.
        """
        other = FaceEvents(settings)
        other._tracks, other._last_stamp, other._period = self._tracks, self._last_stamp, self._period
        other._dominant.set(self.dominant_id)
        return other

    @property
    def dominant_id(self) -> str:
        """Id of the dominant face; empty when there is none.

        It stays the same while that face is hidden for less than `lost_after`, so it may be missing from an image.
        """
        return self._dominant.id

    def update(self, faces: Sequence[FaceResult], stamp: float, image_size: tuple[int, int]) -> list[Event]:
        """Return the events that a new image causes.

        When stamps jump back, as in a recording that is played in a loop, all faces are lost first.

        Args:
            faces: all faces of the image, each with an id.
            stamp: of the image, seconds.
            image_size: its width and height, pixels.

        Returns:
            LOST events first, then NOTICE, APPEARED and CHANGED in the order of `faces`.
        """
        lost = self.reset() if stamp < self._last_stamp else self._drop_lost(stamp, faces)
        for face in faces:
            self._add(face, stamp)
        self._last_stamp = stamp
        self._period.add(stamp)
        self._update_dominant(faces, stamp, image_size)
        return lost + [event for face in faces for event in self._pending_events(self._tracks[face.id])]

    def is_withheld(self, face_id: str) -> bool:
        """Return whether nothing but the NOTICE may be published about a face of the last image."""
        return self._settings.notice > 0 and not self._tracks[face_id].reported

    def present(self) -> list[Event]:
        """Return a PRESENT event for each face that has appeared and is not lost."""
        return [
            self._event(EventKind.PRESENT, track.face, "", track.reported, track.face.confidence)
            for track in self._tracks.values()
            if track.reported
        ]

    def reset(self) -> list[Event]:
        """Drop all faces, as when a camera is switched off; return their LOST events."""
        events = [self._lost_event(track) for track in self._tracks.values() if track.reported]
        self._tracks.clear()
        self._dominant.set("")
        self._last_stamp = -math.inf
        self._period = ImagePeriod()
        return events

    def _drop_lost(self, stamp: float, faces: Sequence[FaceResult]) -> list[Event]:
        seen = {face.id for face in faces}
        lost_after = max(self._settings.lost_after, _LOST_PERIODS * self._period.seconds)
        lost_ids = [
            face_id
            for face_id, track in self._tracks.items()
            if face_id not in seen and stamp - track.last_seen >= lost_after - TIME_TOLERANCE
        ]
        tracks = [self._tracks.pop(face_id) for face_id in lost_ids]
        return [self._lost_event(track) for track in tracks if track.reported]

    def _add(self, face: FaceResult, stamp: float) -> None:
        track = self._tracks.setdefault(face.id, _Track(face, stamp))
        if track.last_seen == self._last_stamp:
            track.seen_for += stamp - self._last_stamp
        track.face, track.last_seen = face, stamp

    def _update_dominant(self, faces: Sequence[FaceResult], stamp: float, image_size: tuple[int, int]) -> None:
        present = {face.id: face for face in faces if self._has_appeared(self._tracks[face.id])}
        # A dominant face that is hidden for a moment stays dominant.
        if self.dominant_id in present or self.dominant_id not in self._tracks:
            self._dominant.update(present, stamp, image_size)

    def _has_appeared(self, track: _Track) -> bool:
        return bool(track.reported) or self._is_seen_for(track, self._settings.appear_after + self._settings.notice)

    def _is_seen_for(self, track: _Track, seconds: float) -> bool:
        return track.seen_for >= seconds - TIME_TOLERANCE

    def _pending_events(self, track: _Track) -> list[Event]:
        if self.is_withheld(track.face.id) and not track.noticed:
            track.noticed = self._is_seen_for(track, self._settings.appear_after)
            return [self._event(EventKind.NOTICE, track.face, "", "", math.nan)] if track.noticed else []
        current, previous = track.face.emotion, track.reported
        if not self._has_appeared(track) or current == previous:
            return []
        track.reported = current
        kind = EventKind.CHANGED if previous else EventKind.APPEARED
        return [self._event(kind, track.face, previous, current, track.face.confidence)]

    def _lost_event(self, track: _Track) -> Event:
        return self._event(EventKind.LOST, track.face, track.reported, "", math.nan)

    def _event(self, kind: EventKind, face: FaceResult, previous: str, current: str, confidence: float) -> Event:
        return Event(kind, face.id, face.id == self.dominant_id, previous, current, confidence, face.position)
