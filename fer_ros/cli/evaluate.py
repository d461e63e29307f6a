"""fer-evaluate: how good a model file is on labeled faces."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fer_ros.cli.errors import one_line_errors
from fer_ros.cli.options.data import add_data_options
from fer_ros.cli.options.evaluation import add_judging_options, views_of

if TYPE_CHECKING:
    import numpy as np

    from fer_ros.datasets.registry import FaceImages
    from fer_ros.emotion.classifier import Classifier
    from fer_ros.evaluation.metrics import Evaluation
    from fer_ros.evaluation.robustness import Robustness

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
    add_judging_options(made)
    made.add_argument(
        "--costs", action="store_true", help="parameters, arithmetic, file size, memory, latency and CPU of the model"
    )
    made.add_argument("--json", type=Path, metavar="FILE", help="write all measures to this file")
    made.add_argument(
        "--output",
        type=Path,
        metavar="FOLDER",
        default=Path("out/evaluation"),
        help="where the pictures and report.html go (default: %(default)s)",
    )
    return made


@one_line_errors("fer-evaluate")
def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    from fer_ros.datasets import registry
    from fer_ros.emotion.classifier import Classifier
    from fer_ros.evaluation import metrics, profiling, report, robustness
    from fer_ros.training import run_folder

    classifier = Classifier(options.model, options.backend)
    everything = registry.read(
        options.data,
        classifier.preprocessing.input_size,
        by_speaker=options.by_speaker,
        skip_faulty=options.skip_faulty,
    )
    images = everything.split(options.split)
    targets = metrics.targets_for(classifier.labels, images)
    scores = metrics.scores(classifier, images, flip=options.flip, ten_crop=options.ten_crop)
    result = metrics.measure(scores, targets, classifier.labels)
    without = _without_duplicates(everything, images, options.split, scores.argmax(axis=1) == targets)

    print(f"{classifier.model_id} on {result.images} images, {options.split}, {views_of(options)}\n")
    print(metrics.table(result))
    share = None
    if without:
        share = f"{100 * without['accuracy']:.2f} % of {without['images']}"
        print(f"without the {result.images - without['images']} that are also training images: {share}")
    robust = robustness.measure(classifier, images) if options.robustness else None
    if robust:
        print(f"\n{robustness.table(robust)}")
    cost = profiling.measure(options.model, options.backend) if options.costs else None
    if cost:
        print(f"\n{profiling.table(cost)}")

    about = {"data": options.data, "split": options.split, "views": views_of(options)}
    options.output.mkdir(parents=True, exist_ok=True)
    drawn = _pictures(options.output, classifier, result, robust, options.split)
    page = options.output / run_folder.REPORT
    known = {**about, "without duplicates": share, **run_folder.environment()}
    report.write_report(page, classifier, result, known, **drawn, cost=cost)
    print(f"\nreport: {page}")
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        more = {"robustness": robust.to_dict()} if robust else {}
        more |= {"costs": cost.to_dict()} if cost else {}
        facts = {"model": classifier.model_id, **about, **result.to_dict(), "without_duplicates": without, **more}
        run_folder.write_json(options.json, facts)
    return 0


def _pictures(
    folder: Path, classifier: Classifier, result: Evaluation, robust: Robustness | None, split: str
) -> dict[str, Any]:
    """Draws what a report shows; the arguments for it."""
    from fer_ros.evaluation import plots
    from fer_ros.training import run_folder

    title = f"{classifier.model_id}, {split}"
    drawn: dict[str, Any] = {
        "confusion_matrix": folder / run_folder.CONFUSION_MATRIX,
        "reliability": folder / run_folder.RELIABILITY,
    }
    counts, accuracy = result.confusion_matrix, f"{100 * result.accuracy:.2f} %"
    plots.confusion_matrix(drawn["confusion_matrix"], counts, classifier.labels, f"{title}: {accuracy}")
    plots.reliability(drawn["reliability"], result.reliability, title)
    if robust:
        plots.robustness(folder / "robustness.png", robust, title)
        drawn["robust"] = (robust, folder / "robustness.png")
    return drawn


def _without_duplicates(
    everything: FaceImages, images: FaceImages, split: str, right: np.ndarray
) -> dict[str, float] | None:
    """Number of the images that no training image is identical to, and accuracy on them; None where there are none, or
    the data cannot tell.
    """
    from fer_ros.datasets.registry import SPLITS

    training = everything.take(everything.splits == SPLITS.index("training"))
    if split in ("training", "all") or not len(training):
        return None
    new = ~images.also_in(training)
    return {"images": int(new.sum()), "accuracy": float(right[new].mean())} if new.any() else None


if __name__ == "__main__":
    sys.exit(main())
