# SPDX-License-Identifier: Apache-2.0
"""Detection by tracking: finds the faces of one camera at a tenth of the cost of scanning each frame in full.

Each known face is searched for where the tracker predicts it; a few tiles of a full scan per frame find new faces.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import cv2
import numpy as np

from fer_ros.faces.contrast import CONTRAST_MODES, adjust_contrast
from fer_ros.faces.detectors.base import WHOLE_IMAGE, Detector, Query, ScanTile, non_max_suppression
from fer_ros.faces.detectors.rotated import rotated
from fer_ros.faces.scan_scheduler import ScanScheduler
from fer_ros.faces.tracker import DEFAULT_KEEP_FOR, DEFAULT_MIN_HITS, OverlapTracker, PredictedTrack
from fer_ros.types import Box, Detection, Frame, TrackedFace

# Margins are in widths of the face, on each side of its predicted box.
_NARROW_MARGIN = 0.12
_NARROW_SIZE_CHANGE = 1.15
"""Largest ratio between the width of a face and its predicted width, within the narrow margin."""
_WIDE_MARGIN = 0.3
_WIDE_SIZE_CHANGE = 1.3
_MARGIN_GROWTH = 2.0
"""By how much a margin grows per second unseen."""
_MAX_MARGIN = 0.8
_MASK_INSET = 0.1
"""Border of a known face, in its widths, that is not masked in the search for new faces."""

# A face is confirmed when it is detected at the detector's own threshold.
_MIN_CONFIRMATIONS = 2
"""Confirmations after which a lower threshold keeps a track."""
_CONFIRMATION_PERIOD = 0.3
"""Seconds after which a track is confirmed again."""
_CONFIRMATION_LIFETIME = 0.5
"""Seconds for which a confirmation permits the lower threshold."""
_CONFIRMED_THRESHOLD_SCALE = 0.6
"""The lower threshold, in units of the detector's own."""
_KNOWN_FACE_OVERLAP = 0.2
"""Intersection over union with a known face from which a proposal is taken for that face."""

_ROLL_STEP = 20.0
"""Degrees between the rolls at which tilted faces are searched for: a cascade tolerates about half of that."""
_ROLL_PERIOD_FACTOR = 2.0
"""Scan period for tilted faces, at each roll, in units of that for upright ones."""
_THREADS = cv2.getNumThreads()
"""Threads for a full scan; see `_set_threads`."""


@dataclass(frozen=True)
class TrackingSettings:
    """Settings of `TrackingDetector`.

    Raises:
        ValueError: a value is out of its range.
    """

    enabled: bool = True
    """When false, every frame is scanned in full."""
    scan_period: float = 0.3
    """Seconds of one scan for new faces, which bounds how long a new face stays undetected. The first frame, and frames
    that are this far apart, are scanned in full, but not those that are far apart because others were dropped."""
    keep_for: float = DEFAULT_KEEP_FOR
    """Seconds for which an unseen face keeps its id."""
    min_hits: int = DEFAULT_MIN_HITS
    """Consecutive frames in which a new face must be detected before it is reported."""
    max_roll: float = 0.0
    """Degrees by which faces may be tilted to either side, 0..90. 0 searches for upright faces, of which a detector
    tolerates more or less roll; above 10, each 20 degrees add two scans at half the pace."""
    contrast: str = "auto"
    """What is done to an image before detection; see `adjust_contrast`."""

    def __post_init__(self) -> None:
        if not self.scan_period > 0:
            raise ValueError(f"scan_period must be above 0 s, not {self.scan_period}")
        if not 0 <= self.max_roll <= 90:
            raise ValueError(f"max_roll must be within 0..90 degrees, not {self.max_roll}")
        if self.contrast not in CONTRAST_MODES:
            raise ValueError(f"contrast must be one of {', '.join(CONTRAST_MODES)}, not '{self.contrast}'")


@dataclass
class _Confirmation:
    """How often and when a track was confirmed."""

    count: int
    stamp: float


