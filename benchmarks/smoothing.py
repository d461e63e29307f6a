"""How steady and how quick emotions are: `python -m benchmarks.smoothing` prints a table and writes JSON.

On made faces whose emotions are known: how many CHANGED events are false, and how long a true change takes.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.made_faces import Moment, made_face
from fer_ros.emotion.labels import FER2013
from fer_ros.people import quality
from fer_ros.people.events import EventKind, FaceEvents
from fer_ros.people.hysteresis import LabelHysteresis
from fer_ros.people.smoothing import Smoothing
from fer_ros.types import Box, FaceResult

RATES = (5, 15, 30)
RESULT = Path("out/bench/smoothing.json")
FACES, SECONDS = 30, 60.0
DURATION = FACES * SECONDS

Way = Callable[[], tuple[Smoothing, LabelHysteresis]]

UNSMOOTHED: Way = lambda: (Smoothing(0), LabelHysteresis(hold=0, margin=0, min_confidence=0))  # noqa: E731
SMOOTHED_ONLY: Way = lambda: (Smoothing(), LabelHysteresis(hold=0, margin=0, min_confidence=0))  # noqa: E731
HELD_ONLY: Way = lambda: (Smoothing(0), LabelHysteresis())  # noqa: E731
DEFAULT: Way = lambda: (Smoothing(), LabelHysteresis())  # noqa: E731
WAYS = {
    "best score of each image": UNSMOOTHED,
    "smoothing alone": SMOOTHED_ONLY,
    "hysteresis alone": HELD_ONLY,
    "both (the default)": DEFAULT,
}


@dataclass
class Result:
    """What came of one way at one rate."""

    images: int = 0
    right: int = 0
    truths: int = 0
    """True changes."""
    false_events: int = 0
    """CHANGED events that do not name a new true emotion for the first time."""
    delays: list[float] = field(default_factory=list)
    """Seconds from a true change to the event that names it; one for each that was named."""

    def figures(self) -> dict[str, float]:
        """What the table shows; delays in seconds."""
        median, late = np.percentile(self.delays, (50, 95))
        return {
            "false_a_minute": self.false_events / (DURATION / 60),
            "delay_median": float(median),
            "delay_p95": float(late),
            "never_named": self.truths - len(self.delays),
            "true_changes": self.truths,
            "time_right": self.right / self.images,
        }


def measure(way: Way, rate: int) -> Result:
    """Runs `way` over the made faces at `rate` images a second."""
    result = Result()
    for seed in range(FACES):
        _watch(list(made_face(SECONDS, rate, seed)), *way(), result)
    return result


def _watch(moments: Sequence[Moment], smoothing: Smoothing, decisions: LabelHysteresis, result: Result) -> None:
    people, named = FaceEvents(appear_after=0), set()
    # The emotion a face starts with is not a change.
    named.add(moments[0].since)
    result.truths += len({moment.since for moment in moments}) - 1
    for moment in moments:
        word = _word(moment, smoothing, decisions)
        events = people.update([_face(word, moment)], moment.stamp, (640, 480))
        for event in events:
            if event.kind != EventKind.CHANGED:
                continue
            if event.current == moment.truth and moment.since not in named:
                named.add(moment.since)
                result.delays.append(moment.stamp - moment.since)
            else:
                result.false_events += 1
        result.images += 1
        result.right += word == moment.truth


def _word(moment: Moment, smoothing: Smoothing, decisions: LabelHysteresis) -> str:
    weight = quality.weight(moment.quality)
    smoothed = smoothing.update("1", moment.scores, moment.stamp, weight)
    return decisions.update("1", smoothed, FER2013, moment.stamp)


def _face(word: str, moment: Moment) -> FaceResult:
    return FaceResult(
        box=Box(0, 0, 80, 80),
        id="1",
        tracked_for=moment.stamp,
        labels=FER2013,
        scores=moment.scores,
        smoothed_scores=moment.scores,
        emotion=word,
        confidence=float(moment.scores.max()),
    )


def as_table(results: dict[str, dict[int, dict[str, float]]]) -> str:
    """Every way at every rate, in markdown."""
    head = (
        "| what is reported | images/s | false CHANGED a minute | delay, median (s) | 95 % (s) "
        "| changes never named | time right (%) |\n|---|---|---|---|---|---|---|"
    )
    rows = [
        f"| {name} | {rate} | {row['false_a_minute']:.1f} | {row['delay_median']:.2f} | {row['delay_p95']:.2f} "
        f"| {row['never_named']} of {row['true_changes']} | {100 * row['time_right']:.1f} |"
        for name, of_way in results.items()
        for rate, row in of_way.items()
    ]
    return "\n".join([head, *rows])


def main() -> None:
    """Prints the table, writes it as JSON, and draws the picture if it is wanted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--picture", type=Path, help="where to draw what happens on one face (png)")
    arguments = parser.parse_args()
    results = {name: {rate: measure(way, rate).figures() for rate in RATES} for name, way in WAYS.items()}
    print(as_table(results))
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(results, indent=1) + "\n")
    if arguments.picture:
        from benchmarks.smoothing_picture import draw

        draw(arguments.picture)


if __name__ == "__main__":
    main()
