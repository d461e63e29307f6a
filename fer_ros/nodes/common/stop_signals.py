# SPDX-License-Identifier: Apache-2.0
"""Ends a program on SIGINT, SIGTERM or SIGHUP within two seconds, at any moment from its first instruction on.

Imports only the standard library, so that a program can call `install` before imports that take seconds.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

from fer_ros.nodes.common import shared_memory

STOPPED = 130
"""Exit status of a program that was stopped before its node ran, as shells have it for SIGINT."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_GRACE = 0.8
"""Seconds from the first signal until the process is ended; with a busy machine in mind, less than two."""


class StopSignals:
    """Handles the signals without interrupting what is in progress.

    Python would interrupt the writing of a file, and rclpy would shut down the context of a node that still has to
    complete its files. Each signal usually arrives twice: from the terminal and from `ros2 launch`.

    Until `on_stop` is called there is nothing to complete, and the process ends at once. From then on the program ends
    by itself; if it does not within `_GRACE` seconds, because it loads a model or waits for a network, it is ended.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stop: Callable[[], None] | None = None
        self._received = False
        self._completed = threading.Event()
        self._completed.set()
        # Python writes to it when a signal arrives, even while every Python thread is blocked in a library.
        self._signaled, self._written = socket.socketpair()
        self._written.setblocking(False)
        signal.set_wakeup_fd(self._written.fileno(), warn_on_full_buffer=False)
        for number in _SIGNALS:
            # A terminal that closes must not end what was started with nohup.
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, lambda *_: None)
        threading.Thread(target=self._wait, name="signals", daemon=True).start()
        # Blocked since before the interpreter started, see scripts/node.in.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)

    @property
    def received(self) -> bool:
        """Whether a signal has arrived."""
        return self._received

    def on_stop(self, stop: Callable[[], None]) -> None:
        """Call `stop`, in another thread, when a signal arrives; at once if one has."""
        with self._lock:
            self._stop = stop
            if not self._received:
                return
        stop()

    @contextmanager
    def completing_files(self) -> Iterator[None]:
        """Context manager: do not end the process while it completes its files."""
        self._completed.clear()
        try:
            yield
        finally:
            self._completed.set()

    def _wait(self) -> None:
        self._signaled.recv(1)
        with self._lock:
            self._received = True
            stop = self._stop
        if not stop:
            os._exit(STOPPED)
        stop()
        time.sleep(_GRACE)
        self._completed.wait()
        shared_memory.remove_own()
        os._exit(STOPPED)


def end(status: int) -> NoReturn:
    """End the process without the interpreter's shutdown; files must be complete and nodes destroyed.

    With torch loaded it would take seconds on a busy machine, in which a second signal would end it with a negative
    status, and now and then it ends in an abort, while threads of a library still run.
    """
    with suppress(OSError):  # the terminal may be gone
        sys.stdout.flush()
    with suppress(OSError):
        sys.stderr.flush()
    os._exit(status)


_installed: StopSignals | None = None


def install() -> StopSignals:
    """Return the handler of this process's signals; the first call, in the main thread, installs it."""
    global _installed
    _installed = _installed or StopSignals()
    return _installed
