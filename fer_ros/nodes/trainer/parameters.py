# SPDX-License-Identifier: Apache-2.0
"""Parameters of the trainer node."""

from __future__ import annotations

from dataclasses import dataclass

from fer_ros.nodes.common.parameters import parameter


@dataclass(frozen=True)
class TrainerSettings:
    """Values of the parameters; all are read-only."""

    datasets: str = parameter("datasets", "Folder that relative paths in a goal's dataset start from.")
    output: str = parameter("out/training", "Folder of the runs; each has a sub-folder named after its output_name.")
    emotion_node: str = parameter(
        "emotion_node",
        "Name of the emotion node that a goal with deploy sends its model to, absolute or relative to this node's "
        "namespace.",
    )
    deploy_timeout: float = parameter(
        90.0, "Seconds to wait for the emotion node's service, and for its response.", range=(0.1, 1e4)
    )
    threads: int = parameter(0, "CPU threads for training; 0 uses one per core.", range=(0, 1024))
    nice: int = parameter(
        10, "Niceness of the training process: 0 is the priority of other programs, 19 the lowest.", range=(0, 19)
    )
