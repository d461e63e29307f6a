"""fer-compare: several model files side by side on the same labeled faces."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from fer_ros.cli.errors import one_line_errors
from fer_ros.cli.options.data import add_data_options
from fer_ros.cli.options.evaluation import add_judging_options, views_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fer_ros.evaluation.comparison import Judged

_EXAMPLES = """\
examples:
  fer-compare mini_xception out/training/res_se-.../best.pt --data fer2013.csv
  fer-compare mini_xception my_model.pt --data faces/ --split all --flip --robustness
"""


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="fer-compare",
        description="Accuracy, calibration, robustness and costs of several models, each against the first.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("models", nargs="+", metavar="MODEL", help="name of a model that ships, or a model file")
    add_data_options(made, required=True)
    add_judging_options(made)
    made.add_argument("--json", type=Path, metavar="FILE", help="write all measures to this file")
    made.add_argument(
        "--output",
        type=Path,
        metavar="FOLDER",
        default=Path("out/comparison"),
        help="where comparison.html and robustness.png go (default: %(default)s)",
    )
    return made


@one_line_errors("fer-compare")
def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    from fer_ros.evaluation import comparison, html, plots
    from fer_ros.training import run_folder

    models = list(_judged(options))
    title = f"{len(models)} models on {models[0].result.images} images, {options.split}, {views_of(options)}"
    tables = [comparison.side_by_side(models), *comparison.robustness_tables(models)]
    print(f"{title}\n")
    print("\n\n".join(comparison.text(table) for table in tables))

    options.output.mkdir(parents=True, exist_ok=True)
    sections = [html.Section(title, "Shares in percent.", head=tables[0][0], rows=tables[0][1])]
    if options.robustness:
        picture = options.output / "robustness.png"
        plots.robustness_of_several(picture, {one.model_id: one.robustness for one in models}, options.split)
        sections += [
            html.Section("Robustness", "Right answers on all images, in percent.", picture),
            *(html.Section(head[0], head=head, rows=rows) for head, rows in tables[1:]),
        ]
    facts = html.facts({"data": options.data, **run_folder.environment()})
    sections.append(html.Section("Data and machine", rows=facts))
    file = options.output / "comparison.html"
    html.write(file, "fer-compare", sections)
    print(f"\nwritten to {file}")
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        about = {"data": options.data, "split": options.split, "views": views_of(options)}
        run_folder.write_json(options.json, {**about, "models": [one.to_dict() for one in models]})
    return 0


def _judged(options: argparse.Namespace) -> Iterator[Judged]:
    from fer_ros.datasets import registry
    from fer_ros.emotion.classifier import Classifier
    from fer_ros.evaluation import comparison

    classifiers = {model: Classifier(model, options.backend) for model in options.models}
    images = {}
    for model, classifier in classifiers.items():
        size = classifier.preprocessing.input_size
        if size not in images:
            read = registry.read(options.data, size, by_speaker=options.by_speaker, skip_faulty=options.skip_faulty)
            images[size] = read.split(options.split)
        views = {"flip": options.flip, "ten_crop": options.ten_crop}
        yield comparison.judge(model, classifier, images[size], robust=options.robustness, **views)


if __name__ == "__main__":
    sys.exit(main())
