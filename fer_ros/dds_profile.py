"""Which environment makes Fast DDS, the default middleware of ROS 2, carry whole images.

Without it an image is larger than the memory that processes of one machine share, and best-effort ones are lost whole.
"""

from __future__ import annotations

from collections.abc import Mapping

from fer_ros import resources

_FOR_NEWER, _FOR_OLDER = "FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE"
_READ_BY = {"humble": (_FOR_OLDER,), "iron": (_FOR_OLDER,), "jazzy": (_FOR_OLDER,)}
"""Later ones read the newer name, and warn about the older."""


def variables(environment: Mapping[str, str], profile: str = "") -> dict[str, str]:
    """What to add to `environment`, for a process and those it starts; nothing where the user has set a profile.

    Args:
        environment: as `os.environ`.
        profile: path of the profile; empty takes config/fastdds.xml.

    Raises:
        FileNotFoundError: that file is not there.
    """
    if environment.get(_FOR_NEWER) or environment.get(_FOR_OLDER):
        return {}
    path = resources.find("config", profile or "fastdds.xml", (".xml",))
    names = _READ_BY.get(environment.get("ROS_DISTRO", ""), (_FOR_NEWER,))
    return dict.fromkeys(names, str(path))
