# SPDX-License-Identifier: Apache-2.0
"""Executor that receives images in a separate thread, so that no other callback delays them."""

from __future__ import annotations

import threading
import time
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

from fer_ros.nodes.common.log_throttle import LogThrottle, log_unhandled

if TYPE_CHECKING:
    from rclpy.node import Node
    from rclpy.subscription import Subscription

_THROTTLE = LogThrottle()
_RETRY_PERIOD = 0.1
"""Seconds."""


class ImageExecutor(Executor):
    """Receives images in a dedicated thread, and runs all other callbacks in a thread pool.

    The executors of rclpy check every entity of the node twice for each message: two dozen services and timers, most of
    which are never called. That took more CPU than receiving the image. The dedicated thread waits only for the
    subscriptions of the image group, in the way `rclpy.wait_for_message` waits for one subscription.

    Args:
        image_group: callback group of the image subscriptions; their callbacks take only the message and return at
            once.
        threads: number of other callbacks that run at the same time.
    """

    def __init__(self, image_group: CallbackGroup, threads: int = 2):
        super().__init__()
        self._image_group = image_group
        self._pool = ThreadPoolExecutor(threads)
        self._changed = GuardCondition(callback=None, callback_group=None, context=self.context)
        self._stopped = False
        self._image_thread = threading.Thread(target=self._receive_loop, name="subscriptions", daemon=True)
        self._image_thread.start()

    def can_execute(self, entity: Any) -> bool:
        """See `Executor`."""
        return entity.callback_group is not self._image_group and super().can_execute(entity)

    def add_node(self, node: Node) -> bool:
        """See `Executor`."""
        added = super().add_node(node)
        self._changed.trigger()
        return added

    def wake(self) -> None:
        """See `Executor`; called when an entity is created or destroyed, and when ROS shuts down."""
        super().wake()
        self._changed.trigger()

    def spin_once(self, timeout_sec: float | None = None, condition: Callable[[], bool] = lambda: False) -> None:
        """See `Executor`; returns without running a callback when `condition` becomes true."""
        try:
            handler, _, _ = self.wait_for_ready_callbacks(timeout_sec, None, condition)
        except (ConditionReachedException, ExternalShutdownException, ShutdownException, TimeoutException):
            return
        self._pool.submit(_run_or_log, handler)

    def spin_once_until_future_complete(self, future: Future, timeout_sec: float | None = None) -> None:
        """See `Executor`."""
        self.spin_once(timeout_sec, future.done)

    # Name of the same method inside rclpy, from Kilted on.
    _spin_once_until_future_complete = spin_once_until_future_complete

    def shutdown(self, timeout_sec: float | None = None, **options: Any) -> bool:
        """See `Executor`; called when it no longer spins."""
        self._stopped = True
        self._changed.trigger()
        self._image_thread.join()
        # Before the executor itself, because a callback that ends notifies it and fails if it is shut down.
        self._pool.shutdown()
        return super().shutdown(timeout_sec)

    # --- in the image thread ---

    def _receive_loop(self) -> None:
        while not self._stopped and self.context.ok():
            # Not only callbacks fail: without memory, waiting and logging do, too.
            with suppress(Exception):
                self._receive_waiting()

    def _receive_waiting(self) -> None:
        try:
            for subscription in self._wait():
                _receive(subscription)
        except Exception as error:
            time.sleep(_RETRY_PERIOD)
            log_unhandled(get_logger("emotion_node"), _THROTTLE, error, "waiting for images")

    def _wait(self) -> list[Subscription]:
        """Wait for messages or changes; return the subscriptions that have a message, none after a change."""
        with ExitStack() as stack:
            candidates = [one for node in self.get_nodes() for one in node.subscriptions]
            subscriptions = [one for one in candidates if one.callback_group is self._image_group and _hold(stack, one)]
            stack.enter_context(self._changed.handle)
            stack.enter_context(self.context.handle)
            wait_set = _rclpy.WaitSet(len(subscriptions), 1, 0, 0, 0, 0, self.context.handle)
            wait_set.clear_entities()
            wait_set.add_guard_condition(self._changed.handle)
            for subscription in subscriptions:
                wait_set.add_subscription(subscription.handle)
            wait_set.wait(-1)
            ready = wait_set.get_ready_entities("subscription")
            return [subscription for subscription in subscriptions if subscription.handle.pointer in ready]


def _hold(stack: ExitStack, subscription: Subscription) -> bool:
    """Keep a subscription from being destroyed during the wait; return false if it already is."""
    with suppress(_rclpy.InvalidHandle):
        stack.enter_context(subscription.handle)
        return True
    return False


# The node keeps running whatever exception a callback raises.


def _receive(subscription: Subscription) -> None:
    try:
        with suppress(_rclpy.InvalidHandle), subscription.handle:
            taken = subscription.handle.take_message(subscription.msg_type, subscription.raw)
            if taken:
                subscription.callback(taken[0])
    except Exception as error:
        log_unhandled(get_logger("emotion_node"), _THROTTLE, error, "receiving an image")


def _run_or_log(handler: Any) -> None:
    handler()
    error = handler.exception() if handler.done() else None
    if error is not None:
        log_unhandled(get_logger("emotion_node"), _THROTTLE, error, "running a callback")
