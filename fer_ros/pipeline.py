# SPDX-License-Identifier: Apache-2.0
"""From frames to results: detect and track faces, classify them in one batch, smooth and decide."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from fer_ros.emotion.classifier import Classifier
from fer_ros.emotion.preprocessing import Preprocessing
from fer_ros.faces.alignment import Alignment
from fer_ros.faces.detectors.base import Detector
from fer_ros.faces.tracking_detector import TrackingDetector, TrackingSettings
from fer_ros.media.rotation import Derotation, check_rotation, rotate
from fer_ros.people import quality
from fer_ros.people.affect import valence_and_arousal
from fer_ros.people.camera_model import FACE_WIDTH, CameraModel
from fer_ros.people.events import Event, EventSettings, FaceEvents
from fer_ros.people.hysteresis import HysteresisSettings, LabelHysteresis, best
from fer_ros.people.smoothing import Smoothing, SmoothingSettings
from fer_ros.types import FaceResult, Frame, TrackedFace

_MAX_FACES_MARGIN = math.log(1.44)
"""By how much the logarithm of a face's area must exceed that of a selected face to replace it."""


@dataclass(frozen=True)
class CameraSettings:
    """Settings of `CameraState`.

    Raises:
        ValueError: a value is out of its range.
    """

    tracking: TrackingSettings = field(default_factory=TrackingSettings)
    smoothing: SmoothingSettings = field(default_factory=SmoothingSettings)
    hysteresis: HysteresisSettings = field(default_factory=HysteresisSettings)
    events: EventSettings = field(default_factory=EventSettings)
    alignment: str = "tilted"
    """Which faces are derotated for the network; see `fer_ros.faces.alignment.Alignment`."""
    max_faces: int = 0
    """Number of faces that are classified in an image, the largest; 0 for all."""
    rotation: int = 0
    """Degrees clockwise by which frames are rotated before faces are searched: 180 for a camera mounted upside down."""
    face_width: float = FACE_WIDTH
    """Width in meters that the detector's box spans at the face; positions are proportional to it."""

    def __post_init__(self) -> None:
        if self.max_faces < 0:
            raise ValueError(f"max_faces must be 0 (all) or more, not {self.max_faces}")
        check_rotation(self.rotation)
        if not 0 < self.face_width < math.inf:
            raise ValueError(f"face_width must be above 0 m, not {self.face_width}")


