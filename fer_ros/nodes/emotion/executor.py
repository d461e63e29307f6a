"""Runs the callbacks of a node that receives images all the time and must not miss one for anything else."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

from rclpy.callback_groups import CallbackGroup
from rclpy.executors import (
    ConditionReachedException,
    Executor,
    ExternalShutdownException,
    ShutdownException,
    TimeoutException,
)
from rclpy.guard_condition import GuardCondition
from rclpy.impl.implementation_singleton import rclpy_implementation as _rclpy
from rclpy.logging import get_logger
from rclpy.task import Future

if TYPE_CHECKING:
    from rclpy.node import Node
    from rclpy.subscription import Subscription


class ImageExecutor(Executor):
    """Listens to some subscriptions in a thread of its own, and runs all other callbacks in threads beside.

    rclpy's executors look at everything that a node has, twice for each message: two dozen services and timers, most of
    which nobody ever calls. That took more than to take the image itself. The thread waits for nothing but these
    subscriptions, in the way in which `rclpy.wait_for_message` waits for one.

    Args:
        swift: the callback group of these subscriptions; their callbacks take the message alone and return at once.
        threads: how many of the other callbacks run at the same time.
    """

    def __init__(self, swift: CallbackGroup, threads: int = 2):
        super().__init__()
        self._swift = swift
        self._pool = ThreadPoolExecutor(threads)
        self._changed = GuardCondition(callback=None, callback_group=None, context=self.context)
        self._ends = False
        self._listener = threading.Thread(target=self._listen, name="subscriptions", daemon=True)
        self._listener.start()

    def can_execute(self, entity: Any) -> bool:
        """See `Executor`."""
        return entity.callback_group is not self._swift and super().can_execute(entity)

    def add_node(self, node: Node) -> bool:
        """See `Executor`."""
        added = super().add_node(node)
        self._changed.trigger()
        return added

    def wake(self) -> None:
        """See `Executor`: something was created or destroyed, or ROS shuts down."""
        super().wake()
        self._changed.trigger()

    def spin_once(self, timeout_sec: float | None = None, condition: Callable[[], bool] = lambda: False) -> None:
        """See `Executor`; returns without having done anything when `condition` becomes true."""
        try:
            run, _, _ = self.wait_for_ready_callbacks(timeout_sec, None, condition)
        except (ConditionReachedException, ExternalShutdownException, ShutdownException, TimeoutException):
            return
        self._pool.submit(_run_or_log, run)

    def spin_once_until_future_complete(self, future: Future, timeout_sec: float | None = None) -> None:
        """See `Executor`."""
        self.spin_once(timeout_sec, future.done)

    # What it is called inside rclpy, from Kilted on.
    _spin_once_until_future_complete = spin_once_until_future_complete

    def shutdown(self, timeout_sec: float | None = None, **options) -> bool:
        """See `Executor`; for when it spins no more."""
        self._ends = True
        self._changed.trigger()
        self._listener.join()
        # First, since a callback that ends tells the executor, and fails where there is none any more.
        self._pool.shutdown()
        return super().shutdown(timeout_sec)

    # --- in the thread that listens ---

    def _listen(self) -> None:
        while not self._ends and self.context.ok():
            for subscription in self._heard():
                _receive(subscription)

    def _heard(self) -> list[Subscription]:
        """The subscriptions for which there are messages, as soon as there are any; none when something has changed."""
        with ExitStack() as held:
            candidates = [one for node in self.get_nodes() for one in node.subscriptions]
            swift = [one for one in candidates if one.callback_group is self._swift and _is_held(held, one)]
            held.enter_context(self._changed.handle)
            held.enter_context(self.context.handle)
            wait_set = _rclpy.WaitSet(len(swift), 1, 0, 0, 0, 0, self.context.handle)
            wait_set.clear_entities()
            wait_set.add_guard_condition(self._changed.handle)
            for subscription in swift:
                wait_set.add_subscription(subscription.handle)
            wait_set.wait(-1)
            ready = wait_set.get_ready_entities("subscription")
            return [subscription for subscription in swift if subscription.handle.pointer in ready]


def _is_held(held: ExitStack, subscription: Subscription) -> bool:
    """Keeps a subscription from being destroyed while it is waited for; false where it already is."""
    with suppress(_rclpy.InvalidHandle):
        held.enter_context(subscription.handle)
        return True
    return False


# Whatever a callback raises, the node goes on.


def _receive(subscription: Subscription) -> None:
    try:
        with suppress(_rclpy.InvalidHandle), subscription.handle:
            taken = subscription.handle.take_message(subscription.msg_type, subscription.raw)
            if taken:
                subscription.callback(taken[0])
    except Exception as error:
        _log(error)


def _run_or_log(run) -> None:
    run()
    error = run.exception() if run.done() else None
    if error is not None:
        _log(error)


def _log(error: BaseException) -> None:
    get_logger("emotion_node").error("".join(traceback.format_exception(error)))
