# SPDX-License-Identifier: Apache-2.0
"""Runs a node until it ends by itself or is interrupted, and closes it in either case."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import Any, Protocol

import rclpy
from rclpy.executors import Executor, SingleThreadedExecutor
from rclpy.logging import get_logger
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future

from fer_ros import dds_profile
from fer_ros.nodes.common import shared_memory, stop_signals
from fer_ros.nodes.common.log_throttle import LogThrottle, log_unhandled
from fer_ros.nodes.common.stop_signals import STOPPED, StopSignals


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
    completes_files: bool = False,
    publishes_camera_images: bool = False,
) -> int:
    """Create a node and run it until it ends by itself or is interrupted.

    An interrupted node ends within two seconds. No other exception of a callback ends the node: it is logged.

    Args:
        name: of the node, for errors before it exists.
        create: returns the node, an `EndingNode`.
        expected_errors: exceptions that end the node; they are logged in one line, without a traceback.
        args: of the command line; None means those of the process.
        create_executor: returns the executor of a node.
        completes_files: whether callbacks write files that `close` completes; the process waits for that without limit.
        publishes_camera_images: whether the process needs the shared memory for them.

    Returns:
        The exit status: that of the node, 0 if it was interrupted, 1 if one of `expected_errors` ended it, and 130 if
        it was interrupted before it ran.
    """
    signals = stop_signals.install()
    signals.on_stop(lambda: None)
    if not publishes_camera_images:
        os.environ.update(dds_profile.without_camera_images(os.environ))
    # Each killed process leaves up to 134 MB, and without space there Fast DDS falls back to UDP.
    shared_memory.remove_orphans()
    shortage = dds_profile.shared_memory_shortage(os.environ)
    if shortage:
        get_logger(name).warning(shortage)
    try:
        # Parameters are parsed in the first, parameter files in the second.
        rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
        node = _without_garbage_collection(create)
    except (RuntimeError, ValueError, *expected_errors) as error:  # type: ignore[misc]
        if not signals.received:
            get_logger(name).fatal(str(error))
        rclpy.try_shutdown()
        return STOPPED if signals.received else 1
    return _run_until_finished(name, node, expected_errors, create_executor(node), signals, completes_files)


def _without_garbage_collection(create: Callable[[], Any]) -> Any:
    """Create a node, and exempt what it has loaded from garbage collection.

    Traversing the hundreds of thousands of objects of libraries such as torch would delay the start by a tenth of a
    second, and later an image now and then.
    """
    gc.disable()
    try:
        return create()
    finally:
        gc.freeze()
        gc.enable()


def _run_until_finished(
    name: str,
    node: Any,
    expected_errors: tuple[type[Exception], ...],
    executor: Executor,
    signals: StopSignals,
    completes_files: bool,
) -> int:
    signals.on_stop(lambda: node.finished.done() or node.finished.set_result(0))
    try:
        # Callbacks write the files that are completed at the end.
        with signals.completing_files() if completes_files else nullcontext():
            try:
                spun = _succeeds(name, expected_errors, lambda: _spin(node, expected_errors, executor))
            finally:
                closed = _succeeds(name, expected_errors, node.close)
    finally:
        shut_down(executor)
        node.destroy_node()
        rclpy.try_shutdown()
    return node.finished.result() if spun and closed else 1


def shut_down(executor: Executor) -> None:
    """Shut down an executor that no longer spins, and wait for its callbacks, which use the node."""
    executor.shutdown()
    # rclpy does not wait for the threads of its MultiThreadedExecutor.
    threads = getattr(executor, "_executor", None)
    if isinstance(threads, ThreadPoolExecutor):
        threads.shutdown()


def _spin(node: Any, expected_errors: tuple[type[Exception], ...], executor: Executor) -> None:
    """Run callbacks until the node is finished, whatever other exceptions they raise."""
    throttle = LogThrottle()
    while not node.finished.done():
        try:
            rclpy.spin_until_future_complete(node, node.finished, executor)
        except expected_errors:  # noqa: PERF203 (each callback can fail)
            raise
        except Exception as error:
            if not rclpy.ok():
                raise
            log_unhandled(node.get_logger(), throttle, error, "running a callback")


def _succeeds(name: str, expected_errors: tuple[type[Exception], ...], step: Callable[[], None]) -> bool:
    try:
        step()
    except expected_errors as error:
        get_logger(name).fatal(str(error))
        return False
    return True
