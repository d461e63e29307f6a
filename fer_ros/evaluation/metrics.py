# SPDX-License-Identifier: Apache-2.0
"""Accuracy, precision, recall, F1, calibration and confusion matrix of a model, as scikit-learn defines them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from fer_ros.datasets.face_images import resize_all
from fer_ros.datasets.registry import DataError, FaceImages
from fer_ros.emotion.classifier import Classifier
from fer_ros.evaluation import risk_coverage
from fer_ros.evaluation.calibration import FEW_IMAGES, Bin, expected_calibration_error, log_loss, reliability_bins
from fer_ros.evaluation.risk_coverage import CoveragePoint
from fer_ros.progress_bar import with_progress

_BATCH = 256
_SMALLEST_SCORE = 1e-12
"""Bounds the loss of an image whose label has the score 0."""
_CROP_SIDE = 44 / 48
"""Side of the ten crops relative to the image's: 44 of 48 pixels is usual for FER2013."""


@dataclass(frozen=True)
class ClassMeasures:
    """Measures of one class, 0..1: the class against all others."""

    precision: float
    """0 for a class that is never predicted."""
    recall: float
    """Also called sensitivity; papers call it the accuracy of a class as well."""
    specificity: float
    """Share of the images of other classes that are not predicted as this one."""
    f1: float
    accuracy: float
    """One against rest: share of all images for which "is this class" is answered correctly."""
    misclassification: float | None
    """1 - precision, the false discovery rate, as Vo and Vo report it; None for a class that is never predicted."""
    support: int
    """Number of images of the class."""
    predicted: int
    """Number of images that are predicted as the class."""


