# SPDX-License-Identifier: Apache-2.0
"""Report of an evaluation as one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from fer_ros.evaluation import metrics, profiling
from fer_ros.evaluation.html import Section, facts, write
from fer_ros.evaluation.robustness import Robustness, tables

if TYPE_CHECKING:
    from fer_ros.emotion.classifier import Classifier
    from fer_ros.evaluation.metrics import Evaluation
    from fer_ros.evaluation.profiling import Profile


def write_report(
    path: Path,
    classifier: Classifier,
    result: Evaluation,
    details: Mapping[str, Any],
    *,
    confusion_matrix: Path,
    reliability: Path,
    curves: Path | None = None,
    robustness: tuple[Robustness, Path] | None = None,
    profile: Profile | None = None,
) -> None:
    """Write the report atomically.

    Args:
        path: HTML file to write.
        classifier: the model that was evaluated.
        result: its measures.
        details: further facts to list: data, command, versions, seed.
        confusion_matrix: PNG file of the plot.
        reliability: PNG file of the plot.
        curves: PNG file of the training curves.
        robustness: accuracy under perturbations, and the PNG file of its plot.
        profile: resources that the model takes.

    Raises:
        OSError: a plot cannot be read, or the page cannot be written.
    """
    sections = [
        Section("Result", rows=_result(result)),
        Section(
            "Classes",
            "In percent. Misclassified is 1 - precision, the false discovery rate. Papers also call the recall of a "
            "class its accuracy.",
            head=("", *(head.strip() for head in metrics.COLUMNS)),
            rows=metrics.cells(result),
        ),
        Section("Confusion matrix", plot=confusion_matrix),
        Section(
            "Calibration",
            f"Expected calibration error {metrics.ece_text(result)}. Scores are the softmax of logits divided by the "
            f"temperature {classifier.metadata.temperature:.3f}.",
            plot=reliability,
        ),
    ]
    if curves:
        sections.append(Section("Training", plot=curves))
    if robustness:
        sections += _robustness(*robustness)
    if profile:
        sections.append(Section("Profile", rows=list(profiling.rows(profile).items())))
    sections += [
        Section("Model and data", rows=[*_model(classifier), *facts(details)]),
        Section("Recipe", text=yaml.safe_dump(classifier.metadata.recipe, sort_keys=False)),
    ]
    write(path, f"{classifier.model_id}: {100 * result.accuracy:.2f} % of {result.images} images", sections)


def _result(result: Evaluation) -> list[tuple[str, str]]:
    return [
        ("accuracy", f"{100 * result.accuracy:.2f} %"),
        ("misclassified", f"{100 * (1 - result.accuracy):.2f} %"),
        ("balanced accuracy", f"{100 * result.macro_recall:.2f} %"),
        ("macro F1", f"{100 * result.macro_f1:.2f} %"),
        ("weighted F1", f"{100 * result.weighted_f1:.2f} %"),
        ("expected calibration error (ECE)", metrics.ece_text(result)),
        ("images", str(result.images)),
    ]


def _robustness(result: Robustness, plot: Path) -> list[Section]:
    note = "Accuracy in percent. Lyu reports 21 images that the network recognizes unperturbed."
    overview = Section("Robustness", note, plot)
    return [overview, *(Section(head[0], head=head, rows=rows) for head, rows in tables(result))]


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
