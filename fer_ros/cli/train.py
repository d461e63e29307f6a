# SPDX-License-Identifier: Apache-2.0
"""fer-train: train a network and write a model file that the emotion node loads."""

from __future__ import annotations

import argparse
import contextlib
import errno
import functools
import logging
import shlex
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fer_ros.cli.errors import end_now, one_line_errors, stop_now
from fer_ros.cli.options.common import command_parser
from fer_ros.cli.options.data import add_data_options, data_options
from fer_ros.files import check_writable

if TYPE_CHECKING:
    from fer_ros.datasets.face_images import FaceImages
    from fer_ros.training.data import TrainingData
    from fer_ros.training.distributed import ProcessGroup
    from fer_ros.training.progress import ProgressReporter
    from fer_ros.training.recipe import StagedRecipe

_log = logging.getLogger(__name__)

DEFAULT_RECIPE = "mini_xception_one_cycle"
_EXAMPLES = """\
examples:
  fer-train --data fer2013.csv                         50 epochs of mini-Xception, into out/training/
  fer-train --data faces/ --recipe my_recipe.yaml      images in a folder per emotion, your own recipe
  fer-train --data a.npz b.npz --epochs 3 --seed 1     two array files, a short run
  fer-train --data mine/ --init-from mini_xception     fine-tune a shipped model for other people or another camera
  fer-train --data a.npz --recipe mini_xception        all stages that produced the shipped model
  fer-train --resume out/training/mini_xception-...    continue an interrupted run

Ctrl-C stops a run; its best model so far and a checkpoint stay.
"""

