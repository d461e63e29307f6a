# SPDX-License-Identifier: Apache-2.0
"""fer-compare: evaluate several model files on the same labeled faces, side by side."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fer_ros.cli.errors import one_line_errors
from fer_ros.cli.options.common import command_parser
from fer_ros.cli.options.data import add_data_options, data_options
from fer_ros.cli.options.evaluation import add_evaluation_options, check_outputs, views_of

if TYPE_CHECKING:
    from fer_ros.datasets.face_images import FaceImages
    from fer_ros.evaluation.comparison import EvaluatedModel, Table, TrainingRun

_EXAMPLES = """\
examples:
  fer-compare mini_xception out/training/res_se-.../best.pt --data fer2013.csv
  fer-compare out/training/yang_cnn_* --data fer2013.csv      runs, named by their recipes, with their curves
  fer-compare mini_xception my_model.pt --data faces/ --split all --flip --robustness
"""


def parser() -> argparse.ArgumentParser:
    result = command_parser(
        "fer-compare",
        "Compare accuracy, calibration, robustness and resources of several models, each with the first.",
        _EXAMPLES,
    )
    result.add_argument(
        "models", nargs="+", metavar="MODEL", help="name of a shipped model, a model file, or the folder of a run"
    )
    add_data_options(result, required=True)
    add_evaluation_options(result)
    result.add_argument(
        "--output",
        type=Path,
        metavar="FOLDER",
        default=Path("out/comparison"),
        help="folder of comparison.html and its plots (default: %(default)s)",
    )
    return result


@one_line_errors("fer-compare")
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code."""
    options = parser().parse_args(arguments)
    check_outputs(options)
    from fer_ros.evaluation import comparison
    from fer_ros.training import run_folder

    models, notes = _evaluate(options)
    title = f"{len(models)} models on {models[0].result.images} images, {options.split}, {views_of(options)}"
    tables = [comparison.side_by_side(models), *comparison.robustness_tables(models)]
    print(title)
    print("".join(f"note: {note}\n" for note in notes))
    print("\n\n".join(comparison.text(table) for table in tables))

    page = _write_page(options, title, models, tables, notes)
    print(f"\nreport: {page}")
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        details = {"data": options.data, "split": options.split, "views": views_of(options)}
        details["notes"] = list(notes)
        run_folder.write_json(options.json, {**details, "models": [model.to_dict() for model in models]})
    return 0


def _evaluate(options: argparse.Namespace) -> tuple[list[EvaluatedModel], tuple[str, ...]]:
    """Return the evaluated models, and notes about the images."""
    from fer_ros.datasets import registry
    from fer_ros.emotion import model_file
    from fer_ros.emotion.classifier import Classifier
    from fer_ros.evaluation import comparison, selection
    from fer_ros.training.run_summary import read_summary

    classifiers = {model: Classifier(model, options.backend) for model in options.models}
    sizes = {classifier.preprocessing.input_size for classifier in classifiers.values()}
    everything: dict[int, FaceImages] = {
        size: registry.read(options.data, size, **data_options(options)) for size in sorted(sizes)
    }
    provenances = [
        selection.find_provenance(each.model_id, each.metadata, everything[each.preprocessing.input_size])
        for each in classifiers.values()
    ]
    # The order of the images does not depend on their size, so one mask selects the same images in each.
    known = [each for each in provenances if each]
    selected = selection.select(everything[min(sizes)], options.split, known)
    images = {size: read.take(selected.mask) for size, read in everything.items()}
    paths = {model: model_file.find(model) for model in classifiers}
    runs = {model: read_summary(path) for model, path in paths.items()}
    names = _names({model: (runs[model], each.model_id) for model, each in classifiers.items()})
    models = [
        comparison.evaluate(
            paths[model],
            classifier,
            images[classifier.preprocessing.input_size],
            name=names[model],
            robust=options.robustness,
            training=runs[model],
            flip=options.flip,
            ten_crop=options.ten_crop,
        )
        for model, classifier in classifiers.items()
    ]
    return models, selected.notes


def _names(known: Mapping[str, tuple[TrainingRun | None, str]]) -> dict[str, str]:
    """Return a name for each model: the recipe of its run, with the folder where several have it, or the file's id."""
    recipes = Counter(run.recipe for run, _ in known.values() if run)
    names = {}
    for model, (run, model_id) in known.items():
        names[model] = model_id
        if run:
            names[model] = run.recipe if recipes[run.recipe] == 1 else f"{run.recipe} ({run.folder.name})"
    repeated = {name for name, count in Counter(names.values()).items() if count > 1}
    return {model: f"{name} ({model})" if name in repeated else name for model, name in names.items()}


def _write_page(
    options: argparse.Namespace,
    title: str,
    models: Sequence[EvaluatedModel],
    tables: Sequence[Table],
    notes: Sequence[str],
) -> Path:
    """Write comparison.html and its plots; return the path of the page."""
    from fer_ros.evaluation import comparison_plots, html, robustness_plots
    from fer_ros.training import run_folder

    folder: Path = options.output
    folder.mkdir(parents=True, exist_ok=True)
    head, rows = tables[0]
    comparison_plots.accuracy(folder / "accuracy.png", models, title)
    sections = [
        html.Section(
            title,
            " ".join(
                ["Accuracy, F1, recall and specificity in percent.", *(f"Note: {note}." for note in notes)]
            ),
            head=head,
            rows=rows,
        ),
        html.Section("Accuracy against parameters, and by model", plot=folder / "accuracy.png"),
    ]  # fmt: skip
    if comparison_plots.curves(folder / "curves.png", models):
        sections.append(html.Section("Training", "Accuracy and loss by epoch.", folder / "curves.png"))
    robustness = {model.name: model.robustness for model in models if model.robustness}
    if robustness:
        plot = folder / "robustness.png"
        robustness_plots.plot_several(plot, robustness, options.split)
        sections += [
            html.Section("Robustness", "Accuracy on all images, in percent.", plot),
            *(html.Section(head[0], head=head, rows=rows) for head, rows in tables[1:]),
        ]
    environment = html.facts({"data": options.data, **run_folder.environment()})
    sections.append(html.Section("Data and environment", rows=environment))
    page = folder / "comparison.html"
    html.write(page, "fer-compare", sections)
    return page


if __name__ == "__main__":
    sys.exit(main())
