"""fer-evaluate: how good a model file is on labelled faces."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fer_ros.cli.data_options import add_data_options
from fer_ros.cli.errors import one_line_errors

if TYPE_CHECKING:
    from fer_ros.emotion.classifier import Classifier
    from fer_ros.training.datasets import FaceImages

_EXAMPLES = """\
examples:
  fer-evaluate --model mini_xception --data fer2013.csv --split public
  fer-evaluate --model out/training/mini_xception-.../best.pt --data faces/ --split all --flip
  fer-evaluate --model mini_xception --data train.npz public.npz --split public --json scores.json
  fer-evaluate --model mini_xception --data public.npz --robustness --costs --backend opencv
"""


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="fer-evaluate",
        description="Accuracy, precision, recall, F1, calibration and confusion matrix of a model.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--model", required=True, help="name of a model that ships, or a model file")
    add_data_options(made, required=True)
    made.add_argument("--split", choices=("training", "public", "private", "all"), default="public")
    made.add_argument("--flip", action="store_true", help="average each crop with its mirror image")
    made.add_argument(
        "--backend",
        default="auto",
        choices=("auto", "torchscript", "opencv", "onnx"),
        help="what runs the network (default: by the kind of file)",
    )
    made.add_argument(
        "--robustness", action="store_true", help="accuracy over rotations and brightnesses, and robustness.png"
    )
    made.add_argument(
        "--costs", action="store_true", help="parameters, arithmetic, file size, memory, latency and CPU of the model"
    )
    made.add_argument("--json", type=Path, metavar="FILE", help="write all measures to this file")
    made.add_argument(
        "--output",
        type=Path,
        metavar="FOLDER",
        default=Path("out/evaluation"),
        help="where confusion_matrix.png goes (default: %(default)s)",
    )
    return made


@one_line_errors("fer-evaluate")
def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    from fer_ros.emotion.classifier import Classifier
    from fer_ros.training import datasets, evaluation, pictures, run_folder

    classifier = Classifier(options.model, options.backend)
    everything = datasets.read(
        options.data,
        classifier.preprocessing.input_size,
        by_speaker=options.by_speaker,
        skip_faulty=options.skip_faulty,
    )
    images = everything.split(options.split)
    targets = evaluation.targets_for(classifier.labels, images)
    scores = evaluation.scores(classifier, images, options.flip)
    result = evaluation.measure(scores, targets, classifier.labels)
    new = _not_in_training(everything, images, options.split)
    without = None
    if new is not None and new.any():
        without = {"images": int(new.sum()), "accuracy": float((scores.argmax(axis=1) == targets)[new].mean())}

    print(f"{classifier.model_id} on {result.images} images, {options.split}{', with flip' if options.flip else ''}\n")
    print(evaluation.table(result))
    if without:
        print(
            f"without the {result.images - without['images']} that are also training images: "
            f"{100 * without['accuracy']:.2f} % of {without['images']}"
        )
    options.output.mkdir(parents=True, exist_ok=True)
    picture = options.output / run_folder.CONFUSION_MATRIX
    title = f"{classifier.model_id}, {options.split}: {100 * result.accuracy:.2f} %"
    pictures.confusion_matrix(picture, result.confusion_matrix, classifier.labels, title)
    print(f"confusion matrix: {picture}")
    more = _robustness(classifier, images, options) | _costs(options)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        about = {"model": classifier.model_id, "data": options.data, "split": options.split, "flip": options.flip}
        run_folder.write_json(options.json, {**about, **result.to_dict(), "without_duplicates": without, **more})
    return 0


def _robustness(classifier: Classifier, images: FaceImages, options: argparse.Namespace) -> dict[str, Any]:
    if not options.robustness:
        return {}
    from fer_ros.training import pictures, robustness

    result = robustness.measure(classifier, images)
    picture = options.output / "robustness.png"
    pictures.robustness(picture, result, f"{classifier.model_id}, {options.split}")
    print(f"\n{robustness.table(result)}\nrobustness: {picture}")
    return {"robustness": result.to_dict()}


def _costs(options: argparse.Namespace) -> dict[str, Any]:
    if not options.costs:
        return {}
    from fer_ros.training import costs

    result = costs.measure(options.model, options.backend)
    print(f"\n{costs.table(result)}")
    return {"costs": result.to_dict()}


def _not_in_training(everything: FaceImages, images: FaceImages, split: str):
    """(N,) bool: the images no training image is identical to; None where the data cannot tell."""
    from fer_ros.training.datasets import SPLITS

    training = everything.take(everything.splits == SPLITS.index("training"))
    if split in ("training", "all") or not len(training):
        return None
    return ~images.also_in(training)


if __name__ == "__main__":
    sys.exit(main())
