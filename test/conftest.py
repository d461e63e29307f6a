# SPDX-License-Identifier: Apache-2.0
"""Give this test run a ROS domain, so that it neither receives from nor disturbs other nodes on this machine."""

import os
import signal
import socket
import sys
from pathlib import Path

# For `import benchmarks` under colcon, which runs the tests from its build folder. Last, so that an installed fer_ros
# is the one that is tested.
sys.path.append(str(Path(__file__).parents[1]))

DOMAINS = range(70, 101)
"""ROS domains for tests. Above 101 the ports of DDS lie in the ephemeral range of Linux."""
_PORT = 41_700
"""A test run reserves a domain by listening on this port plus the domain's number."""


def _reserve_domain() -> tuple[int, socket.socket]:
    for domain in DOMAINS:
        reservation = socket.socket()
        try:
            reservation.bind(("127.0.0.1", _PORT + domain))
        except OSError:
            reservation.close()
        else:
            return domain, reservation
    raise RuntimeError(f"all ROS domains for tests, {DOMAINS.start} to {DOMAINS.stop - 1}, are in use by other runs")


# Before rclpy or a message is imported: they read these once.
_domain, _reservation = _reserve_domain()
os.environ["ROS_DOMAIN_ID"] = str(_domain)
os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
if os.environ.get("ROS_DISTRO") == "humble":
    os.environ["ROS_LOCALHOST_ONLY"] = "1"  # the same; later releases warn about it
# Messages check the types of their fields only when asked to; without it a mistake appears as a crash in C.
os.environ["ROS_PYTHON_CHECK_FIELDS"] = "1"

# A shell starts its background jobs with SIGINT ignored; tests send it to this process and its children.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
