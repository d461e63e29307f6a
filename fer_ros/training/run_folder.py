"""What a training run leaves behind, in one folder.

    recipe.yaml      the recipe as it was run
    run.json         data, command, versions, machine, seed: what one needs to repeat or resume it
    metrics.csv      one row per epoch
    curves.png       the same as curves
    best.pt          the best model so far, ready to serve
    checkpoint.pth   where to resume
    evaluation.json, confusion_matrix.png     the best model on the validation images, once the run has ended

Every file appears whole or not at all.
"""

from __future__ import annotations

import csv
import json
import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from fer_ros.training import pictures

RECIPE = "recipe.yaml"
RUN = "run.json"
METRICS = "metrics.csv"
CURVES = "curves.png"
BEST = "best.pt"
EVALUATION = "evaluation.json"
CONFUSION_MATRIX = "confusion_matrix.png"


def write_metrics(folder: Path, records: list[dict[str, Any]]) -> None:
    """Metrics and curves of all epochs so far."""
    partial = folder / f".{METRICS}.partial"
    with partial.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(records[0]))
        writer.writeheader()
        writer.writerows(records)
    partial.replace(folder / METRICS)
    pictures.curves(folder / CURVES, records)


def write_json(path: Path, content: dict[str, Any]) -> None:
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(json.dumps(content, indent=1) + "\n")
    partial.replace(path)


def read_json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())


def environment() -> dict[str, Any]:
    """The software and machine that this process runs on."""
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
