"""Runs a node that ends by itself, or when it is interrupted, and lets it complete what it keeps."""

from __future__ import annotations

import gc
import signal
import socket
import threading
from collections.abc import Callable, Sequence
from typing import Protocol

import rclpy
from rclpy.executors import Executor, SingleThreadedExecutor
from rclpy.logging import get_logger
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future


class EndingNode(Protocol):
    """What `run` needs of a node besides being an `rclpy.node.Node`."""

    finished: Future
    """Done when the node's work is; its result is the exit status."""

    def close(self) -> None:
        """Completes files and releases devices; called once, whatever happened before."""


def run(
    name: str,
    make: Callable[[], EndingNode],
    failures: tuple[type[Exception], ...],
    args: Sequence[str] | None,
    make_executor: Callable[[EndingNode], Executor] = lambda node: SingleThreadedExecutor(),
) -> int:
    """Makes a node and runs it until it is done or interrupted.

    Args:
        name: of the node, for what goes wrong before there is one.
        make: makes it.
        failures: exceptions whose message tells the user all; they are logged in one line.
        args: of the command line.
        make_executor: makes what runs the callbacks of a node.

    Returns:
        The exit status: the node's own, 0 where it was interrupted, 1 where one of `failures` ended it.
    """
    interrupts = _Interrupts()
    try:
        # Parameters are parsed in the first, parameter files in the second.
        rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
        node = make()
    except (RuntimeError, ValueError, *failures) as error:
        get_logger(name).fatal(str(error))
        rclpy.try_shutdown()
        return 1
    threading.Thread(target=_finish_at, args=(interrupts, node.finished), daemon=True).start()
    executor = make_executor(node)
    try:
        spun = _reports(name, failures, lambda: rclpy.spin_until_future_complete(node, node.finished, executor))
    finally:
        closed = _reports(name, failures, node.close)
        executor.shutdown()
        node.destroy_node()
        rclpy.try_shutdown()
        # Python would look through everything once more before it goes. With torch loaded that takes seconds on a busy
        # robot, and `ros2 launch` waits for five before it grows rough.
        gc.freeze()
    return node.finished.result() if spun and closed else 1


class _Interrupts:
    """Takes SIGINT and SIGTERM, so that they break off nothing that is under way.

    Python would interrupt half a line in a file, and rclpy would take the ground from under a node that still has to
    complete its files. Both signals are sent twice more often than not: by the terminal and by `ros2 launch`.
    """

    def __init__(self):
        # Python writes into it when a signal comes, also while every Python thread sleeps in a library.
        self._signaled, self._signals = socket.socketpair()
        self._signals.setblocking(False)
        signal.set_wakeup_fd(self._signals.fileno(), warn_on_full_buffer=False)
        for interrupt in (signal.SIGINT, signal.SIGTERM):
            signal.signal(interrupt, lambda *_: None)

    def wait(self) -> None:
        """Returns when one has come; at once if it came before."""
        self._signaled.recv(1)


def _finish_at(interrupts: _Interrupts, finished: Future) -> None:
    interrupts.wait()
    if not finished.done():
        finished.set_result(0)


def _reports(name: str, failures: tuple[type[Exception], ...], step: Callable[[], None]) -> bool:
    try:
        step()
    except failures as error:
        get_logger(name).fatal(str(error))
        return False
    return True
