"""Finds the faces of one camera's frames: a detector to see them, a tracker to know them again.

A full scan of every frame spends nearly all its time on places where nobody is. Here each known face is looked for only
around where it is expected, and the rest of the image is scanned a little in every frame.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np

from fer_ros.faces.contrast import LIGHTING, lit
from fer_ros.faces.detectors.base import Detector, ScanTile, non_max_suppression
from fer_ros.faces.detectors.rotated import tilted
from fer_ros.faces.scan_scheduler import ScanScheduler
from fer_ros.faces.tracker import OverlapTracker, PredictedTrack
from fer_ros.types import Box, Detection, Frame, TrackedFace

_NEAR = 0.12
"""How far from where it was expected a face is sought first, in widths of the face ..."""
_SAME_SIZE = 1.15
"""... by how much its width may have changed ..."""
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
_RIM = 0.1
"""Of a known face, in its widths, that is left where new ones are sought."""
_TILT_STEP = 20.0
"""Degrees between the angles at which tilted faces are sought: a cascade still finds most that are half as far off."""
_TILTED_PERIOD = 2.0
"""How many times longer than for upright faces the scan for tilted ones, at each angle, may take."""
_THREADS = cv2.getNumThreads()
"""In which OpenCV scans a whole image; see `_spread`."""


@dataclass(frozen=True)
class TrackingSettings:
    """Settings of `TrackingDetector` and its tracker."""

    enabled: bool = True
    scan_period: float = 0.3
    keep_for: float = 1.0
    min_hits: int = 1
    max_roll: float = 0.0
    contrast: str = "auto"


@dataclass
class _Proof:
    """What speaks for a track being a face."""

    count: int
    stamp: float


class TrackingDetector:
    """The faces of one camera, frame by frame.

    Args:
        detector: sees faces.
        tracker: knows them again; its predictions say where to look.
        detect_by_tracking: when false, every frame is scanned in full.
        full_scan_period: seconds in which everything beside the known faces is scanned once, and so the time in which
            a new face is found. The first image, and images that come as slowly as this, are scanned in full; not so
            those before which others had to be passed over.
        max_tilt: degrees by which faces may be tilted to either side. 0 seeks upright ones, of which a detector may
            take in more or less tilted ones; above 10, each 20 more cost two further scans, at half the pace.
        lighting: what is done to images before faces are sought in them; see `lit`.

    Raises:
        ValueError: full_scan_period is not above 0, max_tilt not within 0..90, or there is no such lighting.
    """

    def __init__(
        self,
        detector: Detector,
        tracker: OverlapTracker,
        detect_by_tracking: bool = True,
        full_scan_period: float = 0.3,
        max_tilt: float = 0.0,
        lighting: str = "auto",
    ):
        if not full_scan_period > 0:
            raise ValueError(f"full_scan_period must be above 0 s, not {full_scan_period}")
        if not 0 <= max_tilt <= 90:
            raise ValueError(f"max_tilt must be within 0..90 degrees, not {max_tilt}")
        if lighting not in LIGHTING:
            raise ValueError(f"lighting must be one of {', '.join(LIGHTING)}, not '{lighting}'")
        self._detector = detector
        self._tracker = tracker
        self._detect_by_tracking = detect_by_tracking
        self._period = full_scan_period
        self._max_tilt = max_tilt
        self._lighting = lighting
        steps = math.ceil((max_tilt - _TILT_STEP / 2) / _TILT_STEP)
        tilts = [sign * step * _TILT_STEP for step in range(1, steps + 1) for sign in (-1, 1)]
        self._tilted = [tilted(detector, roll) for roll in tilts]
        self._schedules = {detector: ScanScheduler(detector, full_scan_period)}
        self._schedules |= {each: ScanScheduler(each, _TILTED_PERIOD * full_scan_period) for each in self._tilted}
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

    def find(self, frame: Frame) -> list[TrackedFace]:
        """The faces in `frame`, largest first."""
        frame = replace(frame, gray=lit(frame.gray, self._lighting))
        elapsed = frame.stamp - self._last_stamp
        new = elapsed < 0 or frame.gray.shape != self._shape
        # Who is behind would, by a full scan, fall behind for good.
        whole = new or (elapsed >= self._period and not frame.lagging)
        self._last_stamp, self._shape = frame.stamp, frame.gray.shape
        scanned = whole or not self._detect_by_tracking
        _spread(_THREADS if scanned else 1)
        detections = self._scan(frame.gray) if scanned else self._look(frame, elapsed)
        faces = self._tracker.update(detections, frame.stamp)
        return sorted(faces, key=lambda face: face.box.area, reverse=True)

    def _scan(self, gray: np.ndarray) -> list[Detection]:
        found = self._detector.detect(gray)
        if not self._tilted:
            return found
        for detector in self._tilted:
            found = found + detector.detect(gray)
        return [self._measured(gray, one) for one in self._apart(found)]

    def _apart(self, found: list[Detection]) -> list[Detection]:
        """One detection for each face."""
        kept = non_max_suppression(found)
        if self._tilted:
            # A part of a face may look like another that is tilted otherwise.
            ranked = enumerate(kept)
            kept = [one for rank, one in ranked if not any(_inside(one.box, other.box) for other in kept[:rank])]
        return kept

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
        found = non_max_suppression(found)
        # The more a place looks like a face the longer it takes: known ones would take most of the time.
        for proposal in self._proposals(_without(frame.gray, found), elapsed):
            if all(proposal.box.iou(other.box) < 0.2 for other in found):
                new = self._around(frame.gray, proposal.box, [proposal.roll], _FAR)
                found = self._apart(found + [self._measured(frame.gray, one) for one in new])
        return found

    def _seek(self, frame: Frame, face: PredictedTrack, seen_in_last_frame: bool) -> list[Detection]:
        """One known face, or nothing."""
        proof = self._proofs[face.track]
        age = frame.stamp - proof.stamp
        trusted = proof.count >= _PROOFS and age <= _PROOF_LASTS
        if trusted and seen_in_last_frame and age <= _PROOF_EVERY:
            found = _nearest(self._near(frame.gray, face), face)
            if found:
                return found
        reach = min(_FAR + _SPEED * face.unseen, _FARTHEST)
        rolls = self._rolls(face.roll)
        if not seen_in_last_frame and not self._has_proposal(frame.gray, face.box, rolls, reach):
            return []
        if not trusted or age > _PROOF_EVERY:
            found = self._proven(frame.gray, face, rolls, reach, seen_in_last_frame)
            if found:
                proof.count, proof.stamp = proof.count + 1, frame.stamp
                return [self._measured(frame.gray, found[0])]
        return _nearest(self._around(frame.gray, face.box, rolls, reach, _KNOWN), face) if trusted else []

    def _proven(
        self, gray: np.ndarray, face: PredictedTrack, rolls: list[float], reach: float, near: bool
    ) -> list[Detection]:
        """One known face with full evidence, or nothing; first, and cheaply, right where it is expected if `near`."""
        found = self._around(gray, face.box, rolls[:1], _NEAR, change=_SAME_SIZE) if near else []
        return _nearest(found or self._around(gray, face.box, rolls, reach), face)

    def _rolls(self, roll: float) -> list[float]:
        """At which angles a face is sought that was tilted by `roll` degrees: that first, and a step to each side."""
        return [roll, roll - _TILT_STEP, roll + _TILT_STEP] if self._max_tilt else [roll]

    def _measured(self, gray: np.ndarray, found: Detection) -> Detection:
        """A detection with its tilt between the steps: by the eyes, or by how surely it is found at each angle."""
        if not self._max_tilt:
            return found
        if found.landmarks:
            return replace(found, roll=found.landmarks.roll)
        region, width = _grown(found.box, _NEAR), found.box.width
        answers = {roll: tilted(self._detector, roll).redetect(gray, region, width) for roll in self._rolls(found.roll)}
        scores = {roll: max([one.score for one in ones], default=0.0) for roll, ones in answers.items()}
        total = sum(scores.values())
        if not total > 0:
            return found
        roll = sum(roll * score for roll, score in scores.items()) / total
        return replace(found, roll=min(max(roll, -self._max_tilt), self._max_tilt))

    def _near(self, gray: np.ndarray, face: PredictedTrack) -> list[Detection]:
        region = _grown(face.box, _NEAR + _SPEED * face.unseen)
        return tilted(self._detector, face.roll).redetect(gray, region, face.box.width)

    def _around(
        self,
        gray: np.ndarray,
        box: Box,
        rolls: list[float],
        reach: float,
        evidence: float = 1.0,
        change: float = _SIZES,
    ) -> list[Detection]:
        """What is found at the first angle at which anything is."""
        region, sizes = _grown(box, reach), self._sizes(gray, box, change)
        looks = (tilted(self._detector, roll).detect(gray, region, *sizes, evidence) for roll in rolls)
        return next(filter(None, looks), [])

    def _has_proposal(self, gray: np.ndarray, box: Box, rolls: list[float], reach: float) -> bool:
        tile = ScanTile(_grown(box, reach), *self._sizes(gray, box))
        return any(tilted(self._detector, roll).proposals(gray, tile) for roll in rolls)

    def _sizes(self, gray: np.ndarray, box: Box, change: float = _SIZES) -> tuple[int, int]:
        smallest, largest = self._detector.sizes(gray.shape)
        return max(smallest, round(box.width / change)), min(largest, round(box.width * change))

    def _proposals(self, gray: np.ndarray, elapsed: float) -> list[Detection]:
        return non_max_suppression(
            [
                proposal
                for detector, schedule in self._schedules.items()
                for tile in schedule.tiles(gray.shape, elapsed)
                for proposal in detector.proposals(gray, tile)
            ]
        )


def _spread(threads: int) -> None:
    """How many threads OpenCV works in from now on, everywhere in this process.

    A whole image is scanned in half the time by two. Pieces of it are too small to share, but each wakes the second
    thread all the same, which then waits actively for more: a fifth of the CPU that an image with one face took.
    """
    if cv2.getNumThreads() != threads:
        cv2.setNumThreads(threads)


def _nearest(found: list[Detection], face: PredictedTrack) -> list[Detection]:
    return sorted(found, key=lambda one: one.box.iou(face.box), reverse=True)[:1]


def _without(gray: np.ndarray, found: list[Detection]) -> np.ndarray:
    """The image with the faces made even; itself where there are none. A face beside or behind one of them stays."""
    if not found:
        return gray
    height, width = gray.shape
    gray = gray.copy()
    for one in found:
        box = _grown(one.box, -_RIM).clipped(width, height)
        face = gray[box.y : box.bottom, box.x : box.right]
        face[:] = cv2.mean(face)[0]
    return gray


def _inside(box: Box, other: Box) -> bool:
    """Whether the center of `box` lies in `other`."""
    x, y = box.center
    return other.x <= x < other.right and other.y <= y < other.bottom


def _grown(box: Box, reach: float) -> Box:
    """`box` with `reach` of its width more on every side."""
    more = round(reach * box.width)
    return Box(box.x - more, box.y - more, box.width + 2 * more, box.height + 2 * more)
