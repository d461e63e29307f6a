"""Nodes as processes of their own: started, listened to, and ended without leaving one behind."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence

_LAST_LINES = 20
_ESCALATION = ((signal.SIGTERM, 20.0), (signal.SIGKILL, 5.0))
"""How processes are asked to end, and the seconds they get before they are asked in the next way. Not by SIGINT: a
Python that is still loading its libraries answers that with pages of traceback, or swallows it."""
_MODULES = {
    "emotion_node": "fer_ros.nodes.emotion.node",
    "emotion_recorder_node": "fer_ros.nodes.recorder.node",
    "video_publisher_node": "fer_ros.nodes.video_publisher.node",
}


class NodeProcess:
    """A node of this package. Its log goes to standard error, its output where this process's own goes.

    Args:
        name: of the node, as `ros2 run fer_ros` takes it.
        parameters: their values at the start.
        environment: all of it.
    """

    def __init__(self, name: str, parameters: Mapping[str, object], environment: Mapping[str, str]):
        self.name = name
        # JSON, so that a folder called 7 stays text.
        settings = [f"{key}:={json.dumps(value, ensure_ascii=False)}" for key, value in parameters.items()]
        self._process = subprocess.Popen(
            [sys.executable, "-m", _MODULES[name], "--ros-args", *_each_after("-p", settings)],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            # Out of reach of the terminal's Ctrl-C, so that the processes are ended in order, each of them once.
            start_new_session=True,
        )
        self._last_lines: deque[str] = deque(maxlen=_LAST_LINES)
        self._relay = threading.Thread(target=self._pass_on, daemon=True)
        self._relay.start()

    @property
    def status(self) -> int | None:
        """Its exit status, negative when a signal ended it; None while it runs."""
        return self._process.poll()

    @property
    def exit_summary(self) -> str:
        """How it ended and what it said last."""
        self._relay.join(1.0)
        said = "".join(f"  {line}" for line in self._last_lines)
        return f"{self.name} ended with status {self.status}" + (f"; the last it said:\n{said}" if said else "")

    def send(self, how: signal.Signals) -> None:
        """Sends a signal, if it still runs."""
        if self.status is None:
            self._process.send_signal(how)

    def has_ended(self, within: float) -> bool:
        """Whether it ends within so many seconds, and all it said is passed on."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(within)
            self._relay.join(1.0)
        return self.status is not None

    def _pass_on(self) -> None:
        for line in self._process.stderr:
            self._last_lines.append(line)
            with contextlib.suppress(OSError, ValueError):  # nobody reads ours any more
                sys.stderr.write(line)
                sys.stderr.flush()


class Interrupts:
    """Whether this process was asked to end, by Ctrl-C, by another process, or by its terminal closing."""

    _SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self):
        self.came = False

    def __enter__(self) -> Interrupts:
        self._before = [signal.signal(each, self._note) for each in self._SIGNALS]
        return self

    def __exit__(self, *_) -> None:
        for each, handler in zip(self._SIGNALS, self._before, strict=True):
            signal.signal(each, handler)

    def _note(self, *_) -> None:
        self.came = True


def _each_after(option: str, values: Sequence[str]) -> list[str]:
    return [word for value in values for word in (option, value)]


def end_all(processes: Sequence[NodeProcess]) -> None:
    """Ends every process; returns when none is left. Asks all of them first, so that they end side by side."""
    for how, patience in _ESCALATION:
        for process in processes:
            process.send(how)
        ended = [process.has_ended(patience) for process in processes]
        if all(ended):
            return


def wait_until(condition, timeout: float | None = None) -> bool:
    """Whether `condition()` came true within `timeout` seconds; None waits for ever."""
    deadline = None if timeout is None else time.monotonic() + timeout
    while not condition():
        if deadline is not None and time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
