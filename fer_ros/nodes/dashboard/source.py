# SPDX-License-Identifier: Apache-2.0
"""Interface of the node for the server and its pages, which run in another thread."""

from __future__ import annotations

from typing import Protocol

from fer_ros.nodes.dashboard.commands import Commands
from fer_ros.nodes.dashboard.parameters import DashboardSettings
from fer_ros.nodes.dashboard.pictures import Pictures
from fer_ros.nodes.dashboard.state import DashboardState


class Source(Protocol):
    """What pages show and control."""

    settings: DashboardSettings
    state: DashboardState
    """Replaced as a whole in the thread of the executor."""
    pictures: Pictures
    commands: Commands

    def set_viewer(self, viewer: str, looks: bool) -> None:
        """Remember whether a browser shows the page; for the thread of the server."""
