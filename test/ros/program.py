# SPDX-License-Identifier: Apache-2.0
"""Runs an installed program of the package in a separate process."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from ament_index_python.packages import get_package_prefix


def _restore_signals() -> None:
    for number in (signal.SIGINT, signal.SIGHUP):  # ignored in the background of a shell, and under nohup
        signal.signal(number, signal.SIG_DFL)


class Program:
    """A running program.

    Args:
        name: of the executable.
        arguments: of the command line.
        log: file that gets its output.
        prefix: command that runs the program; it must replace itself by it.
    """

    def __init__(self, name: str, *arguments: str, log: Path, prefix: Sequence[str] = ()):
        self._log = log
        command = [*prefix, str(Path(get_package_prefix("fer_ros"), "lib", "fer_ros", name)), *arguments]
        with log.open("wb") as output:
            # As started from an interactive shell: no signal is ignored, and output appears at once.
            self._process = subprocess.Popen(
                command,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
                preexec_fn=_restore_signals,
            )

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_) -> None:
        try:
            # SIGKILL would leave its shared memory behind.
            self.end(signal.SIGINT, deadline=20)
        except subprocess.TimeoutExpired:
            self.kill()

    @property
    def output(self) -> str:
        """Output so far."""
        return self._log.read_text(errors="replace")

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def runs(self) -> bool:
        """Whether it is running."""
        return self._process.poll() is None

    def kill(self) -> None:
        """End it by SIGKILL, which leaves its shared memory behind."""
        self._process.kill()
        self._process.wait()

    def end(self, by: signal.Signals | None = None, deadline: float = 60.0) -> int:
        """Send the signal `by`, if one is given, and return the exit status."""
        if by:
            self._process.send_signal(by)
        return self._process.wait(deadline)
