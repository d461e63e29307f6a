# SPDX-License-Identifier: Apache-2.0
"""Commands that run in the process of the tests instead of in a child process, which would import torch again."""

import contextlib
import importlib
import io
import signal
import sys

from fer_ros.cli import errors
from fer_ros.reproduction import queue


@contextlib.contextmanager
def children_in_process(patch):
    """Let fer-reproduce train and evaluate in this process."""
    handler = signal.getsignal(signal.SIGTERM)
    patch.setattr(errors, "end_now", sys.exit)  # not without the interpreter's shutdown, which is this process's
    patch.setattr(queue, "ChildProcess", InProcess)
    patch.setattr(queue, "_POLL_PERIOD", 0.0)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, handler)


class InProcess:
    """A `ChildProcess` that runs a command of the package in this process when its status is asked for."""

    def __init__(self, name, command, *, environment, stdout, on_line):
        self.name, self.status_so_far, self.last_lines = name, None, []
        module, self._arguments = command[2], command[3:]
        if "yang" in name and "--recipe" in command:
            self._arguments += ["--hold-out", "7"]  # of 14 training images, where the recipe has 4,710 of 28,709
        self._main, self._on_line = importlib.import_module(module).main, on_line

    @property
    def status(self):
        if self.status_so_far is None:
            output = Lines(lambda line: self._on_line(line) or self.last_lines.append(line))
            with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
                try:
                    self.status_so_far = self._main(self._arguments)
                except SystemExit as end:
                    self.status_so_far = end.code
        return self.status_so_far

    @property
    def exit_summary(self):
        return "\n".join([self.name, *self.last_lines])

    def wait(self, timeout=None):
        return True

    def request_stop(self, grace):
        signal.raise_signal(signal.SIGTERM)


class Lines(io.StringIO):
    """Text whose lines are passed on."""

    def __init__(self, on_line):
        super().__init__()
        self._on_line, self._rest = on_line, ""

    def write(self, text):
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._on_line(line)
        return len(text)
