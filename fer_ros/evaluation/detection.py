# SPDX-License-Identifier: Apache-2.0
"""Score detectors on labeled boxes: true positive rate over false positives per image."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fer_ros.datasets.face_boxes import LabeledFaces
from fer_ros.faces.matching import MATCH_OVERLAP
from fer_ros.files import atomic_write
from fer_ros.types import Box, Detection


@dataclass(frozen=True)
class DetectionCurve:
    """A detector from strict to lenient: first along the scores of its detections, then beyond its own threshold."""

    images: int
    faces: int
    """Labeled faces that count."""
    scores: np.ndarray
    """(N,) float: the lowest score that is accepted."""
    is_lenient: np.ndarray
    """(N,) bool: whether detections below the detector's own threshold are accepted too; false, then true."""
    true_positive_rate: np.ndarray
    """(N,) 0..1: share of the labeled faces that the accepted detections find."""
    false_positives_per_image: np.ndarray
    """(N,): accepted detections that are of no labeled face."""

    @property
    def at_threshold(self) -> tuple[float, float]:
        """False positives per image and true positive rate at the detector's own threshold."""
        own = np.flatnonzero(~self.is_lenient)
        if not len(own):
            return 0.0, 0.0
        return float(self.false_positives_per_image[own[-1]]), float(self.true_positive_rate[own[-1]])

    def best_within(self, false_positives: float) -> float:
        """Return the highest true positive rate with at most so many false positives per image."""
        within = self.true_positive_rate[self.false_positives_per_image <= false_positives]
        return float(within.max(initial=0.0))


def curve(
    labeled: Sequence[LabeledFaces],
    detections: Sequence[Sequence[Detection]],
    lenient: Sequence[Sequence[Detection]],
    overlap: float = MATCH_OVERLAP,
) -> DetectionCurve:
    """Return the curve of a detector.

    As in the protocols of WIDER FACE and PASCAL VOC, detections of an image take in the order of their scores the
    labeled face that they overlap most, each once; a second detection of a face is a false positive. Detections of
    ignored faces do not count.

    Args:
        labeled: faces of each image.
        detections: of the same images, at the detector's own threshold.
        lenient: at a lower threshold; those that are among `detections` are left out.
        overlap: intersection over union, 0..1, from which a detection is of a face.
    """
    answers: list[tuple[bool, float, bool]] = []
    for faces, own, more in zip(labeled, detections, lenient, strict=True):
        further = [each for each in more if all(each.box.iou(known.box) < overlap for known in own)]
        answers += _answers(faces, own, further, overlap)
    answers.sort(key=lambda answer: (answer[0], -answer[1]))
    is_hit = np.array([hit for *_, hit in answers], bool)
    # Detections of the same score are accepted together.
    keys = [answer[:2] for answer in answers]
    last = np.array([i for i, key in enumerate(keys) if i + 1 == len(keys) or keys[i + 1] != key], int)
    faces_in_all = sum(len(each.boxes) for each in labeled)
    return DetectionCurve(
        images=len(labeled),
        faces=faces_in_all,
        scores=np.array([keys[index][1] for index in last]),
        is_lenient=np.array([keys[index][0] for index in last], bool),
        true_positive_rate=np.cumsum(is_hit)[last] / max(faces_in_all, 1),
        false_positives_per_image=np.cumsum(~is_hit)[last] / max(len(labeled), 1),
    )


def _answers(
    faces: LabeledFaces, own: Sequence[Detection], further: Sequence[Detection], overlap: float
) -> list[tuple[bool, float, bool]]:
    """Return for each detection that counts: whether it is a further one, its score, and whether it is of a face."""
    answers = []
    left = list(faces.boxes)
    ordered = sorted([(False, each) for each in own] + [(True, each) for each in further],
                     key=lambda pair: (pair[0], -pair[1].score))  # fmt: skip
    for is_further, detection in ordered:
        best = max(left, key=detection.box.iou, default=None)
        if best is not None and detection.box.iou(best) >= overlap:
            left.remove(best)
            answers.append((is_further, detection.score, True))
        elif not _is_ignored(detection.box, faces, overlap):
            answers.append((is_further, detection.score, False))
    return answers


def _is_ignored(box: Box, faces: LabeledFaces, overlap: float) -> bool:
    return any(box.iou(other) >= overlap for other in faces.ignored)


def write_csv(path: Path, curves: Mapping[str, DetectionCurve]) -> None:
    """Write the points of the curves, by the name of the detector."""
    with atomic_write(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["detector", "below_own_threshold", "score", "false_positives_per_image", "true_positive_rate"])
        for name, each in curves.items():
            columns = (each.is_lenient, each.scores, each.false_positives_per_image, each.true_positive_rate)
            for lenient, *values in zip(*columns, strict=True):
                writer.writerow([name, int(lenient), *(f"{value:.4f}" for value in values)])
