# SPDX-License-Identifier: Apache-2.0
"""The model, the settings and the tracks that images are processed with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from fer_ros.emotion.classifier import Classifier
from fer_ros.faces.detectors.base import Detector
from fer_ros.faces.detectors.registry import DETECTORS
from fer_ros.faces.tracking_detector import TrackingSettings
from fer_ros.nodes.emotion.parameters import Settings
from fer_ros.people.events import EventSettings
from fer_ros.people.hysteresis import HysteresisSettings
from fer_ros.people.smoothing import SmoothingSettings
from fer_ros.pipeline import CameraSettings, CameraState, recognize
from fer_ros.types import FaceResult, Frame


@dataclass(frozen=True)
class NodeState:
    """A model, the settings, and the state of each camera.

    It is never modified: another model or other settings make another NodeState, by which the node replaces it between
    two images. Each image is therefore processed by exactly one model with one consistent set of settings.
    """

    classifier: Classifier
    settings: Settings
    detector: Detector
    """Shared by all cameras."""
    camera_states: Mapping[str, CameraState]
    """By the name of the camera."""

    @classmethod
    def create(cls, settings: Settings, classifier: Classifier) -> NodeState:
        """Load the detector, and return a state without tracks.

        Raises:
            FileNotFoundError: a file that the detector needs does not exist.
            ValueError: such a file is invalid.
            ImportError: a library that the detector needs is not installed.
        """
        detector = _create_detector(settings)
        camera_states = {
            camera: CameraState(detector, _camera_settings(settings, camera)) for camera in settings.cameras
        }
        return cls(classifier.labeled_with(settings.labels), settings, detector, camera_states)

    def with_classifier(self, classifier: Classifier) -> NodeState:
        """Return a state with another model; faces keep their ids, and the averages of their scores restart."""
        return replace(self, classifier=classifier.labeled_with(self.settings.labels))

    def detector_for(self, settings: Settings) -> Detector:
        """Return the current detector, or another one if `settings` require it; raises what `create` raises."""
        if settings.detector == self.settings.detector:
            return self.detector
        return _create_detector(settings)

    def with_settings(self, settings: Settings, detector: Detector) -> NodeState:
        """Return a state with other settings and their detector; the model stays, and faces keep their ids."""
        camera_states = {
            camera: state.with_settings(_camera_settings(settings, camera), detector)
            for camera, state in self.camera_states.items()
        }
        return replace(self, settings=settings, detector=detector, camera_states=camera_states)

    def recognize(self, frames: Mapping[str, Frame], lap: Callable[[str], None]) -> dict[str, list[FaceResult]]:
        """Return the faces in one new frame of each camera, largest first; all are classified in one batch.

        Known faces are returned before the scan for new ones: call `scan_deferred` when they are published.

        Args:
            frames: by the name of their camera.
            lap: called at the end of each stage with its name.
        """
        states_and_frames = [(self.camera_states[camera], frame) for camera, frame in frames.items()]
        return dict(zip(frames, recognize(states_and_frames, self.classifier, lap, defer_scans=True), strict=True))

    def scan_deferred(self, cameras: Iterable[str]) -> None:
        """Scan the last frame of these cameras for new faces; the results of the next frame have them."""
        for camera in cameras:
            self.camera_states[camera].scan_deferred()


def _create_detector(settings: Settings) -> Detector:
    name = settings.detector.name
    return DETECTORS.create(name, DETECTORS.select_options(name, vars(settings.detector)))


def _camera_settings(settings: Settings, camera: str) -> CameraSettings:
    tracking, smoothing, events = settings.tracking, settings.smoothing, settings.events
    return CameraSettings(
        tracking=TrackingSettings(
            enabled=tracking.enabled,
            scan_period=tracking.scan_period,
            keep_for=tracking.keep_for,
            min_hits=tracking.min_hits,
            max_roll=tracking.max_roll,
            contrast=tracking.contrast,
        ),
        smoothing=SmoothingSettings(time_constant=smoothing.time_constant),
        hysteresis=HysteresisSettings(
            hold=smoothing.hold, margin=smoothing.margin, min_confidence=smoothing.min_confidence
        ),
        events=EventSettings(
            appear_after=events.appear_after,
            lost_after=events.lost_after,
            notice=settings.notice.seconds,
            dominant_rule=events.dominant_rule,
        ),
        alignment=settings.alignment,
        max_faces=settings.max_faces,
        rotation=settings.rotation_of(camera),
        face_width=settings.position.face_width,
    )
