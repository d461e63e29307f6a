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

    @property
    def is_evaluated(self) -> bool:
        """Whether the best of all epochs that this run is to have has been evaluated."""
        try:
            return self.is_trained and results.read_run(self.folder, self.experiment.name).epochs >= self.epochs_done
        except (run_folder.RunFolderError, OSError):
            return False

    def start(self, slot: Slot) -> ChildProcess:
        """Start training, or the evaluation where training is done, and return the process."""

        def on_line(line: str) -> bool:
            event = _event(line)
            if event.get("event") == "epoch":
                self.accuracy = event["validation_accuracy"]
                self._seconds.append(event["seconds"])
                if self.is_trained and self.epochs_done < self.experiment.epochs:
                    self._stopped_after_epochs = True
                    self.insist_on_stop()
            return bool(event)

        self.is_evaluating = self.is_trained
        command = self._evaluation() if self.is_evaluating else self._training()
        environment = {**os.environ, **slot.environment}
        self._child = ChildProcess(self.experiment.name, command, environment=environment, stdout=True, on_line=on_line)
        return self._child

    def insist_on_stop(self) -> None:
        """Ask the process to stop if its epochs are done; kill it if it still runs when the grace is over."""
        if self._stopped_after_epochs and self._child:
            self._child.request_stop(STOP_GRACE)

    def check(self) -> None:
        """Check how the process ended.

        Raises:
            ReproductionError: it failed.
        """
        assert self._child is not None
        if self._child.status and not self._stopped_after_epochs:
            raise ReproductionError(self._reason())
        self._stopped_after_epochs = False

    def _reason(self) -> str:
        """Return why the process failed: in one line if the command itself says so."""
        assert self._child is not None
        summary = self._child.exit_summary
        _, is_error, reason = (self._child.last_lines or ("",))[-1].partition(": error: ")
        return f"{self.experiment.name}: {reason}" if is_error else summary

    def _training(self) -> list[str]:
        command = [sys.executable, "-m", "fer_ros.cli.train", "--progress", "json", "--threads", "1"]
        is_begun = (self.folder / run_folder.RUN).is_file()
        new = ["--recipe", self.experiment.recipe, "--output", str(self.folder)]
        run = ["--resume", str(self.folder)] if is_begun else new
        # Also of a resumed run: its data may have moved.
        return [*command, *run, "--data", *self._data, *self.experiment.options]

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

    A run that fails does not stop the others. If this process is interrupted, or one of the functions raises, all
    processes are stopped; those that it leaves behind when it is killed end by themselves.

    Args:
        runs: in the order of the queue.
        slots: places to run in.
        on_epoch: called when a run has done one epoch or more.
        on_end: called when a run has been evaluated, or has failed, with the reason or an empty text.
    """
    waiting = list(runs)
    free = list(slots)
    running: list[tuple[Run, Slot, ChildProcess]] = []
    epochs = {run: run.epochs_done for run in waiting}
    try:
        while waiting or running:
            while waiting and free:
                run = waiting.pop(0)
                if run.is_evaluated:
                    on_end(run, "")
                else:
                    slot = free.pop()
                    running.append((run, slot, run.start(slot)))
            time.sleep(_POLL_PERIOD)
            for run, _, _ in running:
                run.insist_on_stop()
            ended = [entry for entry in running if entry[2].status is not None]
            for _, _, child in ended:
                child.wait()
            for run in [run for run, _, _ in running if run.epochs_done > epochs[run]]:
                epochs[run] = run.epochs_done
                on_epoch(run)
            for run, slot, child in ended:
                running.remove((run, slot, child))
                following = _next_step(run, slot, on_end)
                if following:
                    running.append((run, slot, following))
                else:
                    free.append(slot)
    finally:
        stop_all([child for _, _, child in running], STOP_GRACE)


def _next_step(run: Run, slot: Slot, on_end: Callable[[Run, str], None]) -> ChildProcess | None:
    """Start the evaluation after the training; report the end after the evaluation or a failure."""
    try:
        run.check()
        if not run.is_evaluating:
            return run.start(slot)
        results.read_run(run.folder, run.experiment.name)
    except (ReproductionError, run_folder.RunFolderError, OSError) as error:
        on_end(run, str(error))
        return None
    on_end(run, "")
    return None
