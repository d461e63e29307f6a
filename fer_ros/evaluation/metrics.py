"""How good a model is, in scikit-learn's measures."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from fer_ros.datasets.face_images import resized
from fer_ros.datasets.registry import DataError, FaceImages
from fer_ros.emotion.classifier import Classifier
from fer_ros.evaluation.calibration import Bin, calibration_error, reliability

_BATCH = 256
_CUT = 44 / 48
"""Side of the ten crops as a share of the image's: what code for FER2013 usually cuts out of its 48 pixels."""


@dataclass(frozen=True)
class Evaluation:
    """What a model's scores on labeled images come to. Shares are 0..1."""

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
    reliability: tuple[Bin, ...]
    """Those of the bins that have images."""
    per_class: dict[str, dict[str, float]]
    """precision, recall, f1, misclassification and support (images) of each label. Misclassification is the share of
    answers with this label that are wrong, 1 - precision, as Vo and Vo count it; recall is what they call accuracy."""
    confusion_matrix: list[list[int]]
    """Images by true label (rows) and predicted label (columns), in the order of `labels`."""
    labels: tuple[str, ...]
    """The model's."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def scores(classifier: Classifier, images: FaceImages, *, flip: bool = False, ten_crop: bool = False) -> np.ndarray:
    """(N, classes) float32 scores in the order of the classifier's labels, made as the node makes them.

    With `flip` the scores of each image and its mirror image are averaged; with `ten_crop` those of its four corners
    and its center, scaled up again, and of their mirror images (Krizhevsky, Sutskever, Hinton 2012).
    """
    batches = []
    for start in range(0, len(images), _BATCH):
        views = _views(images.pixels[start : start + _BATCH], flip, ten_crop)
        batches.append(np.mean([classifier.scores(view) for view in views], axis=0))
    return np.concatenate(batches)


def _views(crops: np.ndarray, flip: bool, ten_crop: bool) -> list[np.ndarray]:
    """(N, size, size) uint8 arrays, each the same faces seen in another way."""
    views = [crops]
    if ten_crop:
        side = round(crops.shape[1] * _CUT)
        rest = crops.shape[1] - side
        places = ((0, 0), (0, rest), (rest, 0), (rest, rest), (rest // 2, rest // 2))
        views = [resized(crops[:, y : y + side, x : x + side], crops.shape[1]) for y, x in places]
    return [*views, *(view[:, :, ::-1] for view in views)] if flip or ten_crop else views


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
    from sklearn import metrics  # here: it takes a second to load, and a run that is stopped never gets to this

    predicted = scores.argmax(axis=1)
    every = range(len(labels))
    per_class = metrics.precision_recall_fscore_support(targets, predicted, labels=every, zero_division=0)
    present = np.unique(targets)
    macro, weighted = (
        metrics.precision_recall_fscore_support(targets, predicted, labels=present, average=how, zero_division=0)[:3]
        for how in ("macro", "weighted")
    )
    bins = reliability(scores, targets)
    return Evaluation(
        images=len(targets),
        accuracy=float(np.mean(predicted == targets)),
        **dict(zip(("macro_precision", "macro_recall", "macro_f1"), map(float, macro), strict=True)),
        **dict(zip(("weighted_precision", "weighted_recall", "weighted_f1"), map(float, weighted), strict=True)),
        ece=calibration_error(bins),
        reliability=bins,
        per_class={
            label: {"precision": p, "recall": r, "f1": f, "misclassification": 1 - p, "support": n}
            for label, p, r, f, n in zip(labels, *(column.tolist() for column in per_class), strict=True)
        },
        confusion_matrix=metrics.confusion_matrix(targets, predicted, labels=every).tolist(),
        labels=labels,
    )


COLUMNS = ("precision", "recall", "    F1", "misclassified", "images")


def cells(result: Evaluation) -> list[tuple[str, ...]]:
    """Name and `COLUMNS` of every class and both averages, as text: percentages with one decimal."""
    each = result.per_class.items()
    rows = [(label, row["precision"], row["recall"], row["f1"], row["support"]) for label, row in each]
    rows += [
        ("macro", result.macro_precision, result.macro_recall, result.macro_f1, result.images),
        ("weighted", result.weighted_precision, result.weighted_recall, result.weighted_f1, result.images),
    ]
    return [
        (name, *(f"{100 * share:.1f}" for share in (precision, recall, f1, 1 - precision)), str(images))
        for name, precision, recall, f1, images in rows
    ]


def table(result: Evaluation) -> str:
    """The measures as aligned text."""
    width = max(12, *(len(label) for label in result.labels))
    lines = [f"{'':{width}}  {'  '.join(COLUMNS)}"]
    for name, *row in cells(result):
        aligned = (cell.rjust(len(head)) for cell, head in zip(row, COLUMNS, strict=True))
        lines += [""] * (name == "macro") + [f"{name:{width}}  {'  '.join(aligned)}"]
    right = f"{100 * result.accuracy:.2f} %, {100 * (1 - result.accuracy):.2f} % misclassified"
    lines += ["", f"{'accuracy':{width}}  {right}   calibration error (ECE) {result.ece:.3f}"]
    return "\n".join(lines)
