# SPDX-License-Identifier: Apache-2.0
"""Shared memory of Fast DDS, without Fast DDS."""

import fcntl
import uuid
from contextlib import ExitStack
from pathlib import Path

import pytest

from fer_ros.nodes.common import shared_memory


@pytest.fixture
def segments(tmp_path, monkeypatch):
    """Create the files of two segments and a port, as Fast DDS names them; return the paths of their locks.

    Not in /dev/shm, where every node that starts on this machine removes segments without an owner.
    """
    monkeypatch.setattr(shared_memory, "_FOLDER", tmp_path)
    digits = [uuid.uuid4().hex[:16] for _ in range(3)]
    names = (f"fastdds_{digits[0]}", f"fastrtps_{digits[1]}", f"fastdds_port{digits[2]}")
    locks = [tmp_path / f"{name}_el" for name in names]
    files = [*locks, *(_segment(lock) for lock in locks)]
    for path in files:
        path.write_bytes(bytes(4096))
    return locks


def test_only_shared_memory_of_this_process_is_removed(segments):
    own, other, port = segments
    with ExitStack() as opened:
        # The segments of others are mapped, and only the locks of the own ones stay open.
        for path in (own, port, _segment(own), _segment(other)):
            opened.enter_context(path.open())
        owned = shared_memory.owned_segments()
        assert str(_segment(own)) in owned
        assert not {str(_segment(path)) for path in (other, port)} & owned
        shared_memory.remove_own()
    assert not own.exists()
    assert not _segment(own).exists()
    assert _segment(port).exists()


def test_only_shared_memory_without_owner_is_removed(segments):
    orphan, owned, port = segments
    with ExitStack() as opened:
        # As its owner does; here through another open file, which excludes this process too.
        fcntl.flock(opened.enter_context(owned.open()), fcntl.LOCK_EX)
        shared_memory.remove_orphans()
        assert not orphan.exists()
        assert not _segment(orphan).exists()
        assert owned.exists()
        assert _segment(owned).exists()
        assert _segment(port).exists()


def _segment(lock: Path) -> Path:
    return lock.with_name(lock.name.removesuffix("_el"))
