"""Finds the faces of one camera's frames: a detector to see them, a tracker to know them again.

A full scan of every frame spends nearly all its time on places where nobody is. Here each known face is looked for only
around where it is expected, and the rest of the image is scanned a little in every frame.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fer_ros.faces.detectors import Detector, Glimpse, distinct
from fer_ros.faces.schedule import Schedule
from fer_ros.faces.tracker import Expected, OverlapTracker
from fer_ros.frame import Box, Detection, Face, Frame

_NEAR = 0.12
"""How far from where it was expected a face is sought first, in widths of the face ..."""
_FAR = 0.3
"""... and if it was not there ..."""
_SPEED = 2.0
"""... and how much farther for each second since it was seen."""
_FARTHEST = 0.8
_SIZES = 1.3
"""Most by which the width of a face may have changed when it is sought farther away."""
_PROOFS = 2
"""How often a face must have been found with full evidence before less will do."""
_PROOF_EVERY = 0.3
"""Seconds after which a known face is looked at with full evidence again."""
_PROOF_LASTS = 0.5
"""Seconds for which less evidence will do."""
_KNOWN = 0.6
"""Share of the usual evidence that is enough for a face that is known and expected."""


@dataclass
class _Proof:
    """What speaks for a track being a face."""

    count: int
    stamp: float


class Search:
    """The faces of one camera, frame by frame.

    Args:
        detector: sees faces.
        tracker: knows them again; its predictions say where to look.
        detect_by_tracking: when false, every frame is scanned in full.
        full_scan_period: seconds in which everything beside the known faces is scanned once, and so the time in which
            a new face is found. The first image, and images that come as slowly as this, are scanned in full; not so
            those before which others had to be passed over.

    Raises:
        ValueError: full_scan_period is not above 0.
    """

    def __init__(
        self,
        detector: Detector,
        tracker: OverlapTracker,
        detect_by_tracking: bool = True,
        full_scan_period: float = 0.4,
    ):
        if not full_scan_period > 0:
            raise ValueError(f"full_scan_period must be above 0 s, not {full_scan_period}")
        self._detector = detector
        self._tracker = tracker
        self._detect_by_tracking = detect_by_tracking
        self._period = full_scan_period
        self._schedule = Schedule(detector, full_scan_period)
        self._proofs: dict[int, _Proof] = {}
        self._last_stamp = -math.inf
        self._shape: tuple[int, ...] = ()

    @property
    def known_ids(self) -> set[str]:
        """Identities in use, including faces that are unseen for the moment."""
        return self._tracker.known_ids

    def forget(self) -> None:
        """Makes everybody unknown; the next frame is scanned in full."""
        self._tracker.forget()
        self._last_stamp = -math.inf

    def find(self, frame: Frame) -> list[Face]:
        """The faces in `frame`, largest first."""
        elapsed = frame.stamp - self._last_stamp
        new = elapsed < 0 or frame.grey.shape != self._shape
        # Who is behind would, by a full scan, fall behind for good.
        whole = new or (elapsed >= self._period and not frame.behind)
        self._last_stamp, self._shape = frame.stamp, frame.grey.shape
        if whole or not self._detect_by_tracking:
            detections = self._detector.detect(frame.grey)
        else:
            detections = self._look(frame, elapsed)
        faces = self._tracker.update(detections, frame.stamp)
        return sorted(faces, key=lambda face: face.box.area, reverse=True)

    def _look(self, frame: Frame, elapsed: float) -> list[Detection]:
        """The known faces where they are expected, and new ones where it is their turn."""
        known = self._tracker.expected(frame.stamp)
        # A face that is new here was found with full evidence.
        self._proofs = {
            face.track: self._proofs.get(face.track) or _Proof(1, frame.stamp - face.unseen) for face in known
        }
        found: list[Detection] = []
        for face in known:
            found += self._seek(frame, face, face.unseen <= elapsed)
        found = distinct(found)
        for hint in self._hints(frame.grey, elapsed):
            if all(hint.box.iou(other.box) < 0.2 for other in found):
                found = distinct(found + self._around(frame.grey, hint.box, _FAR))
        return found

    def _seek(self, frame: Frame, face: Expected, seen_in_last_frame: bool) -> list[Detection]:
        """One known face, or nothing."""
        proof = self._proofs[face.track]
        age = frame.stamp - proof.stamp
        trusted = proof.count >= _PROOFS and age <= _PROOF_LASTS
        if trusted and seen_in_last_frame and age <= _PROOF_EVERY:
            found = _nearest(self._near(frame.grey, face), face)
            if found:
                return found
        reach = min(_FAR + _SPEED * face.unseen, _FARTHEST)
        if not seen_in_last_frame and not self._hinted(frame.grey, face.box, reach):
            return []
        if not trusted or age > _PROOF_EVERY:
            found = _nearest(self._around(frame.grey, face.box, reach), face)
            if found:
                proof.count, proof.stamp = proof.count + 1, frame.stamp
                return found
        return _nearest(self._around(frame.grey, face.box, reach, _KNOWN), face) if trusted else []

    def _near(self, grey: np.ndarray, face: Expected) -> list[Detection]:
        return self._detector.follow(grey, _grown(face.box, _NEAR + _SPEED * face.unseen), face.box.width)

    def _around(self, grey: np.ndarray, box: Box, reach: float, evidence: float = 1.0) -> list[Detection]:
        return self._detector.detect(grey, _grown(box, reach), *self._sizes(grey, box), evidence)

    def _hinted(self, grey: np.ndarray, box: Box, reach: float) -> bool:
        return bool(self._detector.hints(grey, Glimpse(_grown(box, reach), *self._sizes(grey, box))))

    def _sizes(self, grey: np.ndarray, box: Box) -> tuple[int, int]:
        smallest, largest = self._detector.sizes(grey.shape)
        return max(smallest, round(box.width / _SIZES)), min(largest, round(box.width * _SIZES))

    def _hints(self, grey: np.ndarray, elapsed: float) -> list[Detection]:
        due = self._schedule.glimpses(grey.shape, elapsed)
        return distinct([hint for glimpse in due for hint in self._detector.hints(grey, glimpse)])


def _nearest(found: list[Detection], face: Expected) -> list[Detection]:
    return sorted(found, key=lambda one: one.box.iou(face.box), reverse=True)[:1]


def _grown(box: Box, reach: float) -> Box:
    """`box` with `reach` of its width more on every side."""
    more = round(reach * box.width)
    return Box(box.x - more, box.y - more, box.width + 2 * more, box.height + 2 * more)
