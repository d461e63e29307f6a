# SPDX-License-Identifier: Apache-2.0
"""What the page shows: one immutable object, which the callbacks of ROS replace and every page reads.

Times are in seconds of the monotonic clock: what arrives is shown at the time of its arrival, also with simulated time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from fer_ros.types import FaceResult

SAMPLE_PERIOD = 0.25
"""Seconds between two samples of a person's history."""
MAX_PEOPLE = 8
"""People of one camera that are kept: those that were seen last."""
MAX_EVENTS = 40
MAX_EPOCHS = 2000
"""Epochs of a training run that are kept, the latest."""


@dataclass(frozen=True)
class Sample:
    """A moment in a person's history."""

    time: float
    emotion: str
    scores: tuple[float, ...]
    """Smoothed, 0..1, in the order of the camera's labels."""


@dataclass(frozen=True)
class Person:
    """A face with its history."""

    face_id: str
    emotion: str
    confidence: float
    """0..1; NaN if unknown."""
    seen: float
    """Time of the last image with this face."""
    samples: tuple[Sample, ...]
    """Oldest first, never empty."""


@dataclass(frozen=True)
class Camera:
    """The results of one camera."""

    labels: tuple[str, ...] = ()
    model_id: str = ""
    people: tuple[Person, ...] = ()
    """In the order of appearance."""
    dominant_id: str = ""

    def with_result(
        self,
        labels: tuple[str, ...],
        model_id: str,
        faces: Sequence[FaceResult],
        dominant_id: str,
        now: float,
        history: float,
    ) -> Camera:
        """Return the camera after another image.

        Args:
            labels: of all scores; with others than before, all histories start anew.
            model_id: as in FaceEmotionArray.
            faces: of the image.
            dominant_id: as in FaceEmotionArray.
            now: time.
            history: seconds that are kept.
        """
        known = {person.face_id: person for person in self.people} if labels == self.labels else {}
        for face in faces:
            known[face.id] = _seen(known.get(face.id), face, now)
        oldest = now - history
        kept = [_since(person, oldest) for person in known.values() if person.seen >= oldest]
        latest = {person.face_id for person in sorted(kept, key=lambda one: one.seen)[-MAX_PEOPLE:]}
        people = tuple(person for person in kept if person.face_id in latest)
        return replace(self, labels=labels, model_id=model_id, people=people, dominant_id=dominant_id)


def _seen(person: Person | None, face: FaceResult, now: float) -> Person:
    samples = person.samples if person else ()
    if not samples or now - samples[-1].time >= SAMPLE_PERIOD:
        samples = (*samples, Sample(now, face.emotion, tuple(float(score) for score in face.smoothed_scores)))
    return Person(face.id, face.emotion, face.confidence, now, samples)


def _since(person: Person, oldest: float) -> Person:
    """Return the person with one sample before `oldest`, so that the drawn history reaches its left edge."""
    if len(person.samples) < 3 or person.samples[1].time >= oldest:
        return person
    return replace(person, samples=tuple(sample for sample in person.samples[1:] if sample.time >= oldest))


@dataclass(frozen=True)
class EventLine:
    """An event of a person, as a line of text in parts."""

    clock: str
    """Local time of its arrival, "HH:MM:SS"."""
    camera: str
    face_id: str
    text: str
    emotion: str
    """Whose color the line has: the current one, or the last; empty for none."""


@dataclass(frozen=True)
class Status:
    """A diagnostic_msgs/DiagnosticStatus."""

    level: int
    """0 (OK), 1 (WARN), 2 (ERROR) or 3 (STALE)."""
    message: str
    values: Mapping[str, str]
    time: float
    """Of its arrival."""


@dataclass(frozen=True)
class Epoch:
    """An epoch of a training run, as in TrainingProgress.msg."""

    number: int
    train_loss: float
    validation_loss: float
    validation_accuracy: float
    best_validation_accuracy: float


@dataclass(frozen=True)
class Training:
    """The training run that was reported last."""

    run_id: str = ""
    stage: str = ""
    planned: int = 0
    """Epochs."""
    images_per_second: float = 0.0
    eta: float = 0.0
    """Seconds until the last epoch ends."""
    epochs: tuple[Epoch, ...] = ()
    plots: Mapping[str, bytes] = field(default_factory=dict)
    """PNG files by the name of their topic; those of the run before until they are replaced."""

    def with_epoch(self, run_id: str, stage: str, planned: int, speed: float, eta: float, epoch: Epoch) -> Training:
        """Return the training after another epoch; `speed` is in images per second.

        An epoch that is not after the last one belongs to another run, or to one that was resumed from a checkpoint.
        """
        before = [one for one in self.epochs if one.number < epoch.number] if run_id == self.run_id else []
        return Training(run_id, stage, planned, speed, eta, (*before, epoch)[-MAX_EPOCHS:], self.plots)


@dataclass(frozen=True)
class DashboardState:
    """Everything that the page shows, except for the live images."""

    cameras: Mapping[str, Camera] = field(default_factory=dict)
    events: tuple[EventLine, ...] = ()
    """Latest first."""
    health: Mapping[str, Status] = field(default_factory=dict)
    """Of the emotion node, by camera."""
    trainer: Status | None = None
    training: Training = field(default_factory=Training)

    def with_camera(self, name: str, camera: Camera) -> DashboardState:
        """Return the state with a camera replaced."""
        return replace(self, cameras={**self.cameras, name: camera})

    def with_event(self, event: EventLine) -> DashboardState:
        """Return the state with one more event."""
        return replace(self, events=(event, *self.events)[:MAX_EVENTS])

    def with_health(self, camera: str, status: Status) -> DashboardState:
        """Return the state with a status of the emotion node replaced."""
        return replace(self, health={**self.health, camera: status})

    def with_plot(self, name: str, png: bytes) -> DashboardState:
        """Return the state with a plot of the training replaced."""
        return replace(self, training=replace(self.training, plots={**self.training.plots, name: png}))
