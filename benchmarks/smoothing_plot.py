# SPDX-License-Identifier: Apache-2.0
"""Plot the reported emotion of one simulated face, smoothed and not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from benchmarks.simulated_faces import Moment, simulated_face
from fer_ros.emotion.labels import FER2013
from fer_ros.people import quality
from fer_ros.people.hysteresis import LabelHysteresis
from fer_ros.people.smoothing import Smoothing
from fer_ros.types import UNKNOWN

RATE, SECONDS, SEED = 15, 40.0, 3
_COLORS = dict(
    zip(
        (*FER2013, UNKNOWN),
        ("#d62728", "#8c564b", "#9467bd", "#ffbf00", "#1f77b4", "#ff7f0e", "#9a9a9a", "#ffffff"),
        strict=True,
    )
)


def draw(path: Path) -> None:
    """Write the plot to the PNG file `path`."""
    moments = list(simulated_face(SECONDS, RATE, SEED))
    smoothed, decided = _over_time(moments)
    figure, (strips, scores) = plt.subplots(
        2, 1, figsize=(9, 4.4), sharex=True, gridspec_kw={"height_ratios": (1.1, 1)}, layout="constrained"
    )
    best = [FER2013[int(moment.scores.argmax())] for moment in moments]
    rows = {"fer_ros": decided, "best score of\neach image": best, "true": [moment.truth for moment in moments]}
    for height, row in enumerate(rows.values()):
        _strip(strips, height, row)
    strips.set_yticks(range(len(rows)), rows)
    strips.legend(
        handles=[plt.Rectangle((0, 0), 1, 1, color=_COLORS[label], label=label) for label in FER2013],
        ncol=len(FER2013),
        loc="lower center",
        bbox_to_anchor=(0.5, 1.0),
        frameon=False,
        fontsize="small",
        handlelength=1,
    )
    times = [moment.stamp for moment in moments]
    for index, label in enumerate(FER2013):
        scores.plot(times, [m.scores[index] for m in moments], color=_COLORS[label], alpha=0.3, lw=0.7)
        scores.plot(times, smoothed[:, index], color=_COLORS[label], lw=1.5)
    scores.set(
        xlabel="seconds (thin: scores of each image, thick: smoothed)",
        ylabel="score",
        ylim=(0, 1),
        xlim=(0, SECONDS),
    )
    for axes in (strips, scores):
        axes.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)
    plt.close(figure)


def _over_time(moments: Sequence[Moment]) -> tuple[np.ndarray, list[str]]:
    """Return the smoothed scores, (images, 7), and the emotion decided on at each image."""
    smoothing, hysteresis = Smoothing(), LabelHysteresis()
    smoothed, decided = [], []
    for moment in moments:
        weight = quality.weight(moment.quality)
        smoothed.append(smoothing.update("1", moment.scores, moment.stamp, weight))
        decided.append(hysteresis.update("1", smoothed[-1], FER2013, moment.stamp))
    return np.array(smoothed), decided


def _strip(axes, height: int, row: Sequence[str]) -> None:
    for step, emotion in enumerate(row):
        axes.barh(height, 1 / RATE, left=step / RATE, height=0.8, color=_COLORS[emotion])


if __name__ == "__main__":
    draw(Path("docs/images/emotions-over-time.png"))
