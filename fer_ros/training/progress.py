"""Tell a person, or a program, how a training run goes."""

from __future__ import annotations

import json
import sys
import time
from typing import Any, Protocol

from tqdm import tqdm


class ProgressReporter(Protocol):
    """Is told how a run goes."""

    def start(self, facts: dict[str, Any]) -> None:
        """The run begins or goes on; `facts` say with what and where."""

    def batch(self, epoch: int, epochs: int, learned: int, total: int) -> None:
        """`learned` of the `total` images of this epoch have been learned from."""

    def epoch(self, record: dict[str, Any]) -> None:
        """An epoch has ended and its checkpoint is written; `record` is its row of `metrics.csv`."""

    def end(self, facts: dict[str, Any]) -> None:
        """The last epoch is over; `facts` say what came of it."""

    def close(self) -> None:
        """The run was stopped in the middle."""


class SilentReporter:
    """Tells nobody: of several processes that train together, one speaks."""

    def start(self, facts: dict[str, Any]) -> None:
        """Nothing."""

    def batch(self, epoch: int, epochs: int, learned: int, total: int) -> None:
        """Nothing."""

    def epoch(self, record: dict[str, Any]) -> None:
        """Nothing."""

    def end(self, facts: dict[str, Any]) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class TerminalReporter:
    """A bar with images/s and the time left while an epoch runs, and a line for each that is over."""

    def __init__(self):
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
                disable=not sys.stderr.isatty(),  # in a log file a bar is a mess
            )
        self._bar.update(learned - self._bar.n)

    def epoch(self, record: dict[str, Any]) -> None:
        self.close()
        print(
            f"{record['epoch']:4d}/{record['epochs']:<4d}  {record['learning_rate']:7.4f}  "
            f"{record['training_loss']:13.4f}  {100 * record['training_accuracy']:6.2f} %  "
            f"{record['validation_loss']:15.4f}  {100 * record['validation_accuracy']:6.2f} %"
            f"{' *' if record['best'] else '  '}  {record['images_per_second']:7.0f}",
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
            text = f"{value:.4f}" if isinstance(value, float) else value
            print(f"{name.replace('_', ' '):20} {', '.join(text) if isinstance(text, list) else text}", flush=True)


_LINE_EVERY = 1.0
"""Seconds between lines while an epoch runs."""


class JsonReporter:
    """One JSON object a line on standard output: `{"event": "start" | "batch" | "epoch" | "end", ...}`.

    Raises:
        BrokenPipeError: nobody listens any more.
    """

    def __init__(self):
        self._said = time.monotonic()

    def start(self, facts: dict[str, Any]) -> None:
        self._write("start", facts)

    def batch(self, epoch: int, epochs: int, learned: int, total: int) -> None:
        # Who listens learns that it goes on; and this process, that somebody still listens.
        if time.monotonic() - self._said >= _LINE_EVERY:
            self._write("batch", {"epoch": epoch, "epochs": epochs, "learned": learned, "total": total})

    def epoch(self, record: dict[str, Any]) -> None:
        self._write("epoch", record)

    def end(self, facts: dict[str, Any]) -> None:
        self._write("end", facts)

    def close(self) -> None:
        """Says nothing: the process's exit code tells."""

    def _write(self, event: str, content: dict[str, Any]) -> None:
        print(json.dumps({"event": event, **content}), flush=True)
        self._said = time.monotonic()
