# SPDX-License-Identifier: Apache-2.0
"""Child processes that no failed test waits for."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

GRACE = 40.0
"""Seconds between SIGTERM and SIGKILL; torchrun takes up to 30 to end the processes that it has started."""


@contextmanager
def running(command: Sequence[object], **options: Any) -> Iterator[subprocess.Popen[str]]:
    """Run a command with its output in pipes of text, and stop it at the end, if it still runs.

    `subprocess.Popen` itself waits at the end, for ever if the test has failed before the command was told to end.
    """
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([str(each) for each in command], text=True, **(pipes | options)) as process:
        try:
            yield process
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(GRACE)
            process.kill()
