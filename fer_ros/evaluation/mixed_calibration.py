# SPDX-License-Identifier: Apache-2.0
"""Fit a model's temperature on images as a robot sees them, not only on the clean ones of a data set.

A temperature that is fitted on clean images is too low for others, on which a network is less accurate but hardly less
confident (Ovadia et al., "Can You Trust Your Model's Uncertainty?", NeurIPS 2019). So the log loss is minimized over
all conditions together, each with every image.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fer_ros.datasets.face_images import FaceImages
from fer_ros.emotion.classifier import Classifier, softmax
from fer_ros.evaluation import metrics
from fer_ros.evaluation.calibration import expected_calibration_error, fit_temperature, reliability_bins
from fer_ros.evaluation.perturbations import COVERS, blurred, brightened, covered, noisy, placed, rotated
from fer_ros.progress_bar import with_progress

CONDITIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "clean": lambda pixels: pixels,
    "detector's placement": placed,
    "blur of 1 pixel": lambda pixels: blurred(pixels, 1.0),
    "noise of 5 gray levels": lambda pixels: noisy(pixels, 5),
    "brightness 0.3": lambda pixels: brightened(pixels, 0.3),
    "brightness 1.5": lambda pixels: brightened(pixels, 1.5),
    "rolled by 15 degrees": lambda pixels: rotated(pixels, 15),
    "rolled by -15 degrees": lambda pixels: rotated(pixels, -15),
    **{f"covered: {part}": lambda pixels, part=part: covered(pixels, part) for part in COVERS},  # type: ignore[misc]
}
"""Each takes and returns (N, size, size) uint8."""
_SMALLEST_SCORE = 1e-30


@dataclass(frozen=True)
class ConditionRow:
    """Accuracy and calibration under one condition, 0..1."""

    condition: str
    accuracy: float
    ece_before: float
    """With the temperature of the model file."""
    ece_after: float
    """With the fitted one."""


def fit(classifier: Classifier, images: FaceImages) -> tuple[float, list[ConditionRow]]:
    """Return the temperature that minimizes the log loss over all `CONDITIONS`, and what it changes.

    Args:
        classifier: the model.
        images: gray crops of the classifier's input size that the network was not trained on.

    Raises:
        DataError: the images have a label that the model lacks.
    """
    targets, before = metrics.targets_for(classifier.labels, images), classifier.metadata.temperature
    logits = {}
    for name in with_progress(list(CONDITIONS), "calibration"):
        scores = metrics.scores(classifier, CONDITIONS[name](images.pixels))
        logits[name] = before * np.log(np.clip(scores, _SMALLEST_SCORE, None))
    together = np.concatenate(list(logits.values()))
    temperature = fit_temperature(together, np.tile(targets, len(logits)), images=len(images))

    def ece(of: np.ndarray, temperature: float) -> float:
        return expected_calibration_error(reliability_bins(softmax(of / temperature), targets))

    return temperature, [
        ConditionRow(name, float(np.mean(of.argmax(axis=1) == targets)), ece(of, before), ece(of, temperature))
        for name, of in logits.items()
    ]


def table(rows: list[ConditionRow]) -> str:
    """Return the rows as aligned text."""
    width = max(len(row.condition) for row in rows)
    lines = [f"{'':{width}}  accuracy  ECE before  after"]
    lines += [
        f"{row.condition:{width}}  {100 * row.accuracy:6.1f} %  {row.ece_before:10.3f}  {row.ece_after:5.3f}"
        for row in rows
    ]
    return "\n".join(lines)
