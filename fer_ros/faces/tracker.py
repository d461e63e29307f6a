"""Gives detections an identity that lasts from frame to frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from fer_ros.frame import Box, Detection, Face


@dataclass
class _Track:
    face_id: str
    box: Box
    first_seen: float
    last_seen: float


class OverlapTracker:
    """Matches each detection to the track it overlaps most; a track that nothing matches waits before it is dropped.

    Args:
        min_overlap: intersection over union, 0..1, from which a detection can be the same face.
        keep_for: seconds a face may stay unseen and still keep its identity.
    """

    def __init__(self, min_overlap: float = 0.2, keep_for: float = 1.0):
        self._min_overlap = min_overlap
        self._keep_for = keep_for
        self._tracks: list[_Track] = []
        self._named = 0

    @property
    def known_ids(self) -> set[str]:
        """Identities in use, including faces waiting to be seen again."""
        return {track.face_id for track in self._tracks}

    def update(self, detections: Sequence[Detection], stamp: float) -> list[Face]:
        """The detections of the frame taken at `stamp` (s) as faces, in the same order."""
        self._tracks = [track for track in self._tracks if abs(stamp - track.last_seen) <= self._keep_for]
        matches = self._match(detections)
        faces = []
        for index, detection in enumerate(detections):
            track = matches.get(index) or self._begin(detection.box, stamp)
            track.box, track.last_seen = detection.box, stamp
            faces.append(Face(track.face_id, detection.box, detection.score, max(0.0, stamp - track.first_seen)))
        return faces

    def _match(self, detections: Sequence[Detection]) -> dict[int, _Track]:
        """Tracks by the index of their detection, best overlap first, each used once."""
        overlaps = [
            (detection.box.iou(track.box), index, position)
            for (index, detection), (position, track) in product(enumerate(detections), enumerate(self._tracks))
        ]
        matches: dict[int, _Track] = {}
        taken: set[int] = set()
        for overlap, index, position in sorted(overlaps, reverse=True):
            if overlap >= self._min_overlap and index not in matches and position not in taken:
                matches[index] = self._tracks[position]
                taken.add(position)
        return matches

    def _begin(self, box: Box, stamp: float) -> _Track:
        self._named += 1
        track = _Track(str(self._named), box, stamp, stamp)
        self._tracks.append(track)
        return track
