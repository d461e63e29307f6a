# SPDX-License-Identifier: Apache-2.0
"""What an evaluation writes: plots, tables, and a report as one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from fer_ros.evaluation import confusion, metrics, plots, profiling, risk_coverage, robustness_plots, sheets
from fer_ros.evaluation import file_names as names
from fer_ros.evaluation.html import Section, facts, write
from fer_ros.evaluation.robustness import Robustness, tables

if TYPE_CHECKING:
    from fer_ros.datasets.face_images import FaceImages
    from fer_ros.emotion.classifier import Classifier
    from fer_ros.evaluation.metrics import Evaluation
    from fer_ros.evaluation.profiling import Profile
    from fer_ros.evaluation.resources import Resources


@dataclass(frozen=True)
class ScoredImages:
    """What a model answered for labeled images."""

    classifier: Classifier
    images: FaceImages
    scores: np.ndarray
    """(N, classes) float32, columns in the order of the classifier's labels."""
    targets: np.ndarray
    """(N,) int64: indices into the classifier's labels."""
    result: Evaluation


def score(classifier: Classifier, images: FaceImages, **views: Any) -> ScoredImages:
    """Return what the model answers for labeled images; `views` as for `metrics.scores`.

    Raises:
        DataError: the images have a label that the model lacks.
    """
    targets = metrics.targets_for(classifier.labels, images)
    scores = metrics.scores(classifier, images.pixels, **views)
    return ScoredImages(classifier, images, scores, targets, metrics.measure(scores, targets, classifier.labels))


def write_folder(
    folder: Path,
    scored: ScoredImages,
    split: str,
    details: Mapping[str, Any],
    *,
    curves: Path | None = None,
    robustness: Robustness | None = None,
    profile: Profile | None = None,
    resources: Mapping[str, Resources] | None = None,
) -> Path:
    """Write the plots, the tables and the report, named as in `file_names`, atomically each.

    Args:
        folder: existing folder.
        scored: answers of the model.
        split: name of the images, for titles.
        details: further facts to list: data, command, versions, seed.
        curves: PNG file of the training curves, in the folder.
        robustness: accuracy under perturbations.
        profile: resources that the model takes.
        resources: that the work took, by its name.

    Returns:
        The path of the report.

    Raises:
        OSError: a file cannot be read or written.
    """
    result, labels = scored.result, scored.classifier.labels
    title = f"{scored.classifier.model_id}, {split}"
    confusion.write_csv(folder / names.CONFUSION_COUNTS, result.confusion_matrix, labels)
    confusion.write_csv(folder / names.CONFUSION_SHARES, confusion.normalized(result.confusion_matrix), labels)
    accuracy = f"{100 * result.accuracy:.2f} % of {result.images} images"
    plots.confusion_matrix(folder / names.CONFUSION_MATRIX, result.confusion_matrix, labels, f"{title}: {accuracy}")
    plots.reliability(folder / names.RELIABILITY, result.reliability, result.risk_coverage, title)
    for name, right in ((names.MISTAKES, False), (names.RIGHT_ANSWERS, True)):
        chosen = sheets.most_confident(scored.scores, scored.targets, right)
        rows = sheets.answers(scored.images.pixels, scored.scores, chosen, labels)
        sheets.write(folder / name, rows, f"{title}: most confident {'right answers' if right else 'mistakes'}")
    sections = _evaluation_sections(folder, scored)
    if curves:
        sections.append(Section("Training", plot=curves))
    if robustness:
        sections += _robustness(folder, scored, robustness, title)
    if profile:
        sections.append(Section("Profile", rows=list(profiling.rows(profile).items())))
    if resources:
        sections.append(Section("Resources", rows=[(name, each.text()) for name, each in resources.items()]))
    sections += [
        Section("Model and data", rows=[*_model(scored.classifier), *facts(details)]),
        Section("Recipe", text=yaml.safe_dump(scored.classifier.metadata.recipe, sort_keys=False)),
    ]
    write(folder / names.REPORT, f"{scored.classifier.model_id}: {accuracy}", sections)
    return folder / names.REPORT


