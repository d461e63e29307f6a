"""Class scores of made faces whose true emotion is known at every moment, as noisy as those of a real network.

What the noise is like was measured; docs/emotions-over-time.md says how, and on what.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from fer_ros.emotion.labels import FER2013
from fer_ros.people.quality import Quality

FAST, FAST_TIME = 0.25, 0.03
"""Noise from image to image: standard deviation of the logits, and its correlation time in seconds."""
SLOW, SLOW_TIME = 0.35, 0.5
"""Noise of the head's movement: likewise."""
CONFIDENCES = (0.45, 0.98)
"""What an undisturbed face's best score is drawn from."""
LASTS = (2.5, 8.0)
"""Seconds an emotion is drawn to last."""
TURNS_IN = 0.25
"""Seconds in which a face goes over from one emotion to the next."""
BURSTS = 0.2
"""Disturbances a second: a blink, a word, a hand, a quick movement, of which each shows something else."""
BURST_LASTS = (0.08, 0.4)
"""Seconds a disturbance is drawn to last."""
BURSTS_BLURRED = 0.5
"""Share of the disturbances that blur the image."""


@dataclass(frozen=True)
class Moment:
    """One image of a made face."""

    stamp: float
    """Seconds."""
    scores: np.ndarray
    """(7,), sum 1, in the order of FER2013."""
    quality: Quality
    truth: str
    since: float
    """When the true emotion began, seconds."""


@dataclass(frozen=True)
class _Stretch:
    start: float
    end: float
    logits: np.ndarray
    label: int
    blurred: bool = False


def made_face(duration: float, rate: float, seed: int) -> Iterator[Moment]:
    """A face for `duration` seconds at `rate` images a second; a seed gives the same emotions at every rate."""
    plan = np.random.default_rng(seed)
    emotions = list(_emotions(plan, duration))
    bursts = list(_bursts(plan, duration))
    noise = np.random.default_rng([seed, round(rate)])
    fast = _wander(noise, duration, rate, FAST, FAST_TIME)
    slow = _wander(noise, duration, rate, SLOW, SLOW_TIME)
    for step in range(round(duration * rate)):
        stamp = step / rate
        at = next(index for index, stretch in enumerate(emotions) if stretch.start <= stamp < stretch.end)
        burst = next((stretch for stretch in bursts if stretch.start <= stamp < stretch.end), None)
        logits = burst.logits if burst else _shown(emotions, at, stamp)
        quality = Quality.BLURRED if burst and burst.blurred else Quality.OK
        scores = _softmax(logits + fast[step] + slow[step])
        yield Moment(stamp, scores, quality, FER2013[emotions[at].label], emotions[at].start)


def _emotions(plan: np.random.Generator, duration: float) -> Iterator[_Stretch]:
    start, label = 0.0, -1
    while start < duration:
        label = int(plan.choice([other for other in range(len(FER2013)) if other != label]))
        end = start + plan.uniform(*LASTS)
        yield _Stretch(start, end, _logits(plan, label), label)
        start = end


def _bursts(plan: np.random.Generator, duration: float) -> Iterator[_Stretch]:
    start = plan.exponential(1 / BURSTS)
    while start < duration:
        label = int(plan.integers(len(FER2013)))
        end = start + plan.uniform(*BURST_LASTS)
        yield _Stretch(start, end, _logits(plan, label), label, plan.random() < BURSTS_BLURRED)
        start = end + plan.exponential(1 / BURSTS)


def _logits(plan: np.random.Generator, label: int) -> np.ndarray:
    """Of a face that shows `label`, more or less clearly; the rest goes to the others unevenly."""
    confidence = plan.uniform(*CONFIDENCES)
    others = plan.dirichlet(np.ones(len(FER2013) - 1)) * (1 - confidence)
    # Nothing else may be nearly as strong, or there would be no true answer.
    others = np.minimum(others, 0.7 * confidence)
    return np.log(np.maximum(np.insert(others, label, confidence), 1e-3))


def _shown(emotions: list[_Stretch], at: int, stamp: float) -> np.ndarray:
    gone_over = min((stamp - emotions[at].start) / TURNS_IN, 1.0) if at else 1.0
    return gone_over * emotions[at].logits + (1 - gone_over) * emotions[max(at - 1, 0)].logits


def _wander(noise: np.random.Generator, duration: float, rate: float, spread: float, time: float) -> np.ndarray:
    """An Ornstein-Uhlenbeck process, which has the same spread and pace at every rate: (images, 7)."""
    kept = np.exp(-1 / (rate * time))
    steps = noise.normal(0, spread, (round(duration * rate), len(FER2013)))
    for index in range(1, len(steps)):
        steps[index] = kept * steps[index - 1] + np.sqrt(1 - kept**2) * steps[index]
    return steps


def _softmax(logits: np.ndarray) -> np.ndarray:
    exponentials = np.exp(logits - logits.max())
    return (exponentials / exponentials.sum()).astype(np.float32)
