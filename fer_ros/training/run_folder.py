# SPDX-License-Identifier: Apache-2.0
"""The files that a training run leaves in its folder.

    recipe.yaml                  the recipe with all overrides
    run.json                     data, command, versions, machine and seed: what is needed to repeat or resume the run
    metrics.csv, curves.png      one row per epoch, and the same as a plot
    best.pt                      model file of the best epoch so far, ready for the node
    checkpoint.pth               state to resume from
    confusion_matrix.png         of that model on the validation images

    and after the last epoch:
    evaluation.json              accuracy, F1, calibration and the confusion matrix of best.pt on the validation images
    reliability.png              reliability diagram, and accuracy against coverage
    confusion_matrix.csv, ..._normalized.csv    the matrix in counts, and in shares of each row
    mistakes.png, right_answers.png             the most confident ones of each class
    report.html                  everything above on one page

A run with stages has such a folder for each stage, named after it. Its own folder holds recipe.yaml and run.json, and
after the last stage best.pt, evaluation.json and report.html of that stage.

Every file is written atomically.
"""

from __future__ import annotations

import contextlib
import csv
import errno
import fcntl
import itertools
import json
import math
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fer_ros.emotion import model_file
from fer_ros.evaluation import file_names
from fer_ros.files import atomic_write

if TYPE_CHECKING:
    import numpy as np

    from fer_ros.datasets.face_images import FaceImages
    from fer_ros.training.epoch_record import EpochRecord

RECIPE = "recipe.yaml"
RUN = "run.json"
METRICS = "metrics.csv"
CURVES = "curves.png"
BEST = model_file.BEST
CHECKPOINT = "checkpoint.pth"
EVALUATION = "evaluation.json"
CONFUSION_MATRIX = file_names.CONFUSION_MATRIX
REPORT = file_names.REPORT

# Libraries that plot or train are imported inside the functions: reading a run needs none of them.


class RunFolderError(ValueError):
    """A run folder that cannot be used; the message names the file or folder and the remedy."""


def create(folder: Path) -> Path:
    """Create a folder that did not exist, and return its path: `folder`, or "<folder>-2" and so on where it exists."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    for number in itertools.count(1):
        path = folder if number == 1 else folder.with_name(f"{folder.name}-{number}")
        with contextlib.suppress(FileExistsError):
            path.mkdir()
            return path
    raise AssertionError


@contextlib.contextmanager
def lock(folder: Path, timeout: float = 0.0) -> Iterator[None]:
    """Lock a run folder, so that no other process trains in it.

    The lock is one of the kernel (flock) on the folder itself: it leaves no file, and ends with the process.

    Args:
        folder: existing folder.
        timeout: seconds to wait for another process, which may be about to end.

    Raises:
        RunFolderError: another process trains in this folder.
    """
    until = time.monotonic() + timeout
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        while not _try_lock(descriptor):
            if time.monotonic() >= until:
                raise RunFolderError(
                    f"{folder} is in use by another training process; wait until it ends, or choose another folder"
                )
            time.sleep(0.1)
        yield
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        # Some network file systems do not lock folders: the run goes on without.
        return error.errno not in (errno.EWOULDBLOCK, errno.EACCES)
    return True


def write_metrics(folder: Path, records: Sequence[EpochRecord]) -> None:
    """Write the table and the plot of all epochs so far."""
    from fer_ros.evaluation import plots

    rows = [asdict(record) for record in records]
    with atomic_write(folder / METRICS) as temporary, temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    plots.curves(folder / CURVES, rows)


def write_confusion_matrix(folder: Path, scores: np.ndarray, validation: FaceImages) -> None:
    """Plot the confusion matrix of (N, classes) `scores` of the validation images."""
    import numpy as np

    from fer_ros.evaluation import plots

    counts = np.zeros((len(validation.labels),) * 2, int)
    np.add.at(counts, (validation.targets, scores.argmax(axis=1)), 1)
    title = f"{100 * counts.trace() / len(validation):.2f} % of {len(validation)} validation images"
    plots.confusion_matrix(folder / CONFUSION_MATRIX, counts.tolist(), validation.labels, title)


def write_evaluation(folder: Path, validation: FaceImages) -> dict[str, Any]:
    """Evaluate the best model as the node runs it; write numbers, plots and the report, and return the main figures."""
    from fer_ros.emotion.classifier import Classifier
    from fer_ros.evaluation import report

    classifier = Classifier((folder / BEST).absolute())
    scored = report.score(classifier, validation)
    result = scored.result
    details = {"split": "validation", **read_json(folder / RUN)}
    report.write_folder(folder, scored, "validation", details, curves=folder / CURVES)
    # Last: this file marks a complete stage.
    write_json(folder / EVALUATION, result.to_dict())
    return {
        "model": str(folder / BEST),
        "best_epoch": classifier.metadata.scores["validation"]["epoch"],
        "accuracy": result.accuracy,
        "macro_f1": result.macro_f1,
        "ece": result.ece,
        "evaluated_images": result.images,
    }


def copy_results(stage: Path, folder: Path) -> None:
    """Copy the model, the evaluation and the report of a complete stage to the folder of its run."""
    for name in (EVALUATION, REPORT, BEST):
        with atomic_write(folder / name) as temporary:
            shutil.copyfile(stage / name, temporary)


def latest_stage(folder: Path) -> Path:
    """Return the folder of the stage that started last; `folder` itself for a run without stages."""
    try:
        names = read_json(folder / RUN).get("stages", [])
    except FileNotFoundError:
        return folder
    return next((folder / name for name in reversed(names) if (folder / name / RUN).is_file()), folder)


def read_metrics(folder: Path) -> list[dict[str, float]]:
    """Return the numbers in `metrics.csv`, a mapping for each epoch; empty before the first epoch has ended.

    Raises:
        RunFolderError: the file is damaged.
    """
    table = folder / METRICS
    try:
        with table.open(newline="") as file:
            rows = list(csv.DictReader(file))
        return [{name: float(value) for name, value in row.items() if name != "best"} for row in rows]
    except FileNotFoundError:
        return []
    except (TypeError, ValueError, csv.Error) as error:
        raise RunFolderError(f"{table} is damaged: {error}") from error


def best_accuracy(folder: Path) -> float:
    """Return the highest validation accuracy in `metrics.csv`, 0..1; NaN before the first epoch has ended."""
    return max((epoch["validation_accuracy"] for epoch in read_metrics(folder)), default=math.nan)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write `content` as indented JSON."""
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file.

    Raises:
        FileNotFoundError: there is no such file.
        RunFolderError: it is damaged.
    """
    try:
        content = json.loads(path.read_text())
    except ValueError as error:
        raise RunFolderError(f"{path} is damaged, it is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise RunFolderError(f"{path} is damaged, it holds no JSON object")
    return content


def environment() -> dict[str, Any]:
    """Return the command, software and hardware of this process."""
    import torch

    versions = {name: _version(name) for name in ("fer-ros", "torch", "numpy", "opencv-python", "scikit-learn")}
    return {
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "python": platform.python_version(),
        "versions": {name: version for name, version in versions.items() if version},
        "revision": _revision(),
        "platform": platform.platform(),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
    }


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _revision() -> str | None:
    """Return the git commit of this code, followed by "+" for uncommitted changes; None outside a repository."""
    command = ["git", "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"]
    try:
        ended = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return ended.stdout.strip() or None


def _cpu() -> str:
    """Return the processor's model name."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor()
