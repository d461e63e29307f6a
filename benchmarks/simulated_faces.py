# SPDX-License-Identifier: Apache-2.0
"""Simulated class scores of faces whose true emotion is known at every moment, as noisy as those of a real network.

The noise model was fitted to real recordings, see docs/reports/emotions-over-time.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from fer_ros.emotion.labels import FER2013
from fer_ros.people.quality import Quality

FAST_NOISE, FAST_TIME = 0.25, 0.03
"""Noise from image to image: standard deviation of the logits, and correlation time in seconds."""
SLOW_NOISE, SLOW_TIME = 0.35, 0.5
"""Noise caused by head movement: likewise."""
CONFIDENCES = (0.45, 0.98)
"""Range of the best score of an undisturbed face, uniform."""
DURATIONS = (2.5, 8.0)
"""Range of the duration of an emotion in seconds, uniform."""
TRANSITION = 0.25
"""Seconds of the transition from one emotion to the next."""
DISTURBANCE_RATE = 0.2
"""Disturbances per second: a blink, speech, a hand, a quick movement; each resembles another emotion."""
DISTURBANCE_DURATIONS = (0.08, 0.4)
"""Range of the duration of a disturbance in seconds, uniform."""
BLURRED_SHARE = 0.5
"""Share of the disturbances that blur the image."""


@dataclass(frozen=True)
class Moment:
    """One image of a simulated face."""

    stamp: float
    """Seconds."""
    scores: np.ndarray
    """(7,), sum 1, in the order of FER2013."""
    quality: Quality
    truth: str
    since: float
    """Stamp at which the true emotion began, seconds."""


@dataclass(frozen=True)
class _Segment:
    start: float
    end: float
    logits: np.ndarray
    label: int
    blurred: bool = False


def simulated_face(duration: float, rate: float, seed: int) -> Iterator[Moment]:
    """Yield a face for `duration` seconds at `rate` images a second; a seed gives the same emotions at every rate."""
    schedule = np.random.default_rng(seed)
    emotions = list(_emotions(schedule, duration))
    disturbances = list(_disturbances(schedule, duration))
    noise = np.random.default_rng([seed, round(rate)])
    fast = _noise(noise, duration, rate, FAST_NOISE, FAST_TIME)
    slow = _noise(noise, duration, rate, SLOW_NOISE, SLOW_TIME)
    for step in range(round(duration * rate)):
        stamp = step / rate
        at = next(index for index, segment in enumerate(emotions) if segment.start <= stamp < segment.end)
        disturbance = next((segment for segment in disturbances if segment.start <= stamp < segment.end), None)
        logits = disturbance.logits if disturbance else _blend(emotions, at, stamp)
        quality = Quality.BLURRED if disturbance and disturbance.blurred else Quality.OK
        scores = _softmax(logits + fast[step] + slow[step])
        yield Moment(stamp, scores, quality, FER2013[emotions[at].label], emotions[at].start)


def _emotions(schedule: np.random.Generator, duration: float) -> Iterator[_Segment]:
    start, label = 0.0, -1
    while start < duration:
        label = int(schedule.choice([other for other in range(len(FER2013)) if other != label]))
        end = start + schedule.uniform(*DURATIONS)
        yield _Segment(start, end, _logits(schedule, label), label)
        start = end


def _disturbances(schedule: np.random.Generator, duration: float) -> Iterator[_Segment]:
    start = schedule.exponential(1 / DISTURBANCE_RATE)
    while start < duration:
        label = int(schedule.integers(len(FER2013)))
        end = start + schedule.uniform(*DISTURBANCE_DURATIONS)
        yield _Segment(start, end, _logits(schedule, label), label, schedule.random() < BLURRED_SHARE)
        start = end + schedule.exponential(1 / DISTURBANCE_RATE)


def _logits(schedule: np.random.Generator, label: int) -> np.ndarray:
    """Return the logits of a face that shows `label` with a random confidence, and the other labels unevenly."""
    confidence = schedule.uniform(*CONFIDENCES)
    others = schedule.dirichlet(np.ones(len(FER2013) - 1)) * (1 - confidence)
    # Another label of nearly the same score would leave the true emotion undefined.
    others = np.minimum(others, 0.7 * confidence)
    return np.log(np.maximum(np.insert(others, label, confidence), 1e-3))


def _blend(emotions: list[_Segment], at: int, stamp: float) -> np.ndarray:
    progress = min((stamp - emotions[at].start) / TRANSITION, 1.0) if at else 1.0
    return progress * emotions[at].logits + (1 - progress) * emotions[max(at - 1, 0)].logits


def _noise(noise: np.random.Generator, duration: float, rate: float, spread: float, time: float) -> np.ndarray:
    """Return an Ornstein-Uhlenbeck process, (images, 7), with the same statistics at every rate."""
    decay = np.exp(-1 / (rate * time))
    steps = noise.normal(0, spread, (round(duration * rate), len(FER2013)))
    for index in range(1, len(steps)):
        steps[index] = decay * steps[index - 1] + np.sqrt(1 - decay**2) * steps[index]
    return steps


def _softmax(logits: np.ndarray) -> np.ndarray:
    exponentials = np.exp(logits - logits.max())
    return (exponentials / exponentials.sum()).astype(np.float32)
