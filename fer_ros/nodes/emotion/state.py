"""What the emotion node answers images with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from fer_ros.emotion.classifier import Classifier
from fer_ros.faces.detectors.base import Detector
from fer_ros.faces.detectors.registry import Options, make
from fer_ros.faces.tracking_detector import TrackingSettings
from fer_ros.nodes.emotion.parameters import Settings
from fer_ros.people.events import EventSettings
from fer_ros.people.hysteresis import HysteresisSettings
from fer_ros.people.smoothing import SmoothingSettings
from fer_ros.pipeline import CameraSettings, CameraState, recognize
from fer_ros.types import FaceResult, Frame


@dataclass(frozen=True)
class NodeState:
    """A model, settings, and what is remembered of each camera.

    Nothing of it is exchanged in place: another model or other settings make another NodeState, and the node changes
    over to it between two images. So each image is processed by exactly one model with one consistent set of settings.
    """

    classifier: Classifier
    settings: Settings
    detector: Detector
    camera_states: Mapping[str, CameraState]
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
        camera_states = {camera: CameraState(detector, _camera_settings(settings)) for camera in settings.cameras}
        return cls(classifier, settings, detector, camera_states)

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
        camera_settings = _camera_settings(settings)
        camera_states = {
            camera: state.with_settings(camera_settings, detector) for camera, state in self.camera_states.items()
        }
        return replace(self, settings=settings, detector=detector, camera_states=camera_states)

    def recognize(self, frames: Mapping[str, Frame], lap: Callable[[str], None]) -> dict[str, list[FaceResult]]:
        """What each face in one new frame of some cameras shows, largest first; all are classified in one batch.

        Args:
            frames: by the name of their camera.
            lap: called with the name of each stage when it is over.
        """
        states_and_frames = [(self.camera_states[camera], frame) for camera, frame in frames.items()]
        return dict(zip(frames, recognize(states_and_frames, self.classifier, lap), strict=True))


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


def _camera_settings(settings: Settings) -> CameraSettings:
    return CameraSettings(
        tracking=TrackingSettings(
            enabled=settings.detect_by_tracking,
            scan_period=settings.full_scan_period,
            keep_for=settings.keep_for,
            min_hits=settings.min_hits,
            max_roll=settings.max_tilt,
            contrast=settings.lighting,
        ),
        smoothing=SmoothingSettings(settings.smoothing_time_constant),
        hysteresis=HysteresisSettings(settings.emotion_hold, settings.emotion_margin, settings.min_confidence),
        events=EventSettings(settings.appear_after, settings.lost_after, settings.dominant_rule),
        alignment=settings.alignment,
        max_faces=settings.max_faces,
        face_width=settings.face_width,
    )
