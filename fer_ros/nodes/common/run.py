# SPDX-License-Identifier: Apache-2.0
"""Runs a node until it ends by itself or is interrupted, and closes it in either case."""

from __future__ import annotations

import gc
import signal
import socket
import threading
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import rclpy
from rclpy.executors import Executor, SingleThreadedExecutor
from rclpy.logging import get_logger
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future


class EndingNode(Protocol):
    """Interface of a node for `run`, beside that of `rclpy.node.Node`."""

    finished: Future
    """Done when the node ends by itself; its result is the exit status."""

    def close(self) -> None:
        """Complete files and release devices; called once, also after an error."""


def run(
    name: str,
    create: Callable[[], Any],
    expected_errors: tuple[type[Exception], ...],
    args: Sequence[str] | None,
    create_executor: Callable[[Any], Executor] = lambda node: SingleThreadedExecutor(),
) -> int:
    """Create a node and run it until it ends by itself or is interrupted.

    Args:
        name: of the node, for errors before it exists.
        create: returns the node, an `EndingNode`.
        expected_errors: exceptions that are logged in one line, without a traceback.
        args: of the command line; None means those of the process.
        create_executor: returns the executor of a node.

    Returns:
        The exit status: that of the node, 0 if it was interrupted, 1 if one of `expected_errors` ended it.
    """
    interrupts = _Interrupts()
    try:
        # Parameters are parsed in the first, parameter files in the second.
        rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
        node = create()
    except (RuntimeError, ValueError, *expected_errors) as error:  # type: ignore[misc]
        get_logger(name).fatal(str(error))
        rclpy.try_shutdown()
        return 1
    threading.Thread(target=_finish_on, args=(interrupts, node.finished), daemon=True).start()
    executor = create_executor(node)
    try:
        spun = _succeeds(name, expected_errors, lambda: rclpy.spin_until_future_complete(node, node.finished, executor))
    finally:
        closed = _succeeds(name, expected_errors, node.close)
        executor.shutdown()
        node.destroy_node()
        rclpy.try_shutdown()
        # Skips the garbage collection at exit. With torch loaded it takes seconds on a busy robot, and `ros2 launch`
        # sends SIGTERM after five.
        gc.freeze()
    return node.finished.result() if spun and closed else 1


class _Interrupts:
    """Handles SIGINT and SIGTERM without interrupting what is in progress.

    Python would interrupt the writing of a file, and rclpy would shut down the context of a node that still has to
    complete its files. Each signal usually arrives twice: from the terminal and from `ros2 launch`.
    """

    def __init__(self) -> None:
        # Python writes to it when a signal arrives, even while every Python thread is blocked in a library.
        self._signaled, self._signals = socket.socketpair()
        self._signals.setblocking(False)
        signal.set_wakeup_fd(self._signals.fileno(), warn_on_full_buffer=False)
        for interrupt in (signal.SIGINT, signal.SIGTERM):
            signal.signal(interrupt, lambda *_: None)

    def wait(self) -> None:
        """Wait for a signal; return at once if one has arrived before."""
        self._signaled.recv(1)


def _finish_on(interrupts: _Interrupts, finished: Future) -> None:
    interrupts.wait()
    if not finished.done():
        finished.set_result(0)


def _succeeds(name: str, expected_errors: tuple[type[Exception], ...], step: Callable[[], None]) -> bool:
    try:
        step()
    except expected_errors as error:
        get_logger(name).fatal(str(error))
        return False
    return True
