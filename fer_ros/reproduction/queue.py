# SPDX-License-Identifier: Apache-2.0
"""Run experiments side by side in child processes; all progress is in the folders of their runs."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fer_ros.child_process import ChildProcess, stop_all
from fer_ros.reproduction import results
from fer_ros.reproduction.experiments import Experiment
from fer_ros.training import run_folder

STOP_GRACE = 10.0
"""Seconds between SIGTERM and SIGKILL."""
_POLL_PERIOD = 0.1
"""Seconds."""
RESULTS = "results"
"""Folder of the results within that of the runs."""


class ReproductionError(RuntimeError):
    """An experiment failed; the message names it and the reason."""


@dataclass(frozen=True)
class Slot:
    """A place where one experiment runs at a time: a CPU core, or a GPU."""

    environment: Mapping[str, str]
    """Variables that bind a process to it."""


def slots(jobs: int | None = None) -> list[Slot]:
    """Return a slot for each GPU, or without one for each CPU core; at most `jobs`, where given."""
    import torch

    gpus = torch.cuda.device_count()
    if gpus:
        found = [Slot({"CUDA_VISIBLE_DEVICES": str(gpu)}) for gpu in range(gpus)]
    else:
        cores = len(os.sched_getaffinity(0))
        found = [Slot({"OMP_NUM_THREADS": "1"})] * (jobs or cores)
    return found[:jobs]


class Run:
    """The run of one experiment: trained up to a number of epochs, then evaluated.

    Args:
        experiment: the experiment.
        data: paths of its data set.
        folder: of all runs.
        epochs: to stop after, so that a later call continues; None for the whole recipe.
    """

    def __init__(self, experiment: Experiment, data: Sequence[str], folder: Path, epochs: int | None = None):
        self.experiment = experiment
        self.folder = folder / experiment.name
        self._data = data
        self._wanted = min(epochs or experiment.epochs, experiment.epochs)
        self._seconds = [epoch["seconds"] for epoch in run_folder.read_metrics(self.folder)]
        self._child: ChildProcess | None = None
        self._stopped_after_epochs = False
        self.is_evaluating = False
        """Whether the process that was started last evaluates."""
        self.accuracy = 0.0
        """Of the latest epoch, 0..1."""

    @property
    def epochs_done(self) -> int:
        return len(self._seconds)

    @property
    def is_trained(self) -> bool:
        return self.epochs_done >= self._wanted

    @property
    def minutes_left(self) -> float:
        """Estimated from the epochs of this run, or before the first from those of another machine."""
        minutes = sum(self._seconds) / len(self._seconds) / 60 if self._seconds else self.experiment.epoch_minutes
        return max(self._wanted - self.epochs_done, 0) * minutes

    def start(self, slot: Slot, on_epoch: Callable[[Run], None]) -> ChildProcess:
        """Start training, or the evaluation where training is done, and return the process."""

        def on_line(line: str) -> bool:
            event = _event(line)
            if event.get("event") == "epoch":
                self._seconds.append(event["seconds"])
                self.accuracy = event["validation_accuracy"]
                on_epoch(self)
                if self.is_trained and self.epochs_done < self.experiment.epochs and self._child:
                    self._stopped_after_epochs = True
                    self._child.request_stop(STOP_GRACE)
            return bool(event)

        self.is_evaluating = self.is_trained
        command = self._evaluation() if self.is_evaluating else self._training()
        environment = {**os.environ, **slot.environment}
        self._child = ChildProcess(self.experiment.name, command, environment=environment, stdout=True, on_line=on_line)
        return self._child

    def check(self) -> None:
        """Check how the process ended.

        Raises:
            ReproductionError: it failed.
        """
        assert self._child is not None
        if self._child.status and not self._stopped_after_epochs:
            raise ReproductionError(self._child.exit_summary)
        self._stopped_after_epochs = False

    def save_result(self) -> None:
        """Write the result of an evaluated run into the folder of the results."""
        folder = self.folder.parent / RESULTS
        folder.mkdir(exist_ok=True)
        name = self.experiment.name
        results.save(folder / f"{name}.json", results.read_run(self.folder, name))

    def _training(self) -> list[str]:
        command = [sys.executable, "-m", "fer_ros.cli.train", "--progress", "json", "--threads", "1"]
        if (self.folder / run_folder.RUN).is_file():
            return [*command, "--resume", str(self.folder)]
        recipe = ["--recipe", self.experiment.recipe, "--output", str(self.folder)]
        return [*command, *recipe, "--data", *self._data, *self.experiment.options]

    def _evaluation(self) -> list[str]:
        command = [sys.executable, "-m", "fer_ros.cli.evaluate", "--model", str(self.folder), "--split", "validation"]
        output = ["--output", str(self.folder / "evaluation"), "--json", str(self.folder / results.EVALUATION)]
        more = ["--robustness"] if self.experiment.robustness else []
        return [*command, *output, *more, "--profile", "--data", *self._data, *self.experiment.options]


def _event(line: str) -> dict[str, Any]:
    """Return an event of fer-train's JSON lines; an empty mapping for any other line."""
    if line.startswith('{"event":'):
        with contextlib.suppress(ValueError):
            event: dict[str, Any] = json.loads(line)
            return event
    return {}


def run_all(
    runs: Iterable[Run], slots: Sequence[Slot], on_epoch: Callable[[Run], None], on_end: Callable[[Run, str], None]
) -> None:
    """Train and evaluate all runs, in their order, as many at a time as there are slots.

    A run that fails does not stop the others. If this process is interrupted, all processes are stopped; those that it
    leaves behind when it is killed end by themselves.

    Args:
        runs: in the order of the queue.
        slots: places to run in.
        on_epoch: called in a reader thread after each epoch of a run.
        on_end: called when a run has been evaluated, or has failed, with the reason or an empty text.
    """
    waiting = list(runs)
    free = list(slots)
    running: list[tuple[Run, Slot, ChildProcess]] = []
    try:
        while waiting or running:
            while waiting and free:
                run, slot = waiting.pop(0), free.pop()
                running.append((run, slot, run.start(slot, on_epoch)))
            time.sleep(_POLL_PERIOD)
            for entry in [entry for entry in running if entry[2].status is not None]:
                running.remove(entry)
                following = _next_step(*entry, on_epoch, on_end)
                if following:
                    running.append((entry[0], entry[1], following))
                else:
                    free.append(entry[1])
    finally:
        stop_all([child for _, _, child in running], STOP_GRACE)


def _next_step(
    run: Run, slot: Slot, ended: ChildProcess, on_epoch: Callable[[Run], None], on_end: Callable[[Run, str], None]
) -> ChildProcess | None:
    """Start the evaluation after the training; report the end after the evaluation or a failure."""
    ended.wait()
    try:
        run.check()
        if not run.is_evaluating:
            return run.start(slot, on_epoch)
        run.save_result()
    except (ReproductionError, run_folder.RunFolderError, OSError) as error:
        on_end(run, str(error))
        return None
    on_end(run, "")
    return None