class TrackingDetector:
    """Detects and tracks the faces of one camera, frame by frame.

    Args:
        detector: finds the faces.
        settings: how to search.
        tracker: keeps the ids; None creates one from `settings`. Other settings continue with the same tracks when
            another `TrackingDetector` is created with the tracker of the last.

    Raises:
        ValueError: a setting is out of its range.
    """

    def __init__(
        self,
        detector: Detector,
        settings: TrackingSettings = TrackingSettings(),
        tracker: OverlapTracker | None = None,
    ):
        self.tracker = tracker or OverlapTracker(settings.keep_for, settings.min_hits)
        self._detector = detector
        self._settings = settings
        steps = math.ceil((settings.max_roll - _ROLL_STEP / 2) / _ROLL_STEP)
        rolls = [sign * step * _ROLL_STEP for step in range(1, steps + 1) for sign in (-1, 1)]
        self._rotated = [rotated(detector, roll) for roll in rolls]
        self._schedulers = {detector: ScanScheduler(detector, settings.scan_period)}
        for each in self._rotated:
            self._schedulers[each] = ScanScheduler(each, _ROLL_PERIOD_FACTOR * settings.scan_period)
        self._confirmations: dict[int, _Confirmation] = {}
        self._last_stamp = -math.inf
        self._shape: tuple[int, ...] = ()
        self._deferred_scan: Callable[[], list[Detection]] | None = None

    @property
    def known_ids(self) -> set[str]:
        """Ids in use, including those of unseen faces."""
        return self.tracker.known_ids

    def reset(self) -> None:
        """Drop all tracks; the next face gets a new id, and the next frame is scanned in full."""
        self.tracker.reset()
        self._last_stamp = -math.inf
        self._deferred_scan = None

    def detect(self, frame: Frame, defer_scan: bool = False) -> list[TrackedFace]:
        """Return the faces in a frame, largest first.

        Args:
            frame: of this camera.
            defer_scan: return known faces, if there are any, before the scan for new ones; `scan_deferred` makes up
                for it before the next frame, which then has the new faces.
        """
        image = adjust_contrast(frame.gray, self._settings.contrast)
        elapsed = frame.stamp - self._last_stamp
        restarted = elapsed < 0 or image.shape != self._shape
        # A full scan would put an overloaded node even further behind.
        slow = elapsed >= self._settings.scan_period and not frame.lagging
        self._last_stamp, self._shape = frame.stamp, image.shape
        full_scan = restarted or slow or not self._settings.enabled
        _set_threads(_THREADS if full_scan else 1)
        self._deferred_scan = None
        if full_scan:
            detections = self._scan(image)
        else:
            detections = self._detect_known(image, frame.stamp, elapsed)
            if detections and defer_scan:
                self._deferred_scan = partial(self._detect_new, image, detections, elapsed)
            else:
                detections = self._with_new(image, detections, elapsed)
        faces = self.tracker.update(detections, frame.stamp)
        return sorted(faces, key=lambda face: face.box.area, reverse=True)

    def scan_deferred(self) -> None:
        """Scan the last frame for new faces, if `detect` has deferred that; they are tracked from the next frame on."""
        scan, self._deferred_scan = self._deferred_scan, None
        if scan:
            self.tracker.add(scan(), self._last_stamp)

    def _scan(self, image: np.ndarray) -> list[Detection]:
        """Return the faces that a full scan finds."""
        detections = self._detector.detect(image, WHOLE_IMAGE)
        if not self._rotated:
            return detections
        for detector in self._rotated:
            detections = detections + detector.detect(image, WHOLE_IMAGE)
        return [self._with_measured_roll(image, detection) for detection in self._suppress(detections)]

    def _suppress(self, detections: list[Detection]) -> list[Detection]:
        """Return one detection per face, highest score first."""
        kept = non_max_suppression(detections)
        if self._rotated:
            # A part of a face may look like a smaller face of another roll.
            ranked = enumerate(kept)
            kept = [one for rank, one in ranked if not any(_center_in(one.box, other.box) for other in kept[:rank])]
        return kept

    def _detect_known(self, image: np.ndarray, stamp: float, elapsed: float) -> list[Detection]:
        """Return the tracked faces."""
        tracks = self.tracker.predict(stamp)
        # A new track was detected at the detector's own threshold.
        self._confirmations = {
            track.number: self._confirmations.get(track.number) or _Confirmation(1, stamp - track.unseen_for)
            for track in tracks
        }
        detections: list[Detection] = []
        for track in tracks:
            detections += self._detect_track(image, track, stamp, track.unseen_for <= elapsed)
        return non_max_suppression(detections)

    def _detect_new(self, image: np.ndarray, known: list[Detection], elapsed: float) -> list[Detection]:
        """Return the faces other than `known` in the tiles that are due."""
        return [
            detection
            for detection in self._with_new(image, known, elapsed)
            if not any(_is_same_face(detection.box, other.box) for other in known)
        ]

    def _with_new(self, image: np.ndarray, detections: list[Detection], elapsed: float) -> list[Detection]:
        """Return the known faces and new ones in the tiles that are due."""
        # Cascades take longest where the image resembles a face: unmasked, known faces would take most of the time.
        for proposal in self._proposals(_mask(image, detections), elapsed):
            if all(proposal.box.iou(other.box) < _KNOWN_FACE_OVERLAP for other in detections):
                new = self._detect_near(image, proposal.box, [proposal.roll], _WIDE_MARGIN)
                detections = self._suppress(detections + [self._with_measured_roll(image, one) for one in new])
        return detections

    def _detect_track(
        self, image: np.ndarray, track: PredictedTrack, stamp: float, seen_in_last_frame: bool
    ) -> list[Detection]:
        """Return the face of a track, or an empty list."""
        confirmation = self._confirmations[track.number]
        age = stamp - confirmation.stamp
        confirmed = confirmation.count >= _MIN_CONFIRMATIONS and age <= _CONFIRMATION_LIFETIME
        if confirmed and seen_in_last_frame and age <= _CONFIRMATION_PERIOD:
            found = _best_match(self._redetect(image, track), track)
            if found:
                return found
        margin = min(_WIDE_MARGIN + _MARGIN_GROWTH * track.unseen_for, _MAX_MARGIN)
        rolls = self._candidate_rolls(track.roll)
        if not seen_in_last_frame and not self._has_proposal(image, track.box, rolls, margin):
            return []
        if not confirmed or age > _CONFIRMATION_PERIOD:
            found = self._confirm(image, track, rolls, margin, seen_in_last_frame)
            if found:
                confirmation.count, confirmation.stamp = confirmation.count + 1, stamp
                return [self._with_measured_roll(image, found[0])]
        if not confirmed:
            return []
        return _best_match(self._detect_near(image, track.box, rolls, margin, _CONFIRMED_THRESHOLD_SCALE), track)

    def _confirm(
        self, image: np.ndarray, track: PredictedTrack, rolls: list[float], margin: float, narrow_first: bool
    ) -> list[Detection]:
        """Return the face of a track, or an empty list, at the detector's own threshold.

        `narrow_first` tries the narrow margin first, at a third of the cost.
        """
        found: list[Detection] = []
        if narrow_first:
            found = self._detect_near(image, track.box, rolls[:1], _NARROW_MARGIN, size_change=_NARROW_SIZE_CHANGE)
        return _best_match(found or self._detect_near(image, track.box, rolls, margin), track)

    def _candidate_rolls(self, roll: float) -> list[float]:
        """Return the rolls at which to search for a face last seen at `roll`: that first, then a step to each side."""
        return [roll, roll - _ROLL_STEP, roll + _ROLL_STEP] if self._settings.max_roll else [roll]

    def _with_measured_roll(self, image: np.ndarray, detection: Detection) -> Detection:
        """Return a detection with its roll: from the eyes, or the mean of three rolls weighted by their scores."""
        if not self._settings.max_roll:
            return detection
        if detection.landmarks:
            return replace(detection, roll=detection.landmarks.roll)
        region, width = _grow(detection.box, _NARROW_MARGIN), detection.box.width
        scores = {}
        for roll in self._candidate_rolls(detection.roll):
            found = rotated(self._detector, roll).redetect(image, region, width)
            scores[roll] = max([one.score for one in found], default=0.0)
        total = sum(scores.values())
        if not total > 0:
            return detection
        mean = sum(roll * score for roll, score in scores.items()) / total
        limit = self._settings.max_roll
        return replace(detection, roll=min(max(mean, -limit), limit))

    def _redetect(self, image: np.ndarray, track: PredictedTrack) -> list[Detection]:
        region = _grow(track.box, _NARROW_MARGIN + _MARGIN_GROWTH * track.unseen_for)
        return rotated(self._detector, track.roll).redetect(image, region, track.box.width)

    def _detect_near(
        self,
        image: np.ndarray,
        box: Box,
        rolls: list[float],
        margin: float,
        threshold_scale: float = 1.0,
        size_change: float = _WIDE_SIZE_CHANGE,
    ) -> list[Detection]:
        """Return what the detector finds around a box, at the first of the rolls that gives anything."""
        query = Query(_grow(box, margin), *self._size_range(image, box, size_change), threshold_scale)
        for roll in rolls:
            found = rotated(self._detector, roll).detect(image, query)
            if found:
                return found
        return []

    def _has_proposal(self, image: np.ndarray, box: Box, rolls: list[float], margin: float) -> bool:
        tile = ScanTile(_grow(box, margin), *self._size_range(image, box, _WIDE_SIZE_CHANGE))
        return any(rotated(self._detector, roll).proposals(image, tile) for roll in rolls)

    def _size_range(self, image: np.ndarray, box: Box, change: float) -> tuple[int, int]:
        smallest, largest = self._detector.size_limits(image.shape)
        return max(smallest, round(box.width / change)), min(largest, round(box.width * change))

    def _proposals(self, image: np.ndarray, elapsed: float) -> list[Detection]:
        height, width = image.shape
        return non_max_suppression(
            [
                proposal
                for detector, scheduler in self._schedulers.items()
                for tile in scheduler.tiles((height, width), elapsed)
                for proposal in detector.proposals(image, tile)
            ]
        )