class CameraState:
    """Everything that is remembered of one camera from frame to frame.

    Args:
        detector: detects faces in single images; may be shared between cameras, as it has no state.
        settings: of tracking, smoothing, decisions, events and positions.

    Raises:
        ValueError: there is no such alignment.
        FileNotFoundError: OpenCV's eye cascade, which the alignment "on" needs, is not installed.
    """

    def __init__(self, detector: Detector, settings: CameraSettings = CameraSettings()):
        self._settings = settings
        self._faces = TrackingDetector(detector, settings.tracking)
        self._alignment = Alignment(settings.alignment)
        self._smoothing = Smoothing(settings.smoothing)
        self._decisions = LabelHysteresis(settings.hysteresis)
        self._selected: list[str] = []
        self._classifier: Classifier | None = None
        self.events = FaceEvents(settings.events)
        """Derives events from the results; update it with those of every frame where events are needed."""
        self.camera_model: CameraModel | None = None
        """Calibration for the size of the frames; positions are computed while it is set."""

    def with_settings(self, settings: CameraSettings, detector: Detector) -> CameraState:
        """Return a state that continues with the same faces under other settings; do not use this one any more.

        Ids and the faces known to `events` stay; the averages of scores restart. `keep_for` and `min_hits` stay as
        they are.
        """
        other = CameraState(detector, settings)
        other._faces = TrackingDetector(detector, settings.tracking, self._faces.tracker)
        other.events = self.events.with_settings(settings.events)
        other.camera_model = self.camera_model
        return other

    def reset(self) -> list[Event]:
        """Drop all tracks; the next face gets a new id. Return the LOST events of the faces that had appeared."""
        self._faces.reset()
        return self.events.reset()

    def upright(self, frame: Frame) -> Frame:
        """Return the frame rotated as the settings say, for the other methods."""
        rotation = self._settings.rotation
        return replace(frame, gray=rotate(frame.gray, rotation)) if rotation else frame

    def detect(self, frame: Frame, defer_scan: bool = False) -> list[TrackedFace]:
        """Return the faces in an upright `frame` that are to be classified, largest first.

        Args:
            frame: from `upright`.
            defer_scan: see `TrackingDetector.detect`.
        """
        faces = self._faces.detect(frame, defer_scan)
        if not 0 < self._settings.max_faces < len(faces):
            return faces
        merits = {face.id: math.log(face.box.area) for face in faces}
        self._selected = best(merits, self._selected, _MAX_FACES_MARGIN, self._settings.max_faces)
        return [face for face in faces if face.id in self._selected]

    def scan_deferred(self) -> None:
        """Scan the last frame for new faces, if `detect` has deferred that; the results of the next frame have them."""
        self._faces.scan_deferred()

    def crop(self, frame: Frame, faces: Sequence[TrackedFace], preprocessing: Preprocessing) -> list[np.ndarray]:
        """Return the crops of `faces`, detected in `frame`, for the network: (size, size) uint8 each."""
        return [preprocessing.crop(frame.gray, *self._alignment.crop_region(frame.gray, face)) for face in faces]

    def update(
        self,
        frame: Frame,
        faces: Sequence[TrackedFace],
        crops: Sequence[np.ndarray],
        scores: np.ndarray,
        classifier: Classifier,
    ) -> list[FaceResult]:
        """Update averages and decisions with the scores of a new frame, and return the results.

        With another classifier than for the last frame the averages restart: scores of two models are never mixed.

        Args:
            frame: that shows the faces, upright.
            faces: largest first.
            crops: of these faces, (size, size) uint8 each.
            scores: of these crops, (len(faces), classes) float32.
            classifier: that computed the scores.
        """
        if classifier is not self._classifier:
            self._keep_only(())
            self._classifier = classifier
        self._keep_only(self._faces.known_ids)
        return [
            self._result(frame, face, crop, face_scores, classifier.labels)
            for face, crop, face_scores in zip(faces, crops, scores, strict=True)
        ]

    def _result(
        self, frame: Frame, face: TrackedFace, crop: np.ndarray, scores: np.ndarray, labels: tuple[str, ...]
    ) -> FaceResult:
        height, width = frame.gray.shape
        faults = quality.assess(crop, face.box, (width, height))
        smoothed = self._smoothing.update(face.id, scores, frame.stamp, quality.weight(faults))
        emotion = self._decisions.update(face.id, smoothed, labels, frame.stamp)
        valence, arousal = valence_and_arousal(smoothed, labels)
        rotation = self._settings.rotation
        back = Derotation(rotation, *((height, width) if rotation in (90, 270) else (width, height)))
        box = back.box(face.box)
        return FaceResult(
            box=box,
            id=face.id,
            detection_score=face.detection_score,
            tracked_for=face.tracked_for,
            landmarks=back.landmarks(face.landmarks) if face.landmarks else None,
            roll=back.roll(face.roll) if rotation else face.roll,
            labels=labels,
            scores=scores,
            smoothed_scores=smoothed,
            emotion=emotion,
            confidence=self._decisions.confidence(face.id),
            quality=int(faults),
            valence=valence,
            arousal=arousal,
            position=self.camera_model.position(box, self._settings.face_width) if self.camera_model else None,
        )

    def _keep_only(self, face_ids: Collection[str]) -> None:
        self._smoothing.keep_only(face_ids)
        self._decisions.keep_only(face_ids)


def recognize(
    states_and_frames: Sequence[tuple[CameraState, Frame]],
    classifier: Classifier,
    lap: Callable[[str], None] = lambda stage: None,
    defer_scans: bool = False,
) -> list[list[FaceResult]]:
    """Recognize the emotions of all faces in one new frame of each camera; all faces are classified in one batch.

    Args:
        states_and_frames: the state of each camera, and its frame; each state once.
        classifier: for all of them.
        lap: called at the end of each stage with its name: "detection", "classification", "decision".
        defer_scans: return the results of known faces before the scan for new ones; call `scan_deferred` of each state
            after it, and before the next frame.

    Returns:
        The results for each frame, largest face first, in pixels of the frame as it was given.
    """
    states_and_frames = [(state, state.upright(frame)) for state, frame in states_and_frames]
    detected = [state.detect(frame, defer_scans) for state, frame in states_and_frames]
    lap("detection")
    crops = [
        state.crop(frame, faces, classifier.preprocessing)
        for (state, frame), faces in zip(states_and_frames, detected, strict=True)
    ]
    scores = classifier.scores([crop for camera_crops in crops for crop in camera_crops])
    lap("classification")
    scores_by_camera = np.split(scores, np.cumsum([len(faces) for faces in detected])[:-1])
    results = [
        state.update(frame, faces, camera_crops, camera_scores, classifier)
        for (state, frame), faces, camera_crops, camera_scores in zip(
            states_and_frames, detected, crops, scores_by_camera, strict=True
        )
    ]
    lap("decision")
    return results
