"""fer-train as a process of its own: started, listened to, stopped, and its end explained."""

from __future__ import annotations

import contextlib
import json
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

PATIENCE = 10.0
"""Seconds that training has to end when it is asked to."""
_PULSE = 0.1
_LAST_LINES = 20
_ERROR = "fer-train: error: "


class TrainingProcess:
    """Training that can crash, and be killed, without harm to whoever started it.

    When the process that started it is gone, it ends by itself as soon as it has something to say.

    Args:
        arguments: of fer-train.
        nice: from 0, like every program, to 19, which runs when nobody else wants to.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(self, arguments: Sequence[str], nice: int):
        self._process = subprocess.Popen(
            ["nice", "-n", str(nice), sys.executable, "-m", "fer_ros.cli.train", "--progress", "json", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            # Out of reach of the terminal's Ctrl-C, which the node hears and passes on in order.
            start_new_session=True,
        )
        self._last_lines: deque[str] = deque(maxlen=_LAST_LINES)
        self._events: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._asked_at: float | None = None
        threading.Thread(target=self._listen, daemon=True).start()

    def __enter__(self) -> TrainingProcess:
        return self

    def __exit__(self, *_) -> None:
        """Leaves nothing behind, whatever has gone wrong here."""
        self._process.kill()

    def events(self) -> Iterator[dict[str, Any] | None]:
        """What it says, as in `fer_ros.training.progress.JsonReporter`, until it has ended; None while it is silent."""
        while True:
            try:
                event = self._events.get(timeout=_PULSE)
            except queue.Empty:
                yield None
                continue
            if event is None:
                return
            yield event

    def stop(self) -> None:
        """Asks it to end; to be called until it has. Past PATIENCE it is not asked any more."""
        if self._asked_at is None:
            self._asked_at = time.monotonic()
            self._process.terminate()
        elif time.monotonic() - self._asked_at > PATIENCE:
            self._process.kill()

    @property
    def failure(self) -> str:
        """Why it has ended, in words, or empty where it has done all it had to; to be read after the last event."""
        status = self._process.wait()
        if status == 0:
            return ""
        if status < 0:
            return f"the training process was killed by signal {-status} ({signal.Signals(-status).name})" + (
                ", which the system also sends when memory runs out" if -status == signal.SIGKILL else ""
            )
        errors = [line for line in self._last_lines if line.startswith(_ERROR)]
        if errors:
            return errors[-1].removeprefix(_ERROR)
        return f"the training process ended with status {status}" + (
            f": {self._last_lines[-1]}" if self._last_lines else ""
        )

    @property
    def last_lines(self) -> str:
        """What it said last, apart from events."""
        return "\n".join(self._last_lines)

    def _listen(self) -> None:
        for line in self._process.stdout:
            event = _event(line)
            if event:
                self._events.put(event)
            else:
                self._last_lines.append(line.rstrip("\n"))
        self._events.put(None)


def _event(line: str) -> dict[str, Any] | None:
    """What fer-train reports; None where `line` is something else."""
    with contextlib.suppress(ValueError):
        if line.startswith('{"event":'):
            return json.loads(line)
    return None