def _set_threads(threads: int) -> None:
    """Set the number of threads of OpenCV, for the whole process.

    A second thread halves the time of a full scan. Regions and tiles are too small to share; there, the second thread
    would wake up, find nothing to do and spin, which took a fifth of the CPU time of an image with one face.
    """
    if cv2.getNumThreads() != threads:
        cv2.setNumThreads(threads)


def _best_match(detections: list[Detection], track: PredictedTrack) -> list[Detection]:
    """Return the detection that overlaps a track's prediction most, or an empty list."""
    return sorted(detections, key=lambda detection: detection.box.iou(track.box), reverse=True)[:1]


def _mask(image: np.ndarray, detections: list[Detection]) -> np.ndarray:
    """Return a copy of an image in which each face has its mean gray level; the image itself if there are no faces.

    The border of each face stays, so that one beside or behind it can be found.
    """
    if not detections:
        return image
    height, width = image.shape
    image = image.copy()
    for detection in detections:
        box = _grow(detection.box, -_MASK_INSET).clipped(width, height)
        face = image[box.y : box.bottom, box.x : box.right]
        face[:] = cv2.mean(face)[0]
    return image


def _is_same_face(box: Box, known: Box) -> bool:
    return box.iou(known) >= _KNOWN_FACE_OVERLAP or _center_in(box, known)


def _center_in(box: Box, other: Box) -> bool:
    x, y = box.center
    return other.x <= x < other.right and other.y <= y < other.bottom


def _grow(box: Box, margin: float) -> Box:
    """Return a box with a margin, in its widths, on each side."""
    pixels = round(margin * box.width)
    return Box(box.x - pixels, box.y - pixels, box.width + 2 * pixels, box.height + 2 * pixels)
