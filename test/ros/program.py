"""A program of the package as a process of its own, as a robot runs it."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

from ament_index_python.packages import get_package_prefix


class Program:
    """An installed executable, started with what would follow its name on the command line."""

    def __init__(self, name: str, *arguments: str, log: Path):
        self._log = log
        command = [str(Path(get_package_prefix("fer_ros"), "lib", "fer_ros", name)), *arguments]
        with log.open("wb") as output:
            # As a child of an interactive shell has it: Ctrl-C is heard, and what is printed appears at once.
            self._process = subprocess.Popen(
                command,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
                restore_signals=True,
            )

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_) -> None:
        try:
            # Killed, it would leave its shared memory behind.
            self.end(signal.SIGINT, deadline=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def output(self) -> str:
        """What it has printed so far."""
        return self._log.read_text(errors="replace")

    @property
    def pid(self) -> int:
        """Of its process."""
        return self._process.pid

    @property
    def runs(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.poll() is None

    def end(self, by: signal.Signals | None = None, deadline: float = 60.0) -> int:
        """Its exit status, after the signal `by` if one is given."""
        if by:
            self._process.send_signal(by)
        return self._process.wait(deadline)
