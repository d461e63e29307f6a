# SPDX-License-Identifier: Apache-2.0
"""Processor time and memory that a piece of work takes, as Rao et al. report them for training and testing."""

from __future__ import annotations

import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Resources:
    """What this process used between two moments."""

    seconds: float
    """Wall time."""
    user_seconds: float
    """CPU time in the program, of all threads."""
    system_seconds: float
    """CPU time in the kernel, of all threads."""
    peak_memory_bytes: int
    """Highest resident memory of the process since its start; 0 where the system does not tell."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def text(self) -> str:
        """Return the values with their shares of a core and of the machine's memory."""
        user, system = (100 * each / max(self.seconds, 1e-9) for each in (self.user_seconds, self.system_seconds))
        memory, total = self.peak_memory_bytes, machine_memory()
        share = f" ({100 * memory / total:.1f} % of {total / 2**30:.0f} GiB)" if total else ""
        return (
            f"{self.seconds:.1f} s, CPU {user + system:.0f} % of a core (user {user:.0f}, system {system:.0f}; "
            f"{(user + system) / (os.cpu_count() or 1):.0f} % of {os.cpu_count()} cores), "
            f"memory {memory / 2**20:,.0f} MiB{share}"
        )


class ResourceMeter:
    """Measures from its creation on."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._times = os.times()

    def resources(self) -> Resources:
        """Return what the process has used since the meter was created."""
        now = os.times()
        return Resources(
            seconds=time.monotonic() - self._started,
            user_seconds=now.user - self._times.user,
            system_seconds=now.system - self._times.system,
            peak_memory_bytes=peak_memory(),
        )


def machine_memory() -> int:
    """Return the memory of the machine, bytes; 0 where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return 0


def peak_memory() -> int:
    """Return the highest resident memory of this process since its start, bytes; 0 where the system does not tell."""
    # Not getrusage: its maximum starts with the memory of the parent process.
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return 0
    line = next((line for line in status.splitlines() if line.startswith("VmHWM")), "VmHWM: 0 kB")
    return 1024 * int(line.split()[1])
