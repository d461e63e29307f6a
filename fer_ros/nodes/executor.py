"""Runs the callbacks of a node that receives images all the time and must not miss one for anything else."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from rclpy.callback_groups import CallbackGroup
from rclpy.executors import (
    ConditionReachedException,
    Executor,
    ExternalShutdownException,
    ShutdownException,
    TimeoutException,
)
from rclpy.logging import get_logger
from rclpy.task import Future


class SwiftExecutor(Executor):
    """Runs callbacks that return at once as they come, and all others in threads beside.

    rclpy's own executor with threads asks for work again and again until a thread has begun with the last; with images
    at 30 Hz that took more of a core than to find the faces in them.

    Args:
        swift: the callback group of callbacks that return at once.
        threads: how many of the others run at the same time.
    """

    def __init__(self, swift: CallbackGroup, threads: int = 2):
        super().__init__()
        self._swift = swift
        self._pool = ThreadPoolExecutor(threads)

    def spin_once(self, timeout_sec: float | None = None, condition: Callable[[], bool] = lambda: False) -> None:
        """See `Executor`; returns without having done anything when `condition` becomes true."""
        try:
            run, entity, _ = self.wait_for_ready_callbacks(timeout_sec, None, condition)
        except (ConditionReachedException, ExternalShutdownException, ShutdownException, TimeoutException):
            return
        if entity is not None and entity.callback_group is self._swift:
            _run_or_log(run)
        else:
            self._pool.submit(_run_or_log, run)

    def spin_once_until_future_complete(self, future: Future, timeout_sec: float | None = None) -> None:
        """See `Executor`."""
        self.spin_once(timeout_sec, future.done)

    # What it is called inside rclpy, from Kilted on.
    _spin_once_until_future_complete = spin_once_until_future_complete

    def shutdown(self, timeout_sec: float | None = None, **options) -> bool:
        """See `Executor`; for when it spins no more."""
        # First, since a callback that ends tells the executor, and fails where there is none any more.
        self._pool.shutdown()
        return super().shutdown(timeout_sec)


def _run_or_log(run) -> None:
    """Whatever a callback raises, the node goes on."""
    run()
    error = run.exception() if run.done() else None
    if error is not None:
        get_logger("emotion_node").error("".join(traceback.format_exception(error)))
