# SPDX-License-Identifier: Apache-2.0
"""Environment variables with which Fast DDS, the default middleware of ROS 2, and Cyclone DDS transport large images.

Without them an image exceeds the shared memory segment of a process (Fast DDS) or the receive buffer of a socket
(Cyclone DDS), and best-effort images are lost.

`python -m fer_ros.dds_profile` prints them as shell commands.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from fer_ros import resources

_FOR_NEWER, _FOR_OLDER = "FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE"
_READ_BY = {"humble": (_FOR_OLDER,), "iron": (_FOR_OLDER,), "jazzy": (_FOR_OLDER,)}
"""Variables that the older distributions read; later ones read the newer name and warn about the older."""
_FOR_CYCLONE = "CYCLONEDDS_URI"
_SMALL_SEGMENT, _LARGE_SEGMENT = "fastdds.xml", "fastdds_large.xml"
_DEFAULT_SEGMENT = 512 << 10
"""Bytes of a segment without a profile."""
_SEGMENT_OVERHEAD = 512 << 10
"""Bytes that Fast DDS adds to a segment, at most, and its ports."""
_SHARED_MEMORY = Path("/dev/shm")
_LARGE_SHARED_MEMORY = 8 * 2**30
"""Bytes of shared memory above which each process may take 128 MB; half of the machine's memory is usual."""


def variables(environment: Mapping[str, str], profile: str = "") -> dict[str, str]:
    """Return the variables to add to `environment` for a process and its children; none where a profile is set already.

    Args:
        environment: as `os.environ`.
        profile: name or path of the Fast DDS profile; empty selects config/fastdds_large.xml where shared memory has
            8 GB or more, otherwise config/fastdds.xml. Cyclone DDS always gets config/cyclonedds.xml.

    Raises:
        FileNotFoundError: there is no such profile.
    """
    if environment.get("RMW_IMPLEMENTATION") == "rmw_cyclonedds_cpp":
        if environment.get(_FOR_CYCLONE):
            return {}
        return {_FOR_CYCLONE: f"file://{resources.find('config', 'cyclonedds', ('.xml',))}"}
    if environment.get(_FOR_NEWER) or environment.get(_FOR_OLDER):
        return {}
    path = resources.find("config", profile or _default_profile(), (".xml",))
    names = _READ_BY.get(environment.get("ROS_DISTRO", ""), (_FOR_NEWER,))
    return dict.fromkeys(names, str(path))


def without_camera_images(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables to change for a process that publishes no camera images.

    Each process fills the whole segment of its profile when it starts: 128 MB of memory with fastdds_large.xml, where
    the 8 MB of fastdds.xml suffice. Receiving needs no segment, and annotated images, which are sent again until they
    arrive, do so as fast through 8 MB. A profile of the user's own is kept.

    Args:
        environment: as `os.environ`.
    """
    small = {
        name: Path(environment[name]).with_name(_SMALL_SEGMENT)
        for name in (_FOR_NEWER, _FOR_OLDER)
        if Path(environment.get(name, "")).name == _LARGE_SEGMENT
    }
    return {name: str(path) for name, path in small.items() if path.is_file()}


def shared_memory_shortage(environment: Mapping[str, str]) -> str:
    """Return what to say about /dev/shm if it has no space for this process's segment, otherwise an empty text.

    Fast DDS then uses UDP, and its own error names another cause.

    Args:
        environment: as `os.environ`.
    """
    if "fastrtps" not in environment.get("RMW_IMPLEMENTATION", "rmw_fastrtps_cpp") or not _SHARED_MEMORY.is_dir():
        return ""
    needed = _segment_size(environment) + _SEGMENT_OVERHEAD
    free = shutil.disk_usage(_SHARED_MEMORY).free
    if free >= needed:
        return ""
    return (
        f"{_SHARED_MEMORY} has {free >> 20} MB of free space, and Fast DDS needs {-(-needed >> 20)} MB: without shared "
        "memory it loses large images; give the container more (--shm-size=512m), or remove what is left there"
    )


def _segment_size(environment: Mapping[str, str]) -> int:
    """Return the bytes of the segment that the profile in `environment` sets."""
    path = Path(environment.get(_FOR_NEWER) or environment.get(_FOR_OLDER) or "none")
    with suppress(OSError):
        size = re.search(r"<segment_size>(\d+)</segment_size>", path.read_text(encoding="utf-8", errors="replace"))
        return int(size[1]) if size else _DEFAULT_SEGMENT
    return _DEFAULT_SEGMENT


def _default_profile() -> str:
    large = _SHARED_MEMORY.is_dir() and shutil.disk_usage(_SHARED_MEMORY).total >= _LARGE_SHARED_MEMORY
    return _LARGE_SEGMENT if large else _SMALL_SEGMENT


if __name__ == "__main__":
    for name, path in variables(os.environ).items():
        print(f"export {name}={shlex.quote(path)}")
