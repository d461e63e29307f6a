"""Finds the faces of one camera's frames: a detector to see them, a tracker to know them again."""

from __future__ import annotations

from fer_ros.faces.detectors import Detector
from fer_ros.faces.tracker import OverlapTracker
from fer_ros.frame import Face, Frame


class Search:
    """The faces of one camera, frame by frame."""

    def __init__(self, detector: Detector, tracker: OverlapTracker):
        self._detector = detector
        self._tracker = tracker

    @property
    def known_ids(self) -> set[str]:
        """Identities in use, including faces that are unseen for the moment."""
        return self._tracker.known_ids

    def find(self, frame: Frame) -> list[Face]:
        """The faces in `frame`, largest first."""
        faces = self._tracker.update(self._detector.detect(frame.grey), frame.stamp)
        return sorted(faces, key=lambda face: face.box.area, reverse=True)
