# SPDX-License-Identifier: Apache-2.0
"""A child process that keeps the last lines of its output, explains its exit, and is stopped with escalation."""

from __future__ import annotations

import contextlib
import ctypes
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Self

STOP_GRACE = 20.0
"""Seconds between SIGTERM and SIGKILL."""
_KILL_TIMEOUT = 5.0
"""Seconds to wait for a killed process, which can be stuck in an uninterruptible system call."""
_POLL_PERIOD = 0.05
"""Seconds."""
_READER_TIMEOUT = 1.0
"""Seconds to wait for the last output after the exit: a grandchild can hold the pipe open."""
_LAST_LINES = 20
_PR_SET_PDEATHSIG = 1
"""Of linux/prctl.h."""


class ChildProcess:
    """A running command in a new session, so that Ctrl-C in the terminal does not reach it.

    As a context manager it kills the process on exit, if it still runs.

    Args:
        name: of the process, for `exit_summary`.
        command: program and arguments.
        environment: complete environment of the process; None inherits this process's.
        stdout: read standard output as well as standard error; otherwise the process shares this process's.
        on_line: called in the reader thread with each line, without its line break; a line for which it returns True
            is not kept in `last_lines`.
        on_end: called in the reader thread after the last line.
        ends_with_parent: let Linux send SIGTERM when the thread that starts the process ends, for whatever reason.

    Raises:
        OSError: the command cannot be started.

    Example:
        >>> import sys
        >>> child = ChildProcess("probe", [sys.executable, "-c", "import sys; sys.exit('no camera')"])
        >>> child.wait(30.0)
        True
        >>> print(child.exit_summary)
        probe exited with status 1; its last output:
          no camera
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        stdout: bool = False,
        on_line: Callable[[str], bool | None] | None = None,
        on_end: Callable[[], None] | None = None,
        ends_with_parent: bool = False,
    ) -> None:
        self.name = name
        self._on_line = on_line
        self._on_end = on_end
        self._last_lines: deque[str] = deque(maxlen=_LAST_LINES)
        self._terminated_at: float | None = None
        self._process = subprocess.Popen(
            list(command),
            env=None if environment is None else dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if stdout else None,
            stderr=subprocess.STDOUT if stdout else subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
            preexec_fn=_end_with_parent if ends_with_parent else None,
        )
        self._reader = threading.Thread(target=self._read, name=f"output of {name}", daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.kill()
        self.wait(_KILL_TIMEOUT)

    @property
    def status(self) -> int | None:
        """Exit status, negative for the signal that ended the process; None while it runs."""
        return self._process.poll()

    @property
    def last_lines(self) -> tuple[str, ...]:
        """Last lines of output, at most 20, without those that `on_line` consumed."""
        return tuple(self._last_lines)

    @property
    def exit_reason(self) -> str:
        """How the process ended: its exit status or signal."""
        status = self.status
        if status is None:
            return "is still running"
        if status >= 0:
            return f"exited with status {status}"
        reason = f"was killed by signal {-status} ({signal.Signals(-status).name})"
        if -status == signal.SIGKILL:
            reason += ", which the system also sends when memory runs out"
        return reason

    @property
    def exit_summary(self) -> str:
        """Name, exit status or signal, and the last lines of output."""
        self._reader.join(_READER_TIMEOUT)
        summary = f"{self.name} {self.exit_reason}"
        if self._last_lines:
            summary += "; its last output:" + "".join(f"\n  {line}" for line in self._last_lines)
        return summary

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the process and its last output, at most `timeout` seconds; return whether it has ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout)
            self._reader.join(_READER_TIMEOUT)
        return self.status is not None

    def request_stop(self, grace: float = STOP_GRACE) -> None:
        """Send SIGTERM once, and SIGKILL when called again more than `grace` seconds later; return at once.

        SIGINT is not used: a Python that is still importing modules reacts with a traceback, or not at all.
        """
        now = time.monotonic()
        if self.status is not None:
            return
        if self._terminated_at is None:
            self._terminated_at = now
            self._process.terminate()
        elif now - self._terminated_at > grace:
            self._process.kill()

    def stop(self, grace: float = STOP_GRACE) -> None:
        """Stop the process with SIGTERM, and with SIGKILL after `grace` seconds; return when it has ended."""
        stop_all([self], grace)

    def _read(self) -> None:
        stream = self._process.stdout or self._process.stderr
        assert stream is not None
        for line in stream:
            text = line.rstrip("\n")
            if not (self._on_line and self._on_line(text)):
                self._last_lines.append(text)
        if self._on_end:
            self._on_end()


def _end_with_parent() -> None:
    with contextlib.suppress(OSError, AttributeError):  # not Linux
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def stop_all(processes: Sequence[ChildProcess], grace: float = STOP_GRACE) -> None:
    """Stop several processes side by side, as `ChildProcess.stop` does."""
    deadline = time.monotonic() + grace + _KILL_TIMEOUT
    while running := [process for process in processes if process.status is None]:
        for process in running:
            process.request_stop(grace)
        if time.monotonic() > deadline:
            break
        time.sleep(_POLL_PERIOD)
    for process in processes:
        process.wait(0.0)
