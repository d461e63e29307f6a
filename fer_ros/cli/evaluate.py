# SPDX-License-Identifier: Apache-2.0
"""fer-evaluate: measure a model file on labeled faces."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fer_ros.cli.errors import one_line_errors
from fer_ros.cli.options.common import command_parser
from fer_ros.cli.options.data import add_data_options, data_options
from fer_ros.cli.options.evaluation import add_evaluation_options, check_outputs, views_of

if TYPE_CHECKING:
    import numpy as np

    from fer_ros.datasets.face_images import FaceImages

_EXAMPLES = """\
examples:
  fer-evaluate --model mini_xception --data fer2013.csv --split public
  fer-evaluate --model out/training/mini_xception-.../best.pt --data faces/ --split all --flip
  fer-evaluate --model mini_xception --data train.npz public.npz --split public --json scores.json
  fer-evaluate --model mini_xception --data public.npz --robustness --profile --backend opencv
"""


def parser() -> argparse.ArgumentParser:
    result = command_parser(
        "fer-evaluate", "Accuracy, precision, recall, F1, calibration and confusion matrix of a model.", _EXAMPLES
    )
    result.add_argument("--model", required=True, help="name of a shipped model, a model file, or the folder of a run")
    add_data_options(result, required=True)
    add_evaluation_options(result)
    result.add_argument(
        "--profile",
        action="store_true",
        help="also measure parameters, multiply-accumulates, file size, memory, latency and CPU time",
    )
    result.add_argument(
        "--output",
        type=Path,
        metavar="FOLDER",
        default=Path("out/evaluation"),
        help="folder of report.html, the plots, the confusion matrix as csv, and sheets of mistakes and right answers "
        "(default: %(default)s)",
    )
    return result


@one_line_errors("fer-evaluate")
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code."""
    options = parser().parse_args(arguments)
    check_outputs(options)
    from fer_ros.datasets import registry
    from fer_ros.emotion.backends import registry as backends
    from fer_ros.emotion.classifier import Classifier
    from fer_ros.evaluation import confusion, metrics, profiling, report, robustness, selection
    from fer_ros.evaluation.resources import ResourceMeter

    path, backend = backends.resolve(options.model, options.backend)
    classifier = Classifier(path, backend)
    everything = registry.read(options.data, classifier.preprocessing.input_size, **data_options(options))
    known = selection.find_provenance(classifier.model_id, classifier.metadata, everything)
    selected = selection.select(everything, options.split, [known] if known else [])
    images = everything.take(selected.mask)
    print(f"{classifier.model_id} on {len(images)} images, {options.split}, {views_of(options)}")
    print(f"images by class: {', '.join(f'{label} {count}' for label, count in images.class_counts().items())}")
    print("".join(f"note: {note}\n" for note in selected.notes), flush=True)

    meter = ResourceMeter()
    scored = report.score(classifier, images, flip=options.flip, ten_crop=options.ten_crop, progress="scoring")
    resources = meter.resources()
    result = scored.result
    unique = _without_duplicates(everything, selected.mask, scored.scores.argmax(axis=1) == scored.targets)
    print(f"{metrics.table(result)}\n\n{confusion.text(result.confusion_matrix, classifier.labels)}\n")
    print(f"resources of testing: {resources.text()}")
    without_duplicates = f"{100 * unique['accuracy']:.2f} % of {unique['images']}" if unique else None
    if unique:
        print(f"without {result.images - unique['images']} duplicates of training images: {without_duplicates}")
    perturbed = robustness.measure(classifier, images) if options.robustness else None
    if perturbed:
        print(f"\n{robustness.table(perturbed)}")
    profile = profiling.profile(path, classifier) if options.profile else None
    if profile:
        print(f"\n{profiling.table(profile)}")

    options.output.mkdir(parents=True, exist_ok=True)
    details = {"data": options.data, "split": options.split, "views": views_of(options)}
    page = report.write_folder(
        options.output,
        scored,
        options.split,
        _listed(details, selected.notes, without_duplicates),
        robustness=perturbed,
        profile=profile,
        resources={"testing": resources},
    )
    print(f"\nreport: {page}")
    if options.json:
        measures = {
            **result.to_dict(),
            "without_duplicates": unique,
            "notes": list(selected.notes),
            "resources": {"testing": resources.to_dict()},
            **({"robustness": perturbed.to_dict()} if perturbed else {}),
            **({"profile": profile.to_dict()} if profile else {}),
        }
        _write_json(options.json, {"model": classifier.model_id, **details, **measures})
    return 0


def _listed(details: dict[str, Any], notes: Sequence[str], without_duplicates: str | None) -> dict[str, Any]:
    """Return the facts that the report lists."""
    from fer_ros.training import run_folder

    more = {"notes": "; ".join(notes) or None, "without duplicates": without_duplicates}
    return {**details, **more, **run_folder.environment()}


def _write_json(path: Path, content: dict[str, Any]) -> None:
    from fer_ros.training import run_folder

    path.parent.mkdir(parents=True, exist_ok=True)
    run_folder.write_json(path, content)


def _without_duplicates(everything: FaceImages, mask: np.ndarray, correct: np.ndarray) -> dict[str, float] | None:
    """Return number and accuracy of the evaluated images, those in `mask`, that are identical to no training image.

    None where there are none, or where all training images are evaluated themselves.
    """
    from fer_ros.datasets.face_images import SPLITS

    training = everything.take((everything.splits == SPLITS.index("training")) & ~mask)
    if not len(training):
        return None
    unique = ~everything.take(mask).also_in(training)
    return {"images": int(unique.sum()), "accuracy": float(correct[unique].mean())} if unique.any() else None


if __name__ == "__main__":
    sys.exit(main())
