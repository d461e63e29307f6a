# SPDX-License-Identifier: Apache-2.0
"""Run fer-train in a child process, so that a crash or an out-of-memory kill does not end the node."""

from __future__ import annotations

import contextlib
import json
import queue
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from fer_ros.child_process import ChildProcess
from fer_ros.text import printable

STOP_GRACE = 10.0
"""Seconds between SIGTERM and SIGKILL."""
_POLL_PERIOD = 0.1
"""Seconds."""
_MAX_REASON = 2000
"""Characters."""
_ERROR_PREFIX = "fer-train: error: "


class TrainingProcess(ChildProcess):
    """fer-train with JSON events. It ends by itself within seconds after this process has ended.

    Args:
        arguments: of fer-train.
        nice: niceness, 0 to 19.

    Raises:
        OSError: the process cannot be started.
    """

    def __init__(self, arguments: Sequence[str], nice: int):
        self._events: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        fer_train = [sys.executable, "-m", "fer_ros.cli.train", "--progress", "json", *arguments]
        super().__init__(
            "fer-train",
            ["nice", "-n", str(nice), *fer_train],
            stdout=True,
            on_line=self._put_event,
            on_end=lambda: self._events.put(None),
        )

    def __enter__(self) -> TrainingProcess:
        return self

    def events(self) -> Iterator[dict[str, Any] | None]:
        """Yield the events of `fer_ros.training.progress.JsonReporter` until the process ends; None while idle."""
        while True:
            try:
                event = self._events.get(timeout=_POLL_PERIOD)
            except queue.Empty:
                yield None
                continue
            if event is None:
                return
            yield event

    @property
    def failure(self) -> str:
        """Why the process ended, or an empty string after success; waits for the end of the process."""
        self.wait()
        if self.status == 0:
            return ""
        errors = [line for line in self.last_lines if line.startswith(_ERROR_PREFIX)]
        if errors:
            return printable(errors[-1].removeprefix(_ERROR_PREFIX), _MAX_REASON)
        last_line = f": {printable(self.last_lines[-1], _MAX_REASON)}" if self.last_lines else ""
        return f"the training process {self.exit_reason}{last_line}"

    def _put_event(self, line: str) -> bool:
        """Queue a line that is an event; return whether it was one."""
        if not line.startswith('{"event":'):
            return False
        with contextlib.suppress(ValueError):
            self._events.put(json.loads(line))
            return True
        return False
