# SPDX-License-Identifier: Apache-2.0
"""A person's emotions over time as shapes of an SVG image: the scores stacked, and the emotion that was decided on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from fer_ros.media.drawing import color_of
from fer_ros.nodes.dashboard.state import Person, Sample

WIDTH, HEIGHT = 1000, 100
"""Units of the shapes: the whole history is as wide, the sum of all scores as high."""
_GAP = 1.0
"""Seconds without a face that interrupt its shapes."""


@dataclass(frozen=True)
class Area:
    """The score of a label over a time without a gap."""

    color: str
    path: str
    """Attribute `d` of an SVG path."""


@dataclass(frozen=True)
class Span:
    """A time with one emotion."""

    color: str
    emotion: str
    x: float
    width: float


def css_color(emotion: str) -> str:
    """Return the color that `fer_ros.draw` gives to an emotion.

    >>> css_color("happy")
    '#f0e442'
    """
    blue, green, red = color_of(emotion)
    return f"#{red:02x}{green:02x}{blue:02x}"


def areas(person: Person, labels: Sequence[str], now: float, history: float) -> list[Area]:
    """Return the scores of a person, stacked in the order of the labels from the bottom.

    Args:
        person: with scores of these labels.
        labels: of the camera.
        now: time at the right edge, s.
        history: seconds from the left to the right edge.
    """
    result = []
    for samples in _parts(person):
        x = _x(np.array([sample.time for sample in samples]), now, history)
        scores = np.clip(np.array([sample.scores for sample in samples]), 0, 1)
        sums = np.cumsum(np.insert(scores, 0, 0, axis=1), axis=1)
        y = HEIGHT * (1 - sums / np.maximum(sums[:, -1:], 1e-6))
        for index, label in enumerate(labels):
            outline = zip([*x, *x[::-1]], [*y[:, index + 1], *y[::-1, index]], strict=True)
            path = "L".join(f"{point_x:.1f} {point_y:.1f}" for point_x, point_y in outline)
            result.append(Area(css_color(label), f"M{path}Z"))
    return result


def spans(person: Person, now: float, history: float) -> list[Span]:
    """Return the emotions that were decided on; the arguments are those of `areas`."""
    result = []
    for samples in _parts(person):
        runs = [list(run) for _, run in groupby(samples, key=lambda sample: sample.emotion)]
        starts = [run[0].time for run in runs]
        edges = _x(np.array([*starts, samples[-1].time]), now, history)
        for run, start, end in zip(runs, edges, edges[1:], strict=False):
            result.append(Span(css_color(run[0].emotion), run[0].emotion, round(start, 1), round(end - start, 1)))
    return result


def _parts(person: Person) -> Iterator[tuple[Sample, ...]]:
    """Yield the samples between the gaps, the last ones prolonged to when the person was last seen."""
    last = person.samples[-1]
    samples = (*person.samples, Sample(person.seen, last.emotion, last.scores))
    start = 0
    for index in range(1, len(samples) + 1):
        if index == len(samples) or samples[index].time - samples[index - 1].time > _GAP:
            yield samples[start:index]
            start = index


def _x(times: np.ndarray, now: float, history: float) -> np.ndarray:
    return np.clip(WIDTH * (1 - (now - times) / history), 0, WIDTH)
