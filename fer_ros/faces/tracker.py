"""Gives detections an identity that lasts from frame to frame.

Source of the scheme: Bewley, Ge, Ott, Ramos, Upcroft, "Simple Online and Realtime Tracking" (SORT), 2016: predict each
face, assign detections to predictions all at once, let what nothing matches wait.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

from fer_ros.faces.motion import Motion
from fer_ros.types import Box, Detection, TrackedFace

_REACH = 0.7
"""Farthest a detection may lie from where a face seen a moment ago was expected, in widths of the face."""
_REACH_PER_SECOND = 1.5
"""By how much that grows with each second unseen, because people do not walk evenly."""
_SIZE_RATIO = 1.6
"""Most by which a face's width may differ from what it was."""
_COST_OF_ABSENCE = 0.5
"""Where two faces compete, the one seen in the last frame is nearer by this than one that has been hidden for long."""
_FORBIDDEN = 1e6
_ROLL_GAIN = 0.5
"""How much a new measurement of a face's tilt counts, which is off by 4 degrees in the median, beside those before."""
_REORDERING = 0.1
"""Seconds by which stamps may run backward because images overtook each other; more is another recording."""


@dataclass(frozen=True)
class PredictedTrack:
    """A face that the tracker knows, in the next frame."""

    track: int
    """Names the track for as long as it lives, also before it has a face_id."""
    box: Box
    unseen: float
    """Seconds between the last time it was seen and this frame."""
    roll: float = 0.0
    """Degrees clockwise by which it was tilted."""


@dataclass
class _Track:
    number: int
    motion: Motion
    first_seen: float
    last_seen: float
    roll: float
    hits: int = 0
    face_id: str = field(default="")


class OverlapTracker:
    """Assigns detections to the faces they overlap most, with respect to how each face moves.

    Faces that cross keep their identities because each is expected where its motion leads; one that is hidden is
    expected farther along, in an area that grows. Stamps that jump back (a recording that starts again) or ahead by
    more than `keep_for` begin with new identities; identities are never used twice.

    Args:
        keep_for: seconds a face may stay unseen and still keep its identity.
        min_hits: in how many frames, none missed between, a new face must be found before it is reported.

    Raises:
        ValueError: a number is out of its range.
    """

    def __init__(self, keep_for: float = 1.0, min_hits: int = 1):
        if not keep_for >= 0:
            raise ValueError(f"keep_for must not be negative, not {keep_for}")
        if min_hits < 1:
            raise ValueError(f"min_hits must be at least 1, not {min_hits}")
        self._keep_for = keep_for
        self._min_hits = min_hits
        self._tracks: list[_Track] = []
        self._begun = 0
        self._named = 0
        self._last_stamp = -math.inf

    @property
    def known_ids(self) -> set[str]:
        """Identities in use, including faces waiting to be seen again."""
        return {track.face_id for track in self._tracks if track.face_id}

    def forget(self) -> None:
        """Makes every face unknown; who is seen next is somebody new, and stamps may begin anywhere."""
        self._tracks.clear()
        self._last_stamp = -math.inf

    def expected(self, stamp: float) -> list[PredictedTrack]:
        """The known faces, each where it should be at `stamp` (s)."""
        return [
            PredictedTrack(track.number, track.motion.at(stamp), max(0.0, stamp - track.last_seen), track.roll)
            for track in self._tracks
            if self._may_live(track, stamp)
        ]

    def update(self, detections: Sequence[Detection], stamp: float) -> list[TrackedFace]:
        """The detections of the frame taken at `stamp` (s) as faces, in the same order.

        Those of faces that have not been found `min_hits` times are left out.
        """
        self._tracks = [track for track in self._tracks if self._may_live(track, stamp)]
        self._last_stamp = stamp
        matches = self._match(detections, stamp)
        faces = []
        for index, detection in enumerate(detections):
            track = matches.get(index) or self._begin(detection, stamp)
            self._see(track, detection, stamp)
            if track.face_id:
                seen_for = max(0.0, stamp - track.first_seen)
                face = TrackedFace(
                    track.face_id, detection.box, detection.score, seen_for, detection.landmarks, track.roll
                )
                faces.append(face)
        # A face that is not sure yet must be found again at once.
        self._tracks = [track for track in self._tracks if track.face_id or track.last_seen >= stamp]
        return faces

    def _may_live(self, track: _Track, stamp: float) -> bool:
        return stamp >= self._last_stamp - _REORDERING and stamp - track.last_seen <= self._keep_for

    def _match(self, detections: Sequence[Detection], stamp: float) -> dict[int, _Track]:
        """Tracks by the index of their detection, each used once, at the smallest cost of all together."""
        if not detections or not self._tracks:
            return {}
        costs = np.array([[_cost(detection.box, track, stamp) for track in self._tracks] for detection in detections])
        return {
            int(row): self._tracks[column]
            for row, column in zip(*linear_sum_assignment(costs), strict=True)
            if costs[row, column] < _FORBIDDEN
        }

    def _begin(self, found: Detection, stamp: float) -> _Track:
        self._begun += 1
        track = _Track(self._begun, Motion(found.box, stamp), stamp, stamp, found.roll)
        self._tracks.append(track)
        return track

    def _see(self, track: _Track, found: Detection, stamp: float) -> None:
        track.motion.see(found.box, stamp)
        track.roll += _ROLL_GAIN * (found.roll - track.roll)
        track.last_seen = max(stamp, track.last_seen)
        track.hits += 1
        if not track.face_id and track.hits >= self._min_hits:
            self._named += 1
            track.face_id = f"f{self._named}"


def _cost(found: Box, track: _Track, stamp: float) -> float:
    """How badly `found` fits `track`: 0 where it was expected, `_FORBIDDEN` where it cannot be the same face."""
    expected = track.motion.at(stamp)
    unseen = max(0.0, stamp - track.last_seen)
    width = (found.width + expected.width) / 2
    distance = math.dist(found.center, expected.center) / width
    ratio = max(found.width, expected.width) / min(found.width, expected.width)
    if distance > _REACH + _REACH_PER_SECOND * unseen or ratio > _SIZE_RATIO:
        return _FORBIDDEN
    return (1 - found.iou(expected)) + distance + math.log(ratio) + _COST_OF_ABSENCE * min(unseen, 1.0)