@dataclass(frozen=True)
class Evaluation:
    """Measures of a model on labeled images, all of them 0..1 but `log_loss`."""

    images: int
    accuracy: float
    log_loss: float
    """Mean cross entropy of the calibrated scores, nats."""
    macro_precision: float
    macro_recall: float
    macro_f1: float
    macro_specificity: float
    macro_accuracy: float
    """Of one class against the rest. Averages run over the classes that have images; `macro_recall` is the balanced
    accuracy."""
    weighted_precision: float
    weighted_recall: float
    weighted_f1: float
    weighted_specificity: float
    weighted_accuracy: float
    """Averages weighted by the number of images of a class."""
    ece: float
    """Expected calibration error, 15 bins."""
    reliability: tuple[Bin, ...]
    """Reliability diagram: the bins that have images, by confidence."""
    aurc: float
    """Area under the risk-coverage curve; lower is better."""
    risk_coverage: tuple[CoveragePoint, ...]
    """Coverage and accuracy by threshold on the confidence, in steps of 0.01."""
    per_class: dict[str, ClassMeasures]
    """By label."""
    confusion_matrix: list[list[int]]
    """Number of images by true label (rows) and predicted label (columns), in the order of `labels`."""
    labels: tuple[str, ...]
    """Of the model."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def scores(
    classifier: Classifier, crops: np.ndarray, *, flip: bool = False, ten_crop: bool = False, progress: str = ""
) -> np.ndarray:
    """Return the classifier's scores of crops: (N, classes) float32, columns in the order of its labels.

    Args:
        classifier: the model.
        crops: (N, size, size) uint8, of the classifier's input size.
        flip: average the scores of each crop and of its mirror image.
        ten_crop: average the scores of the four corners and the center, scaled to the input size, and of their mirror
            images (Krizhevsky, Sutskever and Hinton, NIPS 2012).
        progress: title of a progress bar; empty for none.
    """
    batches = []
    starts = range(0, len(crops), _BATCH)
    for start in with_progress(starts, progress) if progress else starts:
        views = _views(crops[start : start + _BATCH], flip, ten_crop)
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
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        targets, predicted, labels=classes, zero_division=0
    )
    against_rest = metrics.multilabel_confusion_matrix(targets, predicted, labels=classes)
    (others_right, wrongly), (_, hits) = against_rest.transpose(1, 2, 0)
    answered = hits + wrongly
    columns = {
        "precision": precision,
        "recall": recall,
        "specificity": others_right / np.maximum(others_right + wrongly, 1),
        "f1": f1,
        "accuracy": (others_right + hits) / len(targets),
    }
    bins = reliability_bins(scores, targets)
    return Evaluation(
        images=len(targets),
        accuracy=float(np.mean(predicted == targets)),
        log_loss=log_loss(np.log(np.clip(scores, _SMALLEST_SCORE, None)), targets),
        **_averages("macro", columns, support > 0),
        **_averages("weighted", columns, support),
        ece=expected_calibration_error(bins),
        reliability=bins,
        aurc=risk_coverage.area_under_risk_coverage(scores, targets),
        risk_coverage=risk_coverage.coverage_curve(scores, targets),
        per_class={
            label: ClassMeasures(
                **{name: float(values[index]) for name, values in columns.items()},
                misclassification=1 - float(precision[index]) if answered[index] else None,
                support=int(support[index]),
                predicted=int(answered[index]),
            )
            for index, label in enumerate(labels)
        },
        confusion_matrix=metrics.confusion_matrix(targets, predicted, labels=classes).tolist(),
        labels=labels,
    )


def _averages(how: str, columns: Mapping[str, np.ndarray], weights: np.ndarray) -> dict[str, float]:
    """Return the averages of measures over the classes, by field of `Evaluation`."""
    return {f"{how}_{name}": float(np.average(values, weights=weights)) for name, values in columns.items()}


def ece_text(result: Evaluation) -> str:
    """Return the expected calibration error, with a remark where it is measured on few images."""
    remark = f" (of only {result.images} images: uncertain)" if result.images <= FEW_IMAGES else ""
    return f"{result.ece:.3f}{remark}"


COLUMNS = ("precision", "recall", "specificity", "    F1", "one-vs-rest", "misclassified", "support")
"""One-vs-rest is the accuracy of a class against all others."""
_NEVER = "never answered"


def cells(result: Evaluation) -> list[tuple[str, ...]]:
    """Return name and `COLUMNS` of every class and both averages as text: percentages with one decimal."""
    rows: list[tuple[str, ...]] = []
    for label, row in result.per_class.items():
        shares = (row.precision, row.recall, row.specificity, row.f1, row.accuracy)
        texts = [f"{100 * share:.1f}" for share in shares]
        if row.misclassification is None:
            rows.append((label, "-", *texts[1:], _NEVER, str(row.support)))
        else:
            rows.append((label, *texts, f"{100 * row.misclassification:.1f}", str(row.support)))
    for how in ("macro", "weighted"):
        values = [getattr(result, f"{how}_{name}") for name in ("precision", "recall", "specificity", "f1", "accuracy")]
        values.append(1 - values[0])
        rows.append((how, *(f"{100 * value:.1f}" for value in values), str(result.images)))
    return rows


def table(result: Evaluation) -> str:
    """Return the measures as aligned text."""
    width = max(12, *(len(label) for label in result.labels))
    heads = [head.rjust(len(_NEVER)) if head == "misclassified" else head for head in COLUMNS]
    lines = [f"{'':{width}}  {'  '.join(heads)}"]
    for name, *row in cells(result):
        aligned = (cell.rjust(len(head)) for cell, head in zip(row, heads, strict=True))
        lines += [""] * (name == "macro") + [f"{name:{width}}  {'  '.join(aligned)}"]
    lines += [
        "",
        f"accuracy {100 * result.accuracy:.2f} %, balanced accuracy {100 * result.macro_recall:.2f} %, "
        f"loss {result.log_loss:.3f}, expected calibration error (ECE) {ece_text(result)}",
        "",
        f"area under the risk-coverage curve (AURC) {result.aurc:.3f}",
        *(
            f"to be {accuracy} accurate: min_confidence {threshold}, which names {coverage} of the images"
            for accuracy, threshold, coverage in risk_coverage.rows(result.risk_coverage)
        ),
    ]
    return "\n".join(lines)
