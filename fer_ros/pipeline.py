"""From frames to what every face in them shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from fer_ros.emotion.classifier import Classifier
from fer_ros.emotion.preprocessing import Preprocessing
from fer_ros.faces.alignment import Alignment
from fer_ros.faces.tracking_detector import TrackingDetector
from fer_ros.people import quality
from fer_ros.people.affect import valence_and_arousal
from fer_ros.people.hysteresis import LabelHysteresis
from fer_ros.people.smoothing import Smoothing
from fer_ros.types import UNKNOWN, FaceResult, Frame, TrackedFace

_FIRM = 1.44
"""By how much larger, in area, a face must be to take the place of another where not all count."""


class Stream:
    """What is remembered of one camera from frame to frame: its faces, their scores over time, what was decided.

    Args:
        search: finds the faces.
        smoothing: averages their scores; of this stream alone.
        decisions: gives each face a word; of this stream alone. None takes one with its defaults.
        max_faces: how many faces of a frame count, the largest; 0: all.
        alignment: says what to crop of each face. None takes one with its defaults.
    """

    def __init__(
        self,
        search: TrackingDetector,
        smoothing: Smoothing,
        decisions: LabelHysteresis | None = None,
        max_faces: int = 0,
        alignment: Alignment | None = None,
    ):
        self._search = search
        self._smoothing = smoothing
        self._decisions = decisions or LabelHysteresis()
        self._max_faces = max_faces
        self._chosen: set[str] = set()
        self._alignment = alignment or Alignment()
        self._classifier: Classifier | None = None

    def forget(self) -> None:
        """Makes everybody unknown; who is seen next is somebody new."""
        self._search.forget()

    def find(self, frame: Frame) -> list[TrackedFace]:
        """The faces in `frame` that count, largest first."""
        faces = self._search.find(frame)
        if not 0 < self._max_faces < len(faces):
            return faces
        # One that counts gives way to one that is clearly larger; else two of a size would take turns.
        ranked = sorted(faces, key=lambda face: face.box.area * (_FIRM if face.id in self._chosen else 1), reverse=True)
        self._chosen = {face.id for face in ranked[: self._max_faces]}
        return [face for face in faces if face.id in self._chosen]

    def crops(self, frame: Frame, faces: Sequence[TrackedFace], preprocessing: Preprocessing) -> list[np.ndarray]:
        """`faces`, found in `frame`, as the network is to see them."""
        return [preprocessing.crop(frame.gray, *self._alignment.place(frame.gray, face)) for face in faces]

    def judge(
        self,
        frame: Frame,
        faces: Sequence[TrackedFace],
        crops: Sequence[np.ndarray],
        scores: np.ndarray,
        classifier: Classifier,
    ) -> list[FaceResult]:
        """What `faces` show; with another classifier than for the last frame, the averages of all scores start anew.

        Args:
            frame: in which they were found.
            faces: largest first.
            crops: of these faces, (size, size) uint8 each.
            scores: of these crops, (len(faces), classes).
            classifier: that gave the scores.
        """
        if classifier is not self._classifier:
            # Scores of one model are never averaged with those of another.
            self._keep_only(set())
            self._classifier = classifier
        self._keep_only(self._search.known_ids)
        return [
            self._judge(frame, face, crop, own_scores, classifier.labels)
            for face, crop, own_scores in zip(faces, crops, scores, strict=True)
        ]

    def _judge(
        self, frame: Frame, face: TrackedFace, crop: np.ndarray, scores: np.ndarray, labels: tuple[str, ...]
    ) -> FaceResult:
        height, width = frame.gray.shape
        faults = quality.assess(crop, face.box, (width, height))
        smoothed = self._smoothing.update(face.id, scores, frame.stamp, quality.weight(faults))
        emotion = self._decisions.update(face.id, smoothed, labels, frame.stamp)
        named = int(smoothed.argmax()) if emotion == UNKNOWN else labels.index(emotion)
        valence, arousal = valence_and_arousal(smoothed, labels)
        return FaceResult(
            box=face.box,
            id=face.id,
            detection_score=face.detection_score,
            tracked_for=face.tracked_for,
            landmarks=face.landmarks,
            roll=face.roll,
            labels=labels,
            scores=scores,
            smoothed_scores=smoothed,
            emotion=emotion,
            confidence=float(smoothed[named]),
            quality=int(faults),
            valence=valence,
            arousal=arousal,
        )

    def _keep_only(self, face_ids: set[str]) -> None:
        self._smoothing.keep_only(face_ids)
        self._decisions.keep_only(face_ids)


def recognize(
    streams: Sequence[Stream],
    frames: Sequence[Frame],
    classifier: Classifier,
    lap: Callable[[str], None] = lambda stage: None,
) -> list[list[FaceResult]]:
    """What the faces in one new frame of each stream show, all faces classified in one batch.

    Args:
        streams: one for each frame.
        frames: the newest of each.
        classifier: for all of them.
        lap: called with the name of each stage when it is over, for who wants to know how long it took.

    Returns:
        One list for each stream, largest face first.
    """
    found = [stream.find(frame) for stream, frame in zip(streams, frames, strict=True)]
    lap("detection")
    crops = [
        stream.crops(frame, faces, classifier.preprocessing)
        for stream, frame, faces in zip(streams, frames, found, strict=True)
    ]
    scores = classifier.scores([crop for of_stream in crops for crop in of_stream])
    lap("classification")
    by_stream = np.split(scores, np.cumsum([len(faces) for faces in found])[:-1])
    judged = [
        stream.judge(frame, faces, own_crops, own_scores, classifier)
        for stream, frame, faces, own_crops, own_scores in zip(streams, frames, found, crops, by_stream, strict=True)
    ]
    lap("decision")
    return judged
