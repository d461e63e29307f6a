"""What a training run leaves behind, in one folder.

    recipe.yaml      the recipe as it was run
    run.json         data, command, versions, machine, seed: what one needs to repeat or resume it
    metrics.csv      one row per epoch
    curves.png       the same as curves
    best.pt          the best model so far, ready to serve
    checkpoint.pth   where to resume
    confusion_matrix.png     that model on the validation images
    evaluation.json, reliability.png, report.html     once the run has ended: the same in numbers, how far its
                     confidence can be trusted, and everything on one page

Every file appears whole or not at all.
"""

from __future__ import annotations

import csv
import json
import math
import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fer_ros.files import atomic_write

if TYPE_CHECKING:
    import numpy as np

    from fer_ros.datasets.registry import FaceImages

RECIPE = "recipe.yaml"
RUN = "run.json"
METRICS = "metrics.csv"
CURVES = "curves.png"
BEST = "best.pt"
CHECKPOINT = "checkpoint.pth"
EVALUATION = "evaluation.json"
CONFUSION_MATRIX = "confusion_matrix.png"
RELIABILITY = "reliability.png"
REPORT = "report.html"


def write_metrics(folder: Path, records: list[dict[str, Any]]) -> None:
    """Metrics and curves of all epochs so far."""
    from fer_ros.evaluation import plots  # here, so that who only reads a run need not load what draws

    with atomic_write(folder / METRICS) as temporary, temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(records[0]))
        writer.writeheader()
        writer.writerows(records)
    plots.curves(folder / CURVES, records)


def write_confusion_matrix(folder: Path, scores: np.ndarray, validation: FaceImages) -> None:
    """What is taken for what, from (N, classes) `scores` of the validation images."""
    import numpy as np

    from fer_ros.evaluation import plots

    counts = np.zeros((len(validation.labels),) * 2, int)
    np.add.at(counts, (validation.targets, scores.argmax(axis=1)), 1)
    title = f"{100 * counts.trace() / len(validation):.2f} % of {len(validation)} validation images"
    plots.confusion_matrix(folder / CONFUSION_MATRIX, counts, validation.labels, title)


def best_accuracy(folder: Path) -> float:
    """The highest validation accuracy of a run, 0..1; NaN before its first epoch has ended."""
    try:
        with (folder / METRICS).open(newline="") as file:
            return max((float(row["validation_accuracy"]) for row in csv.DictReader(file)), default=math.nan)
    except FileNotFoundError:
        return math.nan


def write_json(path: Path, content: dict[str, Any]) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())


def environment() -> dict[str, Any]:
    """The software and machine that this process runs on."""
    import torch  # here, so that who only reads a run need not load it

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
    """The git commit of this code, "+" where it was changed since; None where it is installed."""
    here = Path(__file__).parent
    try:
        answer = subprocess.run(
            ["git", "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"],
            cwd=here, capture_output=True, text=True, timeout=10,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() or None


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor()
