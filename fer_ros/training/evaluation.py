"""How good a model is, in scikit-learn's measures."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from sklearn import metrics

from fer_ros.emotion.classifier import Classifier
from fer_ros.training.calibration import calibration_error
from fer_ros.training.datasets import DataError, FaceImages

_BATCH = 256


@dataclass(frozen=True)
class Evaluation:
    """What a model's scores on labelled images come to. Shares are 0..1."""

    images: int
    accuracy: float
    macro_precision: float
    macro_recall: float
    macro_f1: float
    """Macro and weighted averages run over the classes that have images."""
    weighted_precision: float
    weighted_recall: float
    weighted_f1: float
    ece: float
    """Expected calibration error in 15 bins."""
    per_class: dict[str, dict[str, float]]
    """precision, recall, f1 and support (images) of each label."""
    confusion_matrix: list[list[int]]
    """Images by true label (rows) and predicted label (columns), in the order of `labels`."""
    labels: tuple[str, ...]
    """The model's."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def scores(classifier: Classifier, images: FaceImages, flip: bool = False) -> np.ndarray:
    """(N, classes) float32 scores in the order of the classifier's labels, made as the node makes them.

    With `flip` the scores of each crop and its mirror image are averaged.
    """
    batches = []
    for start in range(0, len(images), _BATCH):
        crops = images.pixels[start : start + _BATCH]
        one = classifier.scores(crops)
        batches.append((one + classifier.scores(crops[:, :, ::-1])) / 2 if flip else one)
    return np.concatenate(batches)


def targets_for(labels: tuple[str, ...], images: FaceImages) -> np.ndarray:
    """(N,) int64: the images' targets as indices into a model's `labels`, matched by name.

    Raises:
        DataError: there are images of a label that the model does not have.
    """
    counts = np.bincount(images.targets, minlength=len(images.labels))
    for label, count in zip(images.labels, counts, strict=True):
        if count and label not in labels:
            raise DataError(f"the data has {count} images of '{label}'; the model only answers {', '.join(labels)}")
    index = np.array([labels.index(label) if label in labels else -1 for label in images.labels])
    return index[images.targets]


def measure(scores: np.ndarray, targets: np.ndarray, labels: tuple[str, ...]) -> Evaluation:
    """Compares (N, len(labels)) scores, whose rows sum to 1, with the truth: (N,) int, index into `labels`."""
    predicted = scores.argmax(axis=1)
    every = range(len(labels))
    per_class = metrics.precision_recall_fscore_support(targets, predicted, labels=every, zero_division=0)
    present = np.unique(targets)
    macro, weighted = (
        metrics.precision_recall_fscore_support(targets, predicted, labels=present, average=how, zero_division=0)[:3]
        for how in ("macro", "weighted")
    )
    return Evaluation(
        images=len(targets),
        accuracy=float(np.mean(predicted == targets)),
        **dict(zip(("macro_precision", "macro_recall", "macro_f1"), map(float, macro), strict=True)),
        **dict(zip(("weighted_precision", "weighted_recall", "weighted_f1"), map(float, weighted), strict=True)),
        ece=calibration_error(scores, targets),
        per_class={
            label: {"precision": float(p), "recall": float(r), "f1": float(f), "support": int(n)}
            for label, p, r, f, n in zip(labels, *per_class, strict=True)
        },
        confusion_matrix=metrics.confusion_matrix(targets, predicted, labels=every).tolist(),
        labels=labels,
    )


def table(result: Evaluation) -> str:
    """The measures as aligned text, percentages with one decimal."""
    width = max(12, *(len(label) for label in result.labels))
    lines = [f"{'':{width}}  precision  recall      f1  images"]

    def line(name: str, precision: float, recall: float, f1: float, images: int) -> str:
        return f"{name:{width}}  {100 * precision:9.1f}  {100 * recall:6.1f}  {100 * f1:6.1f}  {images:6d}"

    for label, row in result.per_class.items():
        lines.append(line(label, row["precision"], row["recall"], row["f1"], row["support"]))
    lines.append("")
    lines.append(line("macro", result.macro_precision, result.macro_recall, result.macro_f1, result.images))
    lines.append(line("weighted", result.weighted_precision, result.weighted_recall, result.weighted_f1, result.images))
    lines.append("")
    lines.append(f"{'accuracy':{width}}  {100 * result.accuracy:.2f} %   calibration error (ECE) {result.ece:.3f}")
    return "\n".join(lines)
