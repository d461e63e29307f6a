# SPDX-License-Identifier: Apache-2.0
"""Accuracy, precision, recall, F1, calibration and confusion matrix of a model, as scikit-learn defines them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from fer_ros.datasets.face_images import resize_all
from fer_ros.datasets.registry import DataError, FaceImages
from fer_ros.emotion.classifier import Classifier
from fer_ros.evaluation.calibration import FEW_IMAGES, Bin, expected_calibration_error, reliability_bins

_BATCH = 256
_CROP_SIDE = 44 / 48
"""Side of the ten crops relative to the image's: 44 of 48 pixels is usual for FER2013."""


@dataclass(frozen=True)
class Evaluation:
    """Measures of a model on labeled images, all of them 0..1."""

    images: int
    accuracy: float
    macro_precision: float
    macro_recall: float
    macro_f1: float
    """Averages run over the classes that have images; `macro_recall` is the balanced accuracy."""
    weighted_precision: float
    weighted_recall: float
    weighted_f1: float
    ece: float
    """Expected calibration error, 15 bins."""
    reliability: tuple[Bin, ...]
    """Reliability diagram: the bins that have images, by confidence."""
    per_class: dict[str, dict[str, float]]
    """precision, recall, f1, misclassification and support (number of images) by label. Misclassification is
    1 - precision, the false discovery rate, as Vo and Vo report it; they call the recall of a class its accuracy."""
    confusion_matrix: list[list[int]]
    """Number of images by true label (rows) and predicted label (columns), in the order of `labels`."""
    labels: tuple[str, ...]
    """Of the model."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def scores(classifier: Classifier, images: FaceImages, *, flip: bool = False, ten_crop: bool = False) -> np.ndarray:
    """Return the classifier's scores of labeled images: (N, classes) float32, columns in the order of its labels.

    Args:
        classifier: the model.
        images: gray crops of the classifier's input size.
        flip: average the scores of each image and of its mirror image.
        ten_crop: average the scores of the four corners and the center, scaled to the input size, and of their mirror
            images (Krizhevsky, Sutskever and Hinton, NIPS 2012).
    """
    batches = []
    for start in range(0, len(images), _BATCH):
        views = _views(images.pixels[start : start + _BATCH], flip, ten_crop)
        batches.append(np.mean([classifier.scores(view) for view in views], axis=0))
    return np.concatenate(batches)


def _views(crops: np.ndarray, flip: bool, ten_crop: bool) -> list[np.ndarray]:
    """Return the views of (N, size, size) uint8 crops whose scores are averaged, each of the same shape."""
    views = [crops]
    if ten_crop:
        side = round(crops.shape[1] * _CROP_SIDE)
        rest = crops.shape[1] - side
        places = ((0, 0), (0, rest), (rest, 0), (rest, rest), (rest // 2, rest // 2))
        views = [resize_all(crops[:, y : y + side, x : x + side], crops.shape[1]) for y, x in places]
    return [*views, *(view[:, :, ::-1] for view in views)] if flip or ten_crop else views


def targets_for(labels: tuple[str, ...], images: FaceImages) -> np.ndarray:
    """Return the images' targets, (N,) int64, as indices into a model's `labels`, matched by name.

    Raises:
        DataError: the images have a label that the model lacks.
    """
    counts = np.bincount(images.targets, minlength=len(images.labels))
    for label, count in zip(images.labels, counts, strict=True):
        if count and label not in labels:
            raise DataError(f"the data has {count} images of '{label}'; the model's labels are {', '.join(labels)}")
    index = np.array([labels.index(label) if label in labels else -1 for label in images.labels])
    targets: np.ndarray = index[images.targets]
    return targets


def measure(scores: np.ndarray, targets: np.ndarray, labels: tuple[str, ...]) -> Evaluation:
    """Evaluate scores against the true labels.

    Args:
        scores: (N, len(labels)) float; rows sum to 1.
        targets: (N,) int, indices into `labels`.
        labels: of the model.
    """
    from sklearn import metrics  # takes a second to import, and training imports this module

    predicted = scores.argmax(axis=1)
    classes = range(len(labels))
    per_class = metrics.precision_recall_fscore_support(targets, predicted, labels=classes, zero_division=0)
    present = np.unique(targets)
    macro, weighted = (
        metrics.precision_recall_fscore_support(targets, predicted, labels=present, average=how, zero_division=0)[:3]
        for how in ("macro", "weighted")
    )
    bins = reliability_bins(scores, targets)
    return Evaluation(
        images=len(targets),
        accuracy=float(np.mean(predicted == targets)),
        **dict(zip(("macro_precision", "macro_recall", "macro_f1"), map(float, macro), strict=True)),
        **dict(zip(("weighted_precision", "weighted_recall", "weighted_f1"), map(float, weighted), strict=True)),
        ece=expected_calibration_error(bins),
        reliability=bins,
        per_class={
            label: {"precision": p, "recall": r, "f1": f, "misclassification": 1 - p, "support": n}
            for label, p, r, f, n in zip(labels, *(column.tolist() for column in per_class), strict=True)
        },
        confusion_matrix=metrics.confusion_matrix(targets, predicted, labels=classes).tolist(),
        labels=labels,
    )


def ece_text(result: Evaluation) -> str:
    """Return the expected calibration error, with a remark where it is measured on few images."""
    remark = f" (of only {result.images} images: uncertain)" if result.images <= FEW_IMAGES else ""
    return f"{result.ece:.3f}{remark}"


COLUMNS = ("precision", "recall", "    F1", "misclassified", "support")


def cells(result: Evaluation) -> list[tuple[str, ...]]:
    """Return name and `COLUMNS` of every class and both averages as text: percentages with one decimal."""
    rows = [
        (label, row["precision"], row["recall"], row["f1"], int(row["support"]))
        for label, row in result.per_class.items()
    ]
    rows += [
        ("macro", result.macro_precision, result.macro_recall, result.macro_f1, result.images),
        ("weighted", result.weighted_precision, result.weighted_recall, result.weighted_f1, result.images),
    ]
    return [
        (name, *(f"{100 * measure:.1f}" for measure in (precision, recall, f1, 1 - precision)), str(support))
        for name, precision, recall, f1, support in rows
    ]


def table(result: Evaluation) -> str:
    """Return the measures as aligned text."""
    width = max(12, *(len(label) for label in result.labels))
    lines = [f"{'':{width}}  {'  '.join(COLUMNS)}"]
    for name, *row in cells(result):
        aligned = (cell.rjust(len(head)) for cell, head in zip(row, COLUMNS, strict=True))
        lines += [""] * (name == "macro") + [f"{name:{width}}  {'  '.join(aligned)}"]
    lines += [
        "",
        f"accuracy {100 * result.accuracy:.2f} %, balanced accuracy {100 * result.macro_recall:.2f} %, "
        f"expected calibration error (ECE) {ece_text(result)}",
    ]
    return "\n".join(lines)
