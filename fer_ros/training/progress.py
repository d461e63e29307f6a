# SPDX-License-Identifier: Apache-2.0
"""Progress reporters: what a training run prints, for people or for programs."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from typing import Any, Protocol

from tqdm import tqdm

from fer_ros.training.epoch_record import EpochRecord


class ProgressReporter(Protocol):
    """Receives the events of a run. A run with stages sends `start` to `end` once for each stage."""

    def start(self, facts: dict[str, Any]) -> None:
        """Report that a stage starts or resumes; `facts` name its data, folder and settings."""

    def batch(self, epoch: int, epochs: int, learned: int, total: int) -> None:
        """`learned` of the `total` images of this epoch have been trained on."""

    def epoch(self, record: EpochRecord) -> None:
        """Report that an epoch has ended and its checkpoint is written."""

    def end(self, facts: dict[str, Any]) -> None:
        """Report that the last epoch of a stage has ended; `facts` name its best model and that model's scores."""

    def close(self) -> None:
        """Report that the run was interrupted."""


class SilentReporter:
    """Prints nothing; for all processes of a distributed run but the main one."""

    def start(self, facts: dict[str, Any]) -> None:
        """Ignore the event."""

    def batch(self, epoch: int, epochs: int, learned: int, total: int) -> None:
        """Ignore the event."""

    def epoch(self, record: EpochRecord) -> None:
        """Ignore the event."""

    def end(self, facts: dict[str, Any]) -> None:
        """Ignore the event."""

    def close(self) -> None:
        """Ignore the event."""


class TerminalReporter:
    """Prints a progress bar with images/s and remaining time during an epoch, and a line for each epoch."""

    def __init__(self) -> None:
        self._bar: tqdm | None = None

    def start(self, facts: dict[str, Any]) -> None:
        self._print(facts)
        print(f"\n{'epoch':>9}  {'rate':>7}  training loss, accuracy  validation loss, accuracy   images/s", flush=True)

    def batch(self, epoch: int, epochs: int, learned: int, total: int) -> None:
        if self._bar is None:
            self._bar = tqdm(
                desc=f"{epoch:4d}/{epochs}",
                total=total,
                unit=" images",
                leave=False,
                disable=not sys.stderr.isatty(),  # a log file would get one line per update
            )
        self._bar.update(learned - self._bar.n)

    def epoch(self, record: EpochRecord) -> None:
        self.close()
        print(
            f"{record.epoch:4d}/{record.epochs:<4d}  {record.learning_rate:7.4f}  "
            f"{record.training_loss:13.4f}  {100 * record.training_accuracy:6.2f} %  "
            f"{record.validation_loss:15.4f}  {100 * record.validation_accuracy:6.2f} %"
            f"{' *' if record.best else '  '}  {record.images_per_second:7.0f}",
            flush=True,
        )

    def end(self, facts: dict[str, Any]) -> None:
        print()
        self._print(facts)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _print(self, facts: dict[str, Any]) -> None:
        for name, value in facts.items():
            print(f"{name.replace('_', ' '):{_NAME_WIDTH}} {_shown(value)}", flush=True)


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(each)}" for name, each in value.items())
    if isinstance(value, list):
        return ", ".join(value)
    return f"{value:.4f}" if isinstance(value, float) else str(value)


_NAME_WIDTH = 26
"""Characters of the names of facts."""


_BATCH_PERIOD = 1.0
"""Seconds between two `batch` events."""


class JsonReporter:
    """Prints one JSON object per line: `{"event": "start" | "batch" | "epoch" | "end", ...}`.

    Raises:
        BrokenPipeError: from every method, when the reading program has ended.
    """

    def __init__(self) -> None:
        self._written_at = time.monotonic()

    def start(self, facts: dict[str, Any]) -> None:
        self._write("start", facts)

    def batch(self, epoch: int, epochs: int, learned: int, total: int) -> None:
        # Also detects, within a second, that the reading program has ended.
        if time.monotonic() - self._written_at >= _BATCH_PERIOD:
            self._write("batch", {"epoch": epoch, "epochs": epochs, "learned": learned, "total": total})

    def epoch(self, record: EpochRecord) -> None:
        self._write("epoch", asdict(record))

    def end(self, facts: dict[str, Any]) -> None:
        self._write("end", facts)

    def close(self) -> None:
        """Print nothing: the exit code says that the run was interrupted."""

    def _write(self, event: str, content: dict[str, Any]) -> None:
        print(json.dumps({"event": event, **content}), flush=True)
        self._written_at = time.monotonic()
