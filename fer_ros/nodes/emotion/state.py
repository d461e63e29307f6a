"""What the emotion node answers images with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from fer_ros.emotion.classifier import Classifier
from fer_ros.faces.alignment import Alignment
from fer_ros.faces.detectors.base import Detector
from fer_ros.faces.detectors.registry import Options, make
from fer_ros.faces.tracker import OverlapTracker
from fer_ros.faces.tracking_detector import TrackingDetector
from fer_ros.nodes.emotion.parameters import Settings
from fer_ros.people.events import Event, FaceEvents
from fer_ros.people.hysteresis import LabelHysteresis
from fer_ros.people.smoothing import Smoothing
from fer_ros.pipeline import Stream, recognize
from fer_ros.types import FaceResult, Frame


@dataclass(frozen=True)
class Memory:
    """What is remembered of one camera from image to image."""

    tracker: OverlapTracker
    stream: Stream
    people: FaceEvents

    @classmethod
    def empty(cls, settings: Settings, detector: Detector) -> Memory:
        """Of a camera whose images are still to come."""
        tracker = OverlapTracker(settings.keep_for, settings.min_hits)
        people = FaceEvents(settings.appear_after, settings.lost_after, settings.dominant_rule)
        return cls(tracker, _stream(settings, detector, tracker), people)

    def with_settings(self, settings: Settings, detector: Detector) -> Memory:
        """The same people under other settings; the averages of their scores start anew."""
        people = self.people.with_rules(settings.appear_after, settings.lost_after, settings.dominant_rule)
        return replace(self, stream=_stream(settings, detector, self.tracker), people=people)

    def forget(self) -> list[Event]:
        """Everybody is lost, and who is seen next is somebody new."""
        self.stream.forget()
        return self.people.drop_all()


@dataclass(frozen=True)
class NodeState:
    """A model, settings, and what is remembered of each camera.

    Nothing of it is exchanged in place: another model or other settings make another NodeState, and the node changes
    over to it between two images. So each image is processed by exactly one model with one consistent set of settings.
    """

    classifier: Classifier
    settings: Settings
    detector: Detector
    memories: Mapping[str, Memory]
    """By the name of the camera."""

    @classmethod
    def begin(cls, settings: Settings, classifier: Classifier) -> NodeState:
        """Loads the detector; nobody is known yet.

        Raises:
            FileNotFoundError: a file that it needs does not exist.
            ValueError: it cannot be used.
            ImportError: the library that it needs is not installed.
        """
        detector = _detector(settings)
        memories = {camera: Memory.empty(settings, detector) for camera in settings.cameras}
        return cls(classifier, settings, detector, memories)

    def with_classifier(self, classifier: Classifier) -> NodeState:
        """The same with another model: people keep their identities, the averages of their scores start anew."""
        return replace(self, classifier=classifier)

    def detector_for(self, settings: Settings) -> Detector:
        """What finds faces under `settings`: the same as now unless they say otherwise. Raises what `begin` raises."""
        if settings.detector == self.settings.detector and _options(settings) == _options(self.settings):
            return self.detector
        return _detector(settings)

    def with_settings(self, settings: Settings, detector: Detector) -> NodeState:
        """The same with other settings, except for the model, which stays, and with the detector for them."""
        memories = {camera: memory.with_settings(settings, detector) for camera, memory in self.memories.items()}
        return replace(self, settings=settings, detector=detector, memories=memories)

    def recognize(self, frames: Mapping[str, Frame], lap: Callable[[str], None]) -> dict[str, list[FaceResult]]:
        """What each face in one new frame of some cameras shows, largest first; all are classified in one batch.

        Args:
            frames: by the name of their camera.
            lap: called with the name of each stage when it is over.
        """
        streams = [self.memories[camera].stream for camera in frames]
        return dict(zip(frames, recognize(streams, list(frames.values()), self.classifier, lap), strict=True))


def _detector(settings: Settings) -> Detector:
    """One for all cameras: it remembers nothing."""
    return make(settings.detector, _options(settings))


def _options(settings: Settings) -> Options:
    return Options(
        settings.cascade,
        settings.scale_factor,
        settings.min_neighbors,
        settings.detector_model,
        settings.min_face_size,
        settings.max_face_size,
    )


def _stream(settings: Settings, detector: Detector, tracker: OverlapTracker) -> Stream:
    return Stream(
        TrackingDetector(
            detector,
            tracker,
            settings.detect_by_tracking,
            settings.full_scan_period,
            settings.max_tilt,
            settings.lighting,
        ),
        Smoothing(settings.smoothing_time_constant),
        LabelHysteresis(settings.emotion_hold, settings.emotion_margin, settings.min_confidence),
        settings.max_faces,
        Alignment(settings.alignment),
    )
