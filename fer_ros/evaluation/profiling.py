"""What a model asks of the robot: parameters, arithmetic, file, memory, time."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from fer_ros import networks
from fer_ros.emotion.backends import registry
from fer_ros.emotion.classifier import Classifier

_PASSES = 200


@dataclass(frozen=True)
class Costs:
    """One model under one backend, one face at a time."""

    backend: str
    parameters: int
    """With batch norm's statistics, as papers that use Keras count."""
    trainable_parameters: int
    multiply_accumulates: int
    """Of convolutions and dense layers, for one face."""
    file_bytes: int
    peak_memory_bytes: int
    """Of a process that only loads the model and classifies, with Python and its libraries."""
    milliseconds: float
    """From crop to scores, median."""
    cpu_milliseconds: float
    """CPU time of all threads of the process in it, median; above `milliseconds` where several worked."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def measure(model: str | Path, backend: str = registry.AUTO) -> Costs:
    """Measures a model file; the process should do nothing else meanwhile.

    Raises:
        As `Classifier`; CalledProcessError: the process that measures memory failed.
    """
    path, backend = registry.find(model, backend)
    classifier = Classifier(path, backend)
    about = classifier.metadata
    network = networks.create(about.network, len(about.labels), **about.network_options)
    trainable = sum(values.numel() for values in network.parameters())
    statistics = sum(values.numel() for values in network.buffers() if values.is_floating_point())
    wall, cpu = _times(classifier)
    return Costs(
        backend=backend,
        parameters=trainable + statistics,
        trainable_parameters=trainable,
        multiply_accumulates=multiply_accumulates(network, about.preprocessing.input_size),
        file_bytes=path.stat().st_size,
        peak_memory_bytes=_peak_memory(path, backend),
        milliseconds=1000 * wall,
        cpu_milliseconds=1000 * cpu,
    )


def multiply_accumulates(network: nn.Module, input_size: int) -> int:
    """Multiplications with weights in convolutions and dense layers for one (input_size, input_size) crop."""
    total = 0

    def count(layer: nn.Module, _, output: torch.Tensor) -> None:
        nonlocal total
        # Each output value is a sum over one filter, or one row of the matrix.
        total += output.numel() * layer.weight[0].numel()

    layers = [layer for layer in network.modules() if isinstance(layer, (nn.Conv2d, nn.Linear))]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    training = network.training
    try:
        with torch.inference_mode():
            network.eval()(torch.zeros(1, 1, input_size, input_size))
    finally:
        network.train(training)
        for hook in hooks:
            hook.remove()
    return total


def rows(costs: Costs) -> dict[str, str]:
    """The costs with their units, by name."""
    busy = costs.cpu_milliseconds / costs.milliseconds
    return {
        "backend": costs.backend,
        "parameters": f"{costs.parameters:,} ({costs.trainable_parameters:,} trainable)",
        "multiply-accumulates": f"{costs.multiply_accumulates / 1e6:.2f} million a face",
        "file": f"{costs.file_bytes / 1024:,.1f} KiB",
        "peak memory": f"{costs.peak_memory_bytes / 2**20:,.0f} MiB, the whole process",
        "latency": f"{costs.milliseconds:.3f} ms a face",
        "CPU": f"{costs.cpu_milliseconds:.3f} ms a face, {100 * busy:.0f} % of a core meanwhile",
    }


def table(costs: Costs) -> str:
    """The costs as aligned text."""
    return "\n".join(f"{name:22}{value}" for name, value in rows(costs).items())


def _times(classifier: Classifier) -> tuple[float, float]:
    """Seconds of wall and CPU time for one face, medians."""
    size = classifier.preprocessing.input_size
    crop = np.random.default_rng(0).integers(0, 255, (1, size, size), np.uint8)
    wall, cpu = [], []
    for _ in range(_PASSES):
        started = time.perf_counter(), time.process_time()
        classifier.scores(crop)
        wall.append(time.perf_counter() - started[0])
        cpu.append(time.process_time() - started[1])
    return float(np.median(wall)), float(np.median(cpu))


_CHILD = """
import sys
import numpy as np
from fer_ros.emotion.classifier import Classifier
classifier = Classifier(sys.argv[1], sys.argv[2])
size = classifier.preprocessing.input_size
for _ in range(20):
    classifier.scores(np.zeros((1, size, size), np.uint8))
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
"""


def _peak_memory(path: Path, backend: str) -> int:
    """Bytes; the kernel tells it in KiB."""
    # In a new process, or all that this one has done before would count too. Not by getrusage, which in a child starts
    # with the parent's memory.
    command = [sys.executable, "-c", _CHILD, str(path.absolute()), backend]
    return 1024 * int(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1])
