"""What all tests share: a ROS of their own, that neither hears nor disturbs anything else on this machine."""

import os
import socket

DOMAINS = range(70, 101)
"""ROS domains for tests. Above 101 the ports of DDS reach into those that Linux hands out to others."""
_PORT = 41_700
"""Whoever listens on this port plus a domain's number has that domain."""


def _reserve_domain() -> tuple[int, socket.socket]:
    for domain in DOMAINS:
        reservation = socket.socket()
        try:
            reservation.bind(("127.0.0.1", _PORT + domain))
        except OSError:
            reservation.close()
        else:
            return domain, reservation
    raise RuntimeError("every ROS domain for tests is taken")


# Before anything imports rclpy or a message, which read these once.
_domain, _reservation = _reserve_domain()
os.environ["ROS_DOMAIN_ID"] = str(_domain)
os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
if os.environ.get("ROS_DISTRO") == "humble":
    os.environ["ROS_LOCALHOST_ONLY"] = "1"  # the same, of which later releases complain
# Messages check the types of their fields only when asked to; without it a mistake appears as a crash in C.
os.environ["ROS_PYTHON_CHECK_FIELDS"] = "1"
