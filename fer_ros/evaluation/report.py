"""What an evaluation found, as one page to read and to send."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from fer_ros.evaluation import metrics, profiling, robustness
from fer_ros.evaluation.html import Section, facts, write

if TYPE_CHECKING:
    from fer_ros.emotion.classifier import Classifier
    from fer_ros.evaluation.metrics import Evaluation
    from fer_ros.evaluation.profiling import Costs
    from fer_ros.evaluation.robustness import Robustness


def write_report(
    path: Path,
    classifier: Classifier,
    result: Evaluation,
    about: Mapping[str, Any],
    *,
    confusion_matrix: Path,
    reliability: Path,
    curves: Path | None = None,
    robust: tuple[Robustness, Path] | None = None,
    cost: Costs | None = None,
) -> None:
    """Writes the page at `path`.

    Args:
        path: where to.
        classifier: the model that was evaluated.
        result: what came of it.
        about: facts worth keeping: data, command, versions, seed.
        confusion_matrix: the picture of it; so `reliability`, and `curves` where the training is known.
        reliability: see there.
        curves: see there.
        robust: what was measured under changes, and its picture.
        cost: what the model asks of the machine.

    Raises:
        OSError: as it came; there is no half page.
    """
    sections = [
        Section("Result", rows=_result(result)),
        Section(
            "Each class",
            "In percent. Misclassified is the share of the answers with this name that are wrong, 1 - precision; "
            "papers call recall the accuracy of a class.",
            head=("", *(head.strip() for head in metrics.COLUMNS)),
            rows=metrics.cells(result),
        ),
        Section("Confusion matrix", picture=confusion_matrix),
        Section(
            "Calibration",
            f"Expected calibration error {result.ece:.3f}; the scores come from logits divided by the temperature "
            f"{classifier.metadata.temperature:.3f}.",
            picture=reliability,
        ),
    ]
    if curves:
        sections.append(Section("Training", picture=curves))
    if robust:
        sections += _robustness(*robust)
    if cost:
        sections.append(Section("Costs", rows=list(profiling.rows(cost).items())))
    sections += [
        Section("Model and data", rows=[*_model(classifier), *facts(about)]),
        Section("Recipe", text=yaml.safe_dump(classifier.metadata.recipe, sort_keys=False)),
    ]
    write(path, f"{classifier.model_id}: {100 * result.accuracy:.2f} % of {result.images} images", sections)


def _result(result: Evaluation) -> list[tuple[str, str]]:
    return [
        ("accuracy", f"{100 * result.accuracy:.2f} %"),
        ("misclassified", f"{100 * (1 - result.accuracy):.2f} %"),
        ("macro F1", f"{100 * result.macro_f1:.2f} %"),
        ("weighted F1", f"{100 * result.weighted_f1:.2f} %"),
        ("calibration error (ECE)", f"{result.ece:.3f}"),
        ("images", str(result.images)),
    ]


def _robustness(result: Robustness, picture: Path) -> list[Section]:
    note = "Right answers in percent. Lyu gives those of 21 images that the network recognizes unchanged."
    whole = Section("Robustness", note, picture)
    return [whole, *(Section(head[0], head=head, rows=rows) for head, rows in robustness.tables(result))]


def _model(classifier: Classifier) -> list[tuple[str, str]]:
    known = classifier.metadata
    options = "".join(f", {name} {value}" for name, value in known.network_options.items())
    trained = known.scores.get("validation")
    return [
        ("model", classifier.model_id),
        ("network", f"{known.network}{options}"),
        ("answers", ", ".join(known.labels)),
        ("input", f"{known.preprocessing.input_size}x{known.preprocessing.input_size} gray"),
        *([("weights of epoch", str(trained["epoch"]))] if trained else []),
    ]
