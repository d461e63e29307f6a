# SPDX-License-Identifier: Apache-2.0
"""Starts the commands: Ctrl-C ends them without a traceback, also while their imports take seconds."""

from __future__ import annotations

import importlib
import signal
from collections.abc import Callable


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


# For the entry points of the wheel.


def annotate() -> int:
    """Run fer-annotate."""
    return run("fer_ros.cli.annotate")


def compare() -> int:
    """Run fer-compare."""
    return run("fer_ros.cli.compare")


def demo() -> int:
    """Run fer-demo."""
    return run("fer_ros.cli.demo")


def detect() -> int:
    """Run fer-detect."""
    return run("fer_ros.cli.detect")


def evaluate() -> int:
    """Run fer-evaluate."""
    return run("fer_ros.cli.evaluate")


def export() -> int:
    """Run fer-export."""
    return run("fer_ros.cli.export")


def reproduce() -> int:
    """Run fer-reproduce."""
    return run("fer_ros.cli.reproduce")


def train() -> int:
    """Run fer-train."""
    return run("fer_ros.cli.train")
