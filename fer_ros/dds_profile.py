"""Which environment makes Fast DDS, the default middleware of ROS 2, and Cyclone DDS carry whole images.

Without it an image is larger than the memory that processes of one machine share, or than the buffer of a socket, and
best-effort ones are lost whole.

`python -m fer_ros.dds_profile` prints it for a shell.
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path

from fer_ros import resources

_FOR_NEWER, _FOR_OLDER = "FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE"
_READ_BY = {"humble": (_FOR_OLDER,), "iron": (_FOR_OLDER,), "jazzy": (_FOR_OLDER,)}
"""Later ones read the newer name, and warn about the older."""
_FOR_CYCLONE = "CYCLONEDDS_URI"
_SHARED_MEMORY = Path("/dev/shm")
_ROOMY = 8 * 2**30
"""Bytes of shared memory from which every process may take 128 MB of it; half of a machine's memory is usual."""


def variables(environment: Mapping[str, str], profile: str = "") -> dict[str, str]:
    """What to add to `environment`, for a process and those it starts; nothing where the user has set a profile.

    Args:
        environment: as `os.environ`.
        profile: path of the profile; empty takes config/fastdds_large.xml where shared memory has 8 GB or more, and
            config/fastdds.xml elsewhere. Cyclone DDS has one of its own.

    Raises:
        FileNotFoundError: that file is not there.
    """
    if environment.get("RMW_IMPLEMENTATION") == "rmw_cyclonedds_cpp":
        if environment.get(_FOR_CYCLONE):
            return {}
        return {_FOR_CYCLONE: f"file://{resources.find('config', 'cyclonedds', ('.xml',))}"}
    if environment.get(_FOR_NEWER) or environment.get(_FOR_OLDER):
        return {}
    path = resources.find("config", profile or _fitting(), (".xml",))
    names = _READ_BY.get(environment.get("ROS_DISTRO", ""), (_FOR_NEWER,))
    return dict.fromkeys(names, str(path))


def _fitting() -> str:
    roomy = _SHARED_MEMORY.is_dir() and shutil.disk_usage(_SHARED_MEMORY).total >= _ROOMY
    return "fastdds_large.xml" if roomy else "fastdds.xml"


if __name__ == "__main__":
    for name, path in variables(os.environ).items():
        print(f"export {name}={shlex.quote(path)}")
