# SPDX-License-Identifier: Apache-2.0
"""Starts the commands: Ctrl-C ends them without a traceback, also while their imports take seconds.

The wheel's entry points are attributes of this module, named after the modules of the commands, as `start:train`.
"""

from __future__ import annotations

import importlib
import signal
from collections.abc import Callable
from functools import partial

COMMANDS = ("annotate", "compare", "demo", "detect", "evaluate", "export", "reproduce", "train")
"""Modules of this package that are commands."""


def run(module: str) -> int:
    """Import the module of a command, run its `main`, and return the exit status."""
    handler = signal.getsignal(signal.SIGINT)
    if handler is signal.default_int_handler:  # it is ignored in the background of a shell
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    # Blocked since before the interpreter started, see scripts/program.in.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
    main: Callable[[], int] = importlib.import_module(module).main
    signal.signal(signal.SIGINT, handler)  # `main` catches KeyboardInterrupt
    return main()


def __getattr__(name: str) -> Callable[[], int]:
    """Return what runs the command of this name."""
    if name not in COMMANDS:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    return partial(run, f"fer_ros.cli.{name}")