def _evaluation_sections(folder: Path, scored: ScoredImages) -> list[Section]:
    result, classifier = scored.result, scored.classifier
    return [
        Section("Result", rows=_result(result)),
        Section(
            "Classes",
            "In percent. One-vs-rest is the accuracy of a class against all others. Misclassified is 1 - precision, "
            "the false discovery rate. Papers also call the recall of a class its accuracy.",
            head=("", *(head.strip() for head in metrics.COLUMNS)),
            rows=metrics.cells(result),
        ),
        Section("Confusion matrix", plot=folder / names.CONFUSION_MATRIX),
        Section("Most confident mistakes", "Rows: true class.", plot=folder / names.MISTAKES),
        Section("Most confident right answers", plot=folder / names.RIGHT_ANSWERS),
        Section(
            "Calibration",
            f"Expected calibration error {metrics.ece_text(result)}. Scores are the softmax of logits divided by the "
            f"temperature {classifier.metadata.temperature:.3f}.",
            plot=folder / names.RELIABILITY,
        ),
        Section(
            "Risk against coverage",
            "The min_confidence, below which an emotion is unknown, with which the model is so accurate on the images "
            f"that it names. Area under the risk-coverage curve (AURC) {result.aurc:.3f}.",
            head=("accuracy of the named", "min_confidence", "named"),
            rows=risk_coverage.rows(result.risk_coverage),
        ),
    ]


def _result(result: Evaluation) -> list[tuple[str, str]]:
    return [
        ("accuracy", f"{100 * result.accuracy:.2f} %"),
        ("misclassified", f"{100 * (1 - result.accuracy):.2f} %"),
        ("loss", f"{result.log_loss:.4f}"),
        ("balanced accuracy", f"{100 * result.macro_recall:.2f} %"),
        ("macro specificity", f"{100 * result.macro_specificity:.2f} %"),
        ("macro F1", f"{100 * result.macro_f1:.2f} %"),
        ("weighted F1", f"{100 * result.weighted_f1:.2f} %"),
        ("expected calibration error (ECE)", metrics.ece_text(result)),
        ("images", str(result.images)),
    ]


def _robustness(folder: Path, scored: ScoredImages, result: Robustness, title: str) -> list[Section]:
    """Plot the robustness and an example of each perturbation; return their sections."""
    robustness_plots.plot(folder / names.ROBUSTNESS, result, title)
    example = int(np.where(scored.scores.argmax(axis=1) == scored.targets, scored.scores.max(axis=1), 0).argmax())
    robustness_plots.examples(folder / names.ROBUSTNESS_EXAMPLES, scored.images.pixels[example], "perturbations")
    note = (
        "Accuracy in percent, and the expected calibration error (ECE) of all images. Lyu reports 21 images that the "
        "network recognizes unperturbed; in parentheses 5 to 95 % of random draws of so many, in which all classes "
        "weigh the same."
    )
    return [
        Section("Robustness", note, folder / names.ROBUSTNESS),
        Section("Examples of the perturbations", plot=folder / names.ROBUSTNESS_EXAMPLES),
        *(Section(head[0], head=head, rows=rows) for head, rows in tables(result)),
    ]


def _model(classifier: Classifier) -> list[tuple[str, str]]:
    metadata = classifier.metadata
    options = "".join(f", {name} {value}" for name, value in metadata.network_options.items())
    trained = metadata.scores.get("validation")
    return [
        ("model", classifier.model_id),
        ("network", f"{metadata.network}{options}"),
        ("labels", ", ".join(metadata.labels)),
        ("input", f"{metadata.preprocessing.input_size}x{metadata.preprocessing.input_size} gray"),
        *([("epoch of the weights", str(trained["epoch"]))] if trained else []),
    ]
