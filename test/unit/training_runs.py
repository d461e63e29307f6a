# SPDX-License-Identifier: Apache-2.0
"""Runs of fer-train in the process of the tests, and what they leave behind."""

import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from running import running

from fer_ros.cli import train
from fer_ros.training import checkpoint
from fer_ros.training.run_folder import CHECKPOINT


def fer_train(*arguments):
    return train.main([*map(str, arguments), "--threads", "1"])


def error_of(capsys, *arguments):
    """Return the single error line that fer-train prints before it exits with 2."""
    assert fer_train(*arguments) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("fer-train: error: ")
    return lines[0]


def averaged_weights(folder):
    return checkpoint.read(folder / CHECKPOINT)["average"]


TIMES = ("seconds", "images_per_second", "user_seconds", "system_seconds", "peak_memory_bytes")


def without_times(folder):
    records = checkpoint.read(folder / CHECKPOINT)["records"]
    return [{k: v for k, v in record.items() if k not in TIMES} for record in records]


def with_test_modules() -> dict[str, str]:
    """Return the environment of a process that can import the modules beside the tests."""
    path = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONPATH": path}


def start_python(program: str, *arguments: object) -> AbstractContextManager[subprocess.Popen[str]]:
    """Start a Python program that can import the modules beside the tests; see `running`."""
    return running([sys.executable, "-c", program, *map(str, arguments)], env=with_test_modules())


class StoppingOutput(io.StringIO):
    """Standard output that sends a signal to this process, as another process might, once after one of its lines.

    Args:
        number: of the signal.
        is_last: whether the signal follows the output so far.
    """

    def __init__(self, number: signal.Signals, is_last: Callable[[str], bool]):
        super().__init__()
        self._number = number
        self._is_last = is_last
        self._sent = False

    def write(self, text: str) -> int:
        written = super().write(text)
        if not self._sent and text.endswith("\n") and self._is_last(self.getvalue()):
            self._sent = True
            signal.raise_signal(self._number)
        return written
