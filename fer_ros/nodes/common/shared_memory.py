# SPDX-License-Identifier: Apache-2.0
"""Shared memory of Fast DDS: that of this process, and what killed processes have left behind.

Imports only the standard library, as `stop_signals` needs.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_FOLDER = Path("/dev/shm")
_LOCK = re.compile(r"(fast(?:dds|rtps)_[0-9a-f]{16})_el")
"""Name of the file that a Fast DDS segment's owner keeps open and locked; other participants only map the segment."""


def remove_own() -> None:
    """Remove the shared memory of this process's Fast DDS participants, which outlives the process otherwise."""
    for segment in owned_segments():
        _remove(segment)


def remove_orphans() -> int:
    """Remove the segments whose owner was killed, as `fastdds shm clean` does, and return their size in bytes.

    The owner holds a lock on a file beside its segment, which the kernel releases when the process ends. The ports,
    50 kB each, are left: Fast DDS checks and reuses them itself.
    """
    size = 0
    for segment in _segments():
        with suppress(OSError):  # of another user, or removed meanwhile by another process that starts
            # The lock is taken before the segment is created: a segment without a lock has lost its owner.
            allocated = os.stat(segment).st_blocks * 512
            if not _is_locked(f"{segment}_el"):
                _remove(segment)
                size += allocated
    return size


def owned_segments(pid: int | str = "self") -> set[str]:
    """Return the paths of the shared memory that belongs to a process; empty if it has ended."""
    segments = set()
    with suppress(OSError):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                segment = _segment_of(Path(os.readlink(descriptor)))
                segments |= {segment} if segment else set()
    return segments


def _segments() -> Iterator[str]:
    with suppress(OSError):
        for path in _FOLDER.iterdir():
            segment = _segment_of(path)
            if segment:
                yield segment


def _segment_of(lock: Path) -> str | None:
    """Return the path of the segment that a file is the lock of, or None if the file is no lock."""
    name = _LOCK.fullmatch(lock.name)
    return str(_FOLDER / name[1]) if name and lock.parent == _FOLDER else None


def _is_locked(path: str) -> bool:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _remove(segment: str) -> None:
    for path in (segment, f"{segment}_el"):
        Path(path).unlink(missing_ok=True)
