# SPDX-License-Identifier: Apache-2.0
"""Stability and delay of emotions over time: `python -m benchmarks.smoothing` prints a table and writes JSON.

On simulated faces whose emotions are known: how many CHANGED events are false, and how long a true change takes.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.simulated_faces import Moment, simulated_face
from fer_ros.emotion.labels import FER2013
from fer_ros.people import quality
from fer_ros.people.events import EventKind, EventSettings, FaceEvents
from fer_ros.people.hysteresis import HysteresisSettings, LabelHysteresis
from fer_ros.people.smoothing import Smoothing, SmoothingSettings
from fer_ros.types import Box, FaceResult

RATES = (5, 15, 30)
RESULT = Path("out/bench/smoothing.json")
FACES, SECONDS = 30, 60.0
DURATION = FACES * SECONDS

Method = tuple[SmoothingSettings, HysteresisSettings]

_NO_SMOOTHING = SmoothingSettings(time_constant=0)
_NO_HYSTERESIS = HysteresisSettings(hold=0, margin=0, min_confidence=0)
METHODS: dict[str, Method] = {
    "best score of each image": (_NO_SMOOTHING, _NO_HYSTERESIS),
    "smoothing alone": (SmoothingSettings(), _NO_HYSTERESIS),
    "hysteresis alone": (_NO_SMOOTHING, HysteresisSettings()),
    "both (the default)": (SmoothingSettings(), HysteresisSettings()),
}


@dataclass
class Result:
    """Counts for one method at one rate."""

    images: int = 0
    right: int = 0
    truths: int = 0
    """Number of true changes."""
    false_events: int = 0
    """CHANGED events that do not name a new true emotion for the first time."""
    delays: list[float] = field(default_factory=list)
    """Seconds from a true change to the event that names it; one for each that was named."""

    def figures(self) -> dict[str, float]:
        """Return the columns of the table; delays in seconds."""
        median, late = np.percentile(self.delays, (50, 95))
        return {
            "false_a_minute": self.false_events / (DURATION / 60),
            "delay_median": float(median),
            "delay_p95": float(late),
            "never_named": self.truths - len(self.delays),
            "true_changes": self.truths,
            "time_right": self.right / self.images,
        }


def measure(method: Method, rate: int) -> Result:
    """Run `method` on the simulated faces at `rate` images a second."""
    result = Result()
    for seed in range(FACES):
        smoothing, hysteresis = Smoothing(method[0]), LabelHysteresis(method[1])
        _run(list(simulated_face(SECONDS, rate, seed)), smoothing, hysteresis, result)
    return result


def _run(moments: Sequence[Moment], smoothing: Smoothing, hysteresis: LabelHysteresis, result: Result) -> None:
    face_events, named = FaceEvents(EventSettings(appear_after=0)), set()
    # The first emotion of a face is not a change.
    named.add(moments[0].since)
    result.truths += len({moment.since for moment in moments}) - 1
    for moment in moments:
        emotion = _decide(moment, smoothing, hysteresis)
        events = face_events.update([_face(emotion, moment)], moment.stamp, (640, 480))
        for event in events:
            if event.kind != EventKind.CHANGED:
                continue
            if event.current == moment.truth and moment.since not in named:
                named.add(moment.since)
                result.delays.append(moment.stamp - moment.since)
            else:
                result.false_events += 1
        result.images += 1
        result.right += emotion == moment.truth


def _decide(moment: Moment, smoothing: Smoothing, hysteresis: LabelHysteresis) -> str:
    weight = quality.weight(moment.quality)
    smoothed = smoothing.update("1", moment.scores, moment.stamp, weight)
    return hysteresis.update("1", smoothed, FER2013, moment.stamp)


def _face(emotion: str, moment: Moment) -> FaceResult:
    return FaceResult(
        box=Box(0, 0, 80, 80),
        id="1",
        tracked_for=moment.stamp,
        labels=FER2013,
        scores=moment.scores,
        smoothed_scores=moment.scores,
        emotion=emotion,
        confidence=float(moment.scores.max()),
    )


def as_table(results: dict[str, dict[int, dict[str, float]]]) -> str:
    """Return a Markdown table of all methods at all rates."""
    head = (
        "| what is reported | images/s | false CHANGED a minute | delay, median (s) | 95 % (s) "
        "| changes never named | time right (%) |\n|---|---|---|---|---|---|---|"
    )
    rows = [
        f"| {name} | {rate} | {row['false_a_minute']:.1f} | {row['delay_median']:.2f} | {row['delay_p95']:.2f} "
        f"| {row['never_named']} of {row['true_changes']} | {100 * row['time_right']:.1f} |"
        for name, of_method in results.items()
        for rate, row in of_method.items()
    ]
    return "\n".join([head, *rows])


def main() -> None:
    """Print the table, write it as JSON, and optionally plot one face."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plot", type=Path, help="PNG file for a plot of one face over time")
    arguments = parser.parse_args()
    results = {name: {rate: measure(method, rate).figures() for rate in RATES} for name, method in METHODS.items()}
    print(as_table(results))
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(results, indent=1) + "\n")
    if arguments.plot:
        from benchmarks.smoothing_plot import draw

        draw(arguments.plot)


if __name__ == "__main__":
    main()
