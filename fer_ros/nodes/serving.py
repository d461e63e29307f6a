"""What the emotion node answers an image with."""

from __future__ import annotations

from dataclasses import dataclass, replace

from fer_ros.emotion.classifier import Classifier
from fer_ros.emotion.decisions import Decisions
from fer_ros.emotion.smoothing import Smoothing
from fer_ros.faces.detectors.viola_jones import ViolaJones
from fer_ros.faces.search import Search
from fer_ros.faces.tracker import OverlapTracker
from fer_ros.frame import FaceEmotion, Frame
from fer_ros.geometry import CameraModel, placed
from fer_ros.nodes.parameters import Settings
from fer_ros.people import People
from fer_ros.pipeline import Stream, recognise


@dataclass(frozen=True)
class Serving:
    """A model, a detector, and what is remembered of the camera.

    Nothing of it is exchanged in place: another model or other settings make another Serving, and the node changes
    over to it between two images. So each image is answered by exactly one model with one consistent set of settings.
    People keep their identities; the averages of their scores start anew.
    """

    classifier: Classifier
    settings: Settings
    tracker: OverlapTracker
    stream: Stream
    people: People

    @classmethod
    def load(cls, settings: Settings) -> Serving:
        """Loads cascade and model.

        Raises:
            FileNotFoundError: one of them does not exist.
            ValueError: one of them cannot be used.
            ImportError: the library that runs the model is not installed.
        """
        tracker = OverlapTracker(settings.keep_for, settings.min_hits)
        stream = _stream(settings, tracker)
        people = People(settings.appear_after, settings.lost_after, settings.dominant_rule)
        return cls(Classifier(settings.model, settings.backend), settings, tracker, stream, people)

    def with_classifier(self, classifier: Classifier) -> Serving:
        """The same with another model."""
        return replace(self, classifier=classifier, stream=_stream(self.settings, self.tracker))

    def with_settings(self, settings: Settings) -> Serving:
        """The same with other settings, except for the model, which stays."""
        people = self.people.with_rules(settings.appear_after, settings.lost_after, settings.dominant_rule)
        return replace(self, settings=settings, stream=_stream(settings, self.tracker), people=people)

    def recognise(self, frame: Frame, camera: CameraModel | None) -> list[FaceEmotion]:
        """What each face in `frame` shows, largest first, and where it is if `camera`, that took it, is known."""
        (faces,) = recognise([self.stream], [frame], self.classifier)
        return placed(faces, camera, self.settings.face_width) if camera else faces


def _stream(settings: Settings, tracker: OverlapTracker) -> Stream:
    detector = ViolaJones(
        settings.cascade,
        settings.scale_factor,
        settings.min_neighbors,
        settings.min_face_size,
        settings.max_face_size,
    )
    return Stream(
        Search(detector, tracker, settings.detect_by_tracking, settings.full_scan_period),
        Smoothing(settings.smoothing_time_constant),
        Decisions(settings.emotion_hold, settings.emotion_margin, settings.min_confidence),
    )
