# SPDX-License-Identifier: Apache-2.0
"""Progress of a command on standard error: a bar of tqdm if that is installed, else a plain line."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any

try:
    from tqdm import tqdm
except ImportError:  # it comes with the extra [train]
    tqdm = None  # type: ignore[assignment, misc]

_PERIOD = 0.5
"""Seconds between two updates of the plain line."""


class Progress:
    """Context manager that shows how many images were processed, if standard error is a terminal.

    Args:
        program: name of the command, in front of warnings.
    """

    def __init__(self, program: str):
        self._program = program
        self._bar: Any = None
        self._description = ""
        self._count = 0
        self._shown_at = 0.0
        self._terminal = sys.stderr.isatty()

    def __enter__(self) -> Progress:
        if tqdm is not None:
            self._bar = tqdm(unit=" images", disable=not self._terminal, file=sys.stderr)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()
        elif self._terminal and self._shown_at:
            print(file=sys.stderr)

    def describe(self, text: str) -> None:
        """Show `text` beside the count."""
        self._description = text
        if self._bar is not None:
            self._bar.set_description(text)

    def step(self) -> None:
        """Count one image."""
        self._count += 1
        if self._bar is not None:
            self._bar.update()
        elif self._terminal and time.monotonic() - self._shown_at > _PERIOD:
            self._shown_at = time.monotonic()
            print(f"\r{self._description}: {self._count} images", end="", file=sys.stderr, flush=True)

    def warn(self, message: str, kind: str = "warning") -> None:
        """Print a line that starts with the program's name and `kind`."""
        line = f"{self._program}: {kind}: {' '.join(message.split())}"
        if self._bar is not None:
            self._bar.write(line, file=sys.stderr)
        else:
            print(line, file=sys.stderr)
