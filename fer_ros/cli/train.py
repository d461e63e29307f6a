"""fer-train: trains a network and leaves a model file that the node can load."""

from __future__ import annotations

import argparse
import dataclasses
import errno
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from fer_ros.cli.errors import end_now, one_line_errors, stop_now
from fer_ros.cli.options.common import command_parser
from fer_ros.cli.options.data import add_data_options

if TYPE_CHECKING:
    from fer_ros.datasets.registry import FaceImages
    from fer_ros.training.progress import ProgressReporter
    from fer_ros.training.recipe import Recipe

_EXAMPLES = """\
examples:
  fer-train --data fer2013.csv                         the recipe mini_xception, into out/training/
  fer-train --data faces/ --recipe my_recipe.yaml      pictures in a folder per emotion, a recipe of one's own
  fer-train --data a.npz b.npz --epochs 3 --seed 1     two array files, a short run
  fer-train --data mine/ --init-from mini_xception    fits a model that ships to other people or another camera
  fer-train --resume out/training/mini_xception-...    goes on where a stopped run was

Ctrl-C stops a run; the best model so far and a checkpoint stay.
"""

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What systems say when a disk is full, or the share of it that this user may fill."""


def parser() -> argparse.ArgumentParser:
    made = command_parser(
        "fer-train",
        "Train a network on the split 'training' of labeled faces; the best epoch on 'public' is kept.",
        _EXAMPLES,
    )
    add_data_options(made, required=False)
    made.add_argument("--recipe", help="name of a recipe that ships, or a .yaml file (default: mini_xception)")
    made.add_argument("--network", help="another network than the recipe's")
    made.add_argument("--epochs", type=int, help="another number of epochs than the recipe's")
    made.add_argument("--seed", type=int, help="another seed than the recipe's")
    made.add_argument("--init-from", metavar="MODEL", help="begin with the weights of this model, not from nothing")
    made.add_argument("--output", type=Path, metavar="FOLDER", help="default: out/training/<recipe>-<time>")
    made.add_argument("--resume", type=Path, metavar="FOLDER", help="go on with the run in this folder")
    made.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), default="auto", help="auto: a GPU where there is one, else the CPU"
    )
    made.add_argument("--threads", type=int, help="CPU threads (default: torch's choice, one per core)")
    made.add_argument(
        "--progress", choices=("terminal", "json"), default="terminal", help="json: one object a line, for programs"
    )
    return made


@one_line_errors("fer-train")
def main(arguments: list[str] | None = None) -> int:
    command_line = parser()
    options = command_line.parse_args(arguments)
    if not options.resume and not options.data:
        command_line.error("--data is needed to begin a run")
    if options.resume and options.output:
        command_line.error("--resume goes on in its own folder, so --output has no place beside it")
    if options.resume and options.init_from:
        command_line.error("--resume goes on with its own weights, so --init-from has no place beside it")
    if options.threads is not None and options.threads < 1:
        command_line.error("--threads must be 1 or more")
    _find(options)
    return _train(options)


def _find(options: argparse.Namespace) -> None:
    """Looks for what the options name, before torch is loaded: who has mistyped a name need not wait for that.

    Raises:
        DataError: there is no such data.
        FileNotFoundError: there is no such recipe, or no such run.
    """
    from fer_ros import resources
    from fer_ros.datasets import registry
    from fer_ros.training import run_folder

    if options.resume and not (options.resume / run_folder.RUN).is_file():
        raise FileNotFoundError(f"{options.resume} is not the folder of a training run: it has no {run_folder.RUN}")
    if options.recipe:
        resources.find("recipes", options.recipe, (".yaml", ".yml"))
    if options.data:
        registry.paths_of(options.data)


def _train(options: argparse.Namespace) -> int:
    import torch

    from fer_ros.emotion import model_file
    from fer_ros.training import distributed, progress
    from fer_ros.training.train import TrainingError, fit

    if options.threads:
        torch.set_num_threads(options.threads)
    team = distributed.join(options.device)
    speaking = progress.JsonReporter if options.progress == "json" else progress.TerminalReporter
    reporter = speaking() if team.leads else progress.SilentReporter()
    recipe = _recipe(options)
    training, validation, facts = _data(options, recipe)
    facts |= {"device": team.device.type, "processes": team.size}
    init_from = None
    if options.init_from:
        init_from = model_file.find(options.init_from)
        facts["init_from"] = model_file.identify(init_from)
    folder = options.resume or team.told(_new_folder(options, recipe, facts) if team.leads else None)
    # A program that stops the run asks with SIGTERM. From here on that ends the same way as Ctrl-C; before, at once.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        reporter.start({"folder": str(folder), "network": recipe.network, "epochs": recipe.epochs, **facts})
        fit(recipe, training, validation, folder, reporter, init_from, team)
        if team.leads:
            _judge(folder, validation, reporter)
        distributed.leave()
        if team.size > 1:
            # Threads of gloo may still hold tensors: they abort a process that takes Python apart (pytorch #179291).
            end_now(0)
    except KeyboardInterrupt:
        reporter.close()
        stop_now(f"fer-train: stopped; go on with: fer-train --resume {folder}")
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        raise TrainingError(
            f"{folder} cannot be written: {error.strerror}; what earlier epochs wrote is intact. Make room, then go on "
            f"with: fer-train --resume {folder}"
        ) from error
    return 0


def _recipe(options: argparse.Namespace) -> Recipe:
    from fer_ros.training import recipe as recipes
    from fer_ros.training import run_folder

    if options.resume and not options.recipe:
        recipe = recipes.load(str((options.resume / run_folder.RECIPE).absolute()))
    else:
        recipe = recipes.load(options.recipe or "mini_xception")
    changes = {key: getattr(options, key) for key in ("network", "epochs", "seed") if getattr(options, key) is not None}
    return dataclasses.replace(recipe, **changes)


def _data(options: argparse.Namespace, recipe: Recipe) -> tuple[FaceImages, FaceImages, dict]:
    """Training images, validation images, and what is worth knowing about them."""
    from fer_ros.datasets import registry
    from fer_ros.training import run_folder

    begun = {} if options.data else run_folder.read_json(options.resume / run_folder.RUN)
    sources = options.data or begun["data"]
    reading = {key: True for key in ("by_speaker", "skip_faulty") if getattr(options, key) or begun.get(key)}
    images = registry.read(sources, recipe.preprocessing.input_size, **reading)
    training, validation = images.for_training(recipe.seed)
    # A picture seen in training would be recognized, not judged.
    repeated = training.also_in(validation)
    training = training.take(~repeated)
    training.check_every_label(" ".join(map(str, sources)))
    return training, validation, {
        "data": [str(path) for path in registry.paths_of(sources)],
        "training_images": len(training),
        "validation_images": len(validation),
        "duplicates_left_out": int(repeated.sum()),
        **reading,
    }  # fmt: skip


def _new_folder(options: argparse.Namespace, recipe: Recipe, facts: dict) -> Path:
    """The run's folder, with its recipe and surroundings written down."""
    from fer_ros.training import recipe as recipes
    from fer_ros.training import run_folder

    name = Path(options.recipe or recipe.network).stem
    folder = options.output or Path("out/training") / time.strftime(f"{name}-%Y%m%d-%H%M%S")
    if (folder / run_folder.RUN).exists():
        raise FileExistsError(f"{folder} already holds a run: give --resume {folder}, or another --output")
    folder.mkdir(parents=True, exist_ok=True)
    recipes.save(folder / run_folder.RECIPE, recipe)
    run_folder.write_json(folder / run_folder.RUN, {**facts, "seed": recipe.seed, **run_folder.environment()})
    return folder


