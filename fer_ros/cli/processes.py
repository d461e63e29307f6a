# SPDX-License-Identifier: Apache-2.0
"""The package's nodes as child processes, and the signals that interrupt a command."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import time
from collections.abc import Callable, Mapping
from types import FrameType, TracebackType
from typing import Any

from fer_ros.child_process import ChildProcess

_MODULES = {
    "dashboard_node": "fer_ros.nodes.dashboard.node",
    "emotion_node": "fer_ros.nodes.emotion.node",
    "emotion_recorder_node": "fer_ros.nodes.recorder.node",
    "video_publisher_node": "fer_ros.nodes.video_publisher.node",
}
_POLL_PERIOD = 0.05
"""Seconds."""


def start_node(name: str, parameters: Mapping[str, object], environment: Mapping[str, str]) -> ChildProcess:
    """Start a node of this package; its log goes to standard error, its output to this process's standard output.

    It ends with the thread that calls this, even if the process is killed.

    Args:
        name: of the executable, as in `ros2 run fer_ros NAME`.
        parameters: initial values by name.
        environment: complete environment of the node.
    """
    # JSON keeps the type: a folder named 7 stays a string.
    settings = [f"{key}:={json.dumps(value, ensure_ascii=False)}" for key, value in parameters.items()]
    options = [argument for setting in settings for argument in ("-p", setting)]
    command = [sys.executable, "-m", _MODULES[name], "--ros-args", *options]
    return ChildProcess(name, command, environment=environment, on_line=_relay, ends_with_parent=True)


def _relay(line: str) -> None:
    """Copy a line of a node's log to standard error, if that is still open."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()


class Interrupts:
    """Context manager that catches SIGINT, SIGTERM and SIGHUP and remembers in `received` that one came."""

    _SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self) -> None:
        self.received = False
        self._previous: list[Any] = []

    def __enter__(self) -> Interrupts:
        self._previous = [signal.signal(number, self._handle) for number in self._SIGNALS]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number, handler in zip(self._SIGNALS, self._previous, strict=True):
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.received = True


def wait_until(condition: Callable[[], bool], timeout: float | None = None) -> bool:
    """Poll `condition` until it is true, at most `timeout` seconds (None: without limit); return whether it is."""
    deadline = None if timeout is None else time.monotonic() + timeout
    while not condition():
        if deadline is not None and time.monotonic() > deadline:
            return False
        time.sleep(_POLL_PERIOD)
    return True
