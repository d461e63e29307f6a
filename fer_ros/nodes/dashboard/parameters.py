# SPDX-License-Identifier: Apache-2.0
"""Parameters of the dashboard node."""

from __future__ import annotations

from dataclasses import dataclass

from fer_ros.nodes.common.parameters import parameter


@dataclass(frozen=True)
class DashboardSettings:
    """Values of the parameters; all are read-only."""

    host: str = parameter(
        "127.0.0.1",
        "Address that the page is served on. The default reaches this machine only; 0.0.0.0 reaches the whole network. "
        "The page asks for no password.",
    )
    port: int = parameter(8080, "TCP port of the page; 0 takes a free one, which is logged.", range=(0, 65535))
    open: bool = parameter(False, "Open the page in the default web browser of this machine.")
    cameras: tuple[str, ...] = parameter(
        ("",), "Names of the cameras, as for emotion_node; an empty name means topics without a prefix."
    )
    emotion_node: str = parameter(
        "emotion_node",
        "Name of the emotion node whose health is shown and that the buttons control, absolute or relative to this "
        "node's namespace.",
    )
    trainer_node: str = parameter(
        "trainer_node",
        "Name of the trainer node whose training is shown, absolute or relative to this node's namespace.",
    )
    history: float = parameter(60.0, "Seconds of each person's emotions that are shown.", range=(5.0, 600.0))
    max_rate: float = parameter(15.0, "Live images per second that each page gets at most.", range=(0.1, 100.0))