def _judge(folder: Path, validation: FaceImages, reporter: ProgressReporter) -> None:
    """Evaluates the best model as the node will run it, and leaves numbers, pictures and a page beside it."""
    from fer_ros.emotion.classifier import Classifier
    from fer_ros.evaluation import metrics, plots, report
    from fer_ros.training import run_folder

    classifier = Classifier((folder / run_folder.BEST).absolute())
    scores = metrics.scores(classifier, validation)
    result = metrics.measure(scores, metrics.targets_for(classifier.labels, validation), classifier.labels)
    run_folder.write_json(folder / run_folder.EVALUATION, result.to_dict())
    run_folder.write_confusion_matrix(folder, scores, validation)
    plots.reliability(folder / run_folder.RELIABILITY, result.reliability, "validation images")
    report.write_report(
        folder / run_folder.REPORT,
        classifier,
        result,
        {"split": "validation", **run_folder.read_json(folder / run_folder.RUN)},
        confusion_matrix=folder / run_folder.CONFUSION_MATRIX,
        reliability=folder / run_folder.RELIABILITY,
        curves=folder / run_folder.CURVES,
    )
    reporter.end(
        {
            "model": str(folder / run_folder.BEST),
            "best_epoch": classifier.metadata.scores["validation"]["epoch"],
            "accuracy": result.accuracy,
            "macro_f1": result.macro_f1,
            "ece": result.ece,
        }
    )


if __name__ == "__main__":
    sys.exit(main())