_STOPPING = 5.0
"""Seconds that a resumed run waits for its predecessor, which may still be writing."""
_RUNS = Path("out/training")
"""Folder of the runs without --output."""
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Error numbers of a full disk and of an exhausted quota."""


def parser() -> argparse.ArgumentParser:
    command_line = command_parser(
        "fer-train",
        "Train a network on the split 'training' of labeled faces; keep the best epoch on 'public' or held-out images.",
        _EXAMPLES,
    )
    add_data_options(command_line, required=False)
    add = command_line.add_argument
    add("--recipe", help=f"name of a shipped recipe, or a .yaml file (default: {DEFAULT_RECIPE})")
    add("--network", help="replace the recipe's network; not possible for a recipe with stages")
    add("--epochs", type=int, help="replace the recipe's number of epochs, in every stage")
    add("--seed", type=int, help="replace the recipe's seed, in every stage")
    add(
        "--hold-out",
        type=float,
        metavar="N",
        help="replace the recipe's hold_out: choose the best epoch on this number, or share below 1, of the training "
        "images instead of on the split 'public'",
    )
    add("--init-from", metavar="MODEL", help="start from the weights of this model; with stages, the first one does")
    add("--output", type=Path, metavar="FOLDER", help="default: out/training/<recipe>-<time>")
    add("--resume", type=Path, metavar="FOLDER", help="continue the run in this folder")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto", help="auto: a GPU if there is one, else the CPU")
    add("--threads", type=int, help="CPU threads (default: one per core)")
    add("--progress", choices=("terminal", "json"), default="terminal", help="json: one object per line, for programs")
    return command_line


@one_line_errors("fer-train")
def main(arguments: list[str] | None = None) -> int:
    command_line = parser()
    options = command_line.parse_args(arguments)
    if not options.resume and not options.data:
        command_line.error("--data is required to start a run")
    if options.resume and options.output:
        command_line.error("--output cannot be combined with --resume: a resumed run stays in its folder")
    if options.resume and options.init_from:
        command_line.error("--init-from cannot be combined with --resume: a resumed run has its own weights")
    if options.threads is not None and options.threads < 1:
        command_line.error("--threads must be 1 or more")
    _check_paths(options)
    return _train(options)


def _check_paths(options: argparse.Namespace) -> None:
    """Check that the named files exist before torch is imported, which takes seconds.

    Raises:
        DataError: there is no such data.
        FileNotFoundError: there is no such recipe or run.
        OSError: the folder of the run cannot be written.
    """
    from fer_ros import resources
    from fer_ros.datasets import registry
    from fer_ros.training import run_folder

    if options.resume:
        run = options.resume / run_folder.RUN
        if not run.is_file():
            raise FileNotFoundError(f"{options.resume} is not the folder of a training run: it has no {run_folder.RUN}")
        stage = run_folder.read_json(run).get("stage")
        if stage:
            raise FileNotFoundError(
                f"{options.resume} is the stage '{stage}' of a run; resume the run: "
                f"--resume {_quoted(options.resume.parent)}"
            )
    check_writable(options.resume or options.output or _RUNS)
    if options.recipe:
        resources.find("recipes", options.recipe, (".yaml", ".yml"))
    if options.data:
        registry.paths_of(options.data)


def _train(options: argparse.Namespace) -> int:
    import torch

    from fer_ros.emotion import model_file
    from fer_ros.training import distributed, progress, run_folder, stages
    from fer_ros.training.data import read_training_data

    if options.threads:
        torch.set_num_threads(options.threads)
    group = distributed.init_process_group(options.device)
    main_reporter = progress.JsonReporter if options.progress == "json" else progress.TerminalReporter
    reporter = main_reporter() if group.is_main else progress.SilentReporter()
    recipe = _recipe(options)
    stored = run_folder.read_json(options.resume / run_folder.RUN) if options.resume else {}
    known = {} if options.data else stored
    reading = {name: value or known.get(name, value) for name, value in data_options(options).items()}
    # All stages hold out the same validation images: those that the seed of the first stage draws.
    first, sources = recipe.stages[0].recipe, options.data or stored["data"]
    read_data = functools.cache(lambda size: read_training_data(sources, size, first.seed, reading, first.hold_out))
    data = read_data(recipe.stages[0].recipe.preprocessing.input_size)
    stages.check(recipe, data.training.labels)
    name = _run_name(options) if not options.resume else stored.get("recipe", options.resume.name)
    facts: dict[str, Any] = {"recipe": name, "device": group.device.type, "processes": group.size}
    init_from = model_file.find(options.init_from) if options.init_from else None
    if init_from:
        facts["init_from"] = model_file.identify(init_from)
        facts["init_from_file"] = str(init_from.absolute())
    recipe = _without_missing_votes(recipe, data.training)
    with contextlib.ExitStack() as locks:
        new_folder: Path | None = None
        if group.is_main and options.resume:
            locks.enter_context(run_folder.lock(options.resume, _STOPPING))
        elif group.is_main:
            new_folder = _new_folder(options, recipe, {**data.facts, **facts}, locks)
        folder = options.resume or group.broadcast(new_folder)
        assert folder is not None
        return _run_stages(recipe, folder, read_data, facts, reporter, init_from, group)


def _without_missing_votes(recipe: StagedRecipe, training: FaceImages) -> StagedRecipe:
    """Return the recipe with `crowd_weight` 0 where no training image has crowd votes, with a warning."""
    if training.count_with_votes() or not any(stage.recipe.crowd_weight for stage in recipe.stages):
        return recipe
    _log.warning("the recipe has a 'crowd_weight', but the data has no crowd votes: it is set to 0")
    return recipe.with_overrides(crowd_weight=0.0)


def _run_stages(
    recipe: StagedRecipe,
    folder: Path,
    read_data: Callable[[int], TrainingData],
    facts: dict[str, Any],
    reporter: ProgressReporter,
    init_from: Path | None,
    group: ProcessGroup,
) -> int:
    from fer_ros.training import distributed, stages
    from fer_ros.training.train import TrainingError

    # A program stops the run with SIGTERM: from here on that does the same as Ctrl-C, before it ends the process.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        stages.run(recipe, folder, read_data, facts, reporter, init_from=init_from, group=group)
        distributed.destroy_process_group()
        if group.size > 1:
            # Threads of gloo can still hold tensors and abort the interpreter's shutdown (pytorch #179291).
            end_now(0)
    except KeyboardInterrupt:
        reporter.close()
        stop_now(f"fer-train: stopped; continue with: fer-train --resume {_quoted(folder)}")
    except OSError as error:
        if error.errno not in _DISK_FULL:
            raise
        raise TrainingError(
            f"{folder} cannot be written: {error.strerror}; the results of earlier epochs are intact. Free disk space, "
            f"then continue with: fer-train --resume {_quoted(folder)}"
        ) from error
    return 0


def _quoted(folder: Path) -> str:
    """Return a path as a word for the shell."""
    return shlex.quote(str(folder))


def _recipe(options: argparse.Namespace) -> StagedRecipe:
    from fer_ros.training import recipe as recipes
    from fer_ros.training import run_folder

    if options.resume and not options.recipe:
        recipe = recipes.load(str((options.resume / run_folder.RECIPE).absolute()))
    else:
        recipe = recipes.load(options.recipe or DEFAULT_RECIPE)
    overrides = {key: getattr(options, key) for key in ("network", "epochs", "seed", "hold_out")}
    return recipe.with_overrides(**{key: value for key, value in overrides.items() if value is not None})


def _run_name(options: argparse.Namespace) -> str:
    """Return the name of the recipe of a new run."""
    return Path(options.recipe or DEFAULT_RECIPE).stem


def _new_folder(
    options: argparse.Namespace, recipe: StagedRecipe, facts: dict[str, Any], locks: contextlib.ExitStack
) -> Path:
    """Create and lock the run's folder, and write its recipe and `run.json`."""
    from fer_ros.training import recipe as recipes
    from fer_ros.training import run_folder

    folder: Path = options.output or run_folder.create(_RUNS / time.strftime(f"{_run_name(options)}-%Y%m%d-%H%M%S"))
    folder.mkdir(parents=True, exist_ok=True)
    locks.enter_context(run_folder.lock(folder))
    if (folder / run_folder.RUN).exists():
        raise FileExistsError(
            f"{folder} already holds a run: continue it with --resume {_quoted(folder)}, or change --output"
        )
    recipes.save(folder / run_folder.RECIPE, recipe)
    names = {"stages": [stage.name for stage in recipe.stages]} if recipe.has_stages else {}
    seed = recipe.stages[0].recipe.seed
    run_folder.write_json(folder / run_folder.RUN, {**facts, **names, "seed": seed, **run_folder.environment()})
    return folder


if __name__ == "__main__":
    sys.exit(main())
