# SPDX-License-Identifier: Apache-2.0
"""Gives detections an identity that lasts from frame to frame.

Source: Bewley, Ge, Ott, Ramos, Upcroft, "Simple Online and Realtime Tracking" (SORT), 2016: predict each track, assign
detections to predictions, all at once, and keep unassigned tracks for a while.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fer_ros.faces.matching import linear_sum_assignment
from fer_ros.faces.motion import Motion
from fer_ros.image_period import MISSED_PERIODS, ImagePeriod
from fer_ros.types import Box, Detection, TrackedFace

DEFAULT_KEEP_FOR = 1.0
DEFAULT_MIN_HITS = 1
_MAX_DISTANCE = 0.7
"""Largest distance between a detection and the prediction of a track seen in the last frame, in widths of the face."""
_MAX_DISTANCE_GROWTH = 1.5
"""By how much that grows per second unseen, because people do not walk at constant velocity."""
_MAX_SIZE_RATIO = 1.6
"""Largest ratio between the widths of a detection and of a track."""
_UNSEEN_COST = 0.5
"""Cost per second unseen, which favors tracks seen in the last frame."""
_FORBIDDEN = 1e6
_ROLL_GAIN = 0.5
"""Weight of a new measurement of the roll, whose median error is 4 degrees, in its running average."""
_REORDERING_TOLERANCE = 0.1
"""Seconds by which stamps may run backward, because images overtake each other; more starts anew."""


@dataclass(frozen=True)
class PredictedTrack:
    """A track as it is expected to be in the next frame."""

    number: int
    """Unique among all tracks, including those without an id so far."""
    box: Box
    unseen_for: float
    """Seconds between the last detection and the next frame."""
    roll: float = 0.0
    """Degrees clockwise."""


@dataclass
class _Track:
    number: int
    motion: Motion
    first_seen: float
    last_seen: float
    roll: float
    hits: int = 0
    face_id: str = ""
    """Empty until the track has enough hits."""


class OverlapTracker:
    """Assigns detections to tracks by overlap, distance and size.

    Faces that cross keep their ids, because each is expected where its motion leads. A hidden face is expected farther
    along, within an area that grows. Stamps that jump back (a recording that starts again) or ahead by more than
    `keep_for` drop all tracks. Ids are never reused.

    Args:
        keep_for: seconds for which an unseen face keeps its id; at least two and a half times the period of the images,
            so that the same values serve from 0.1 to 100 images per second.
        min_hits: consecutive frames in which a new face must be detected before it is reported.

    Raises:
        ValueError: a value is out of its range.
    """

    def __init__(self, keep_for: float = DEFAULT_KEEP_FOR, min_hits: int = DEFAULT_MIN_HITS):
        if not keep_for >= 0:
            raise ValueError(f"keep_for must not be negative, not {keep_for}")
        if min_hits < 1:
            raise ValueError(f"min_hits must be at least 1, not {min_hits}")
        self._keep_for = keep_for
        self._min_hits = min_hits
        self._tracks: list[_Track] = []
        self._track_count = 0
        self._id_count = 0
        self._last_stamp = -math.inf
        self._period = ImagePeriod()

    @property
    def known_ids(self) -> set[str]:
        """Ids in use, including those of unseen faces."""
        return {track.face_id for track in self._tracks if track.face_id}

    def reset(self) -> None:
        """Drop all tracks; the next face gets a new id, and the next stamp may be any."""
        self._tracks.clear()
        self._last_stamp = -math.inf
        self._period = ImagePeriod()

    def predict(self, stamp: float) -> list[PredictedTrack]:
        """Return all tracks as they are expected to be at a time, s."""
        return [
            PredictedTrack(track.number, track.motion.predict(stamp), max(0.0, stamp - track.last_seen), track.roll)
            for track in self._tracks
            if self._is_alive(track, stamp)
        ]

    def update(self, detections: Sequence[Detection], stamp: float) -> list[TrackedFace]:
        """Assign the detections of a frame to tracks.

        Args:
            detections: of one frame, one per face.
            stamp: of that frame, s.

        Returns:
            A face for each detection, in the same order, without those detected fewer than `min_hits` times.
        """
        self._tracks = [track for track in self._tracks if self._is_alive(track, stamp)]
        self._last_stamp = stamp
        self._period.add(stamp)
        matches = self._assign(detections, self._tracks, stamp)
        faces = []
        for index, detection in enumerate(detections):
            track = matches.get(index) or self._start_track(detection, stamp)
            self._add_hit(track, detection, stamp)
            if track.face_id:
                tracked_for = max(0.0, stamp - track.first_seen)
                faces.append(
                    TrackedFace(
                        track.face_id, detection.box, detection.score, tracked_for, detection.landmarks, track.roll
                    )
                )
        # A track without an id must be detected in every frame.
        self._tracks = [track for track in self._tracks if track.face_id or track.last_seen >= stamp]
        return faces

    def add(self, detections: Sequence[Detection], stamp: float) -> None:
        """Assign further detections of the frame of the last `update`, of faces that it did not have.

        Args:
            detections: one per face.
            stamp: of that frame, s.
        """
        unseen = [track for track in self._tracks if track.last_seen < stamp]
        matches = self._assign(detections, unseen, stamp)
        for index, detection in enumerate(detections):
            self._add_hit(matches.get(index) or self._start_track(detection, stamp), detection, stamp)

    def _is_alive(self, track: _Track, stamp: float) -> bool:
        keep_for = max(self._keep_for, MISSED_PERIODS * self._period.until(stamp))
        return stamp >= self._last_stamp - _REORDERING_TOLERANCE and stamp - track.last_seen <= keep_for

    def _assign(self, detections: Sequence[Detection], tracks: Sequence[_Track], stamp: float) -> dict[int, _Track]:
        """Return the track of each detection, by the detection's index, that minimizes the sum of all costs."""
        if not detections or not tracks:
            return {}
        costs = np.array([[_cost(detection.box, track, stamp) for track in tracks] for detection in detections])
        pairs = linear_sum_assignment(costs)
        return {row: tracks[column] for row, column in pairs if costs[row, column] < _FORBIDDEN}

    def _start_track(self, detection: Detection, stamp: float) -> _Track:
        self._track_count += 1
        track = _Track(self._track_count, Motion(detection.box, stamp), stamp, stamp, detection.roll)
        self._tracks.append(track)
        return track

    def _add_hit(self, track: _Track, detection: Detection, stamp: float) -> None:
        track.motion.update(detection.box, stamp)
        track.roll += _ROLL_GAIN * (detection.roll - track.roll)
        track.last_seen = max(stamp, track.last_seen)
        track.hits += 1
        if not track.face_id and track.hits >= self._min_hits:
            self._id_count += 1
            track.face_id = f"f{self._id_count}"


def _cost(box: Box, track: _Track, stamp: float) -> float:
    """Return how badly a detection fits a track: 0 is a perfect fit, `_FORBIDDEN` rules the pair out."""
    predicted = track.motion.predict(stamp)
    unseen_for = max(0.0, stamp - track.last_seen)
    width = (box.width + predicted.width) / 2
    distance = math.dist(box.center, predicted.center) / width
    ratio = max(box.width, predicted.width) / min(box.width, predicted.width)
    if distance > _MAX_DISTANCE + _MAX_DISTANCE_GROWTH * unseen_for or ratio > _MAX_SIZE_RATIO:
        return _FORBIDDEN
    return (1 - box.iou(predicted)) + distance + math.log(ratio) + _UNSEEN_COST * min(unseen_for, 1.0)
