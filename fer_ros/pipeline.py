"""From frames to what every face in them shows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fer_ros.emotion.classifier import Classifier
from fer_ros.emotion.smoothing import Smoothing
from fer_ros.faces.search import Search
from fer_ros.frame import Face, FaceEmotion, Frame


class Stream:
    """What is remembered of one camera from frame to frame: its faces and their scores over time."""

    def __init__(self, search: Search, smoothing: Smoothing):
        self._search = search
        self._smoothing = smoothing
        self._labels: tuple[str, ...] = ()

    def find(self, frame: Frame) -> list[Face]:
        """The faces in `frame`, largest first."""
        return self._search.find(frame)

    def judge(
        self, faces: Sequence[Face], scores: np.ndarray, labels: tuple[str, ...], stamp: float
    ) -> list[FaceEmotion]:
        """What `faces` show, given the (len(faces), len(labels)) scores of the frame taken at `stamp` (s)."""
        if labels != self._labels:
            # Scores of a model with other classes cannot be averaged with these.
            self._smoothing.keep_only(set())
            self._labels = labels
        self._smoothing.keep_only(self._search.known_ids)
        emotions = []
        for face, of_this_image in zip(faces, scores, strict=True):
            smoothed = self._smoothing.update(face.face_id, of_this_image, stamp)
            best = int(smoothed.argmax())
            emotions.append(FaceEmotion(face, of_this_image, smoothed, labels[best], float(smoothed[best])))
        return emotions


def recognise(
    streams: Sequence[Stream], frames: Sequence[Frame], classifier: Classifier
) -> list[list[FaceEmotion]]:
    """What the faces in one new frame of each stream show, all faces classified in one batch.

    Returns:
        One list for each stream, largest face first.
    """
    found = [stream.find(frame) for stream, frame in zip(streams, frames, strict=True)]
    crops = [
        classifier.preprocessing.crop(frame.grey, face.box)
        for frame, faces in zip(frames, found, strict=True)
        for face in faces
    ]
    scores = classifier.scores(crops)
    by_stream = np.split(scores, np.cumsum([len(faces) for faces in found])[:-1])
    return [
        stream.judge(faces, own_scores, classifier.labels, frame.stamp)
        for stream, faces, own_scores, frame in zip(streams, found, by_stream, frames, strict=True)
    ]
