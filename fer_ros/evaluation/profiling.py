# SPDX-License-Identifier: Apache-2.0
"""Profile a model: parameters, multiply-accumulates, file size, memory, latency and CPU time."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import fx, nn

from fer_ros import networks
from fer_ros.emotion.classifier import Classifier
from fer_ros.networks.layer_counts import LayerCounts, layer_counts

_PASSES = 200


@dataclass(frozen=True)
class Profile:
    """Resources of one model under one backend at batch size 1."""

    backend: str
    parameters: int
    """Including the running statistics of batch norm, as Keras counts."""
    trainable_parameters: int
    layers: LayerCounts | None
    """None for a network that depends on the values it is given."""
    multiply_accumulates: int
    """Of convolutions and linear layers, per face."""
    file_bytes: int
    peak_memory_bytes: int
    """Resident memory of a process that only loads the model and classifies, including Python and its libraries."""
    milliseconds: float
    """Wall time from crop to scores, median."""
    cpu_milliseconds: float
    """CPU time of all threads for the same, median; above `milliseconds` when several threads work."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def profile(path: Path, classifier: Classifier) -> Profile:
    """Profile a model. Other threads of this process distort the times.

    Args:
        path: of the model file.
        classifier: loaded from it.

    Raises:
        CalledProcessError: the process that measures the memory failed.
    """
    classifier.finish_compilation()  # would distort the times, and call layers while others are traced
    metadata = classifier.metadata
    network = networks.create(metadata.network, len(metadata.labels), **metadata.network_options)
    trainable = sum(values.numel() for values in network.parameters())
    statistics = sum(values.numel() for values in network.buffers() if values.is_floating_point())
    wall, cpu = _times(classifier)
    return Profile(
        backend=classifier.backend,
        parameters=trainable + statistics,
        trainable_parameters=trainable,
        layers=_layers(network),
        multiply_accumulates=multiply_accumulates(network, metadata.preprocessing.input_size),
        file_bytes=path.stat().st_size,
        peak_memory_bytes=_peak_memory(path, classifier.backend),
        milliseconds=1000 * wall,
        cpu_milliseconds=1000 * cpu,
    )


def multiply_accumulates(network: nn.Module, input_size: int) -> int:
    """Return the multiply-accumulates of convolutions and linear layers for one (input_size, input_size) crop."""
    total = 0

    def count(layer: nn.Module, inputs: Any, output: torch.Tensor) -> None:
        nonlocal total
        assert isinstance(layer.weight, torch.Tensor)
        # Each output value is a sum over one filter, or over one row of the weight matrix.
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


def rows(profile: Profile) -> dict[str, str]:
    """Return the values with their units, by name."""
    utilization = profile.cpu_milliseconds / profile.milliseconds
    return {
        "backend": profile.backend,
        "parameters": f"{profile.parameters:,} ({profile.trainable_parameters:,} trainable)",
        "convolutions / poolings / dense layers": layers_text(profile.layers),
        "multiply-accumulates": f"{profile.multiply_accumulates / 1e6:.2f} million per face",
        "file": f"{profile.file_bytes / 1024:,.1f} KiB",
        "peak memory": f"{profile.peak_memory_bytes / 2**20:,.0f} MiB (whole process)",
        "latency": f"{profile.milliseconds:.3f} ms per face",
        "CPU": f"{profile.cpu_milliseconds:.3f} ms per face ({100 * utilization:.0f} % of a core)",
    }


def _layers(network: nn.Module) -> LayerCounts | None:
    try:
        return layer_counts(network)
    except fx.proxy.TraceError:
        return None


def layers_text(layers: LayerCounts | None) -> str:
    """Return numbers of convolutions, poolings and dense layers as Rao et al. count: strided shortcuts are poolings."""
    if layers is None:
        return "unknown"
    poolings = layers.poolings + layers.strided_shortcuts
    return f"{layers.convolutions} / {poolings} / {layers.fully_connected}"


def table(profile: Profile) -> str:
    """Return the values as aligned text."""
    return "\n".join(f"{name:40}{value}" for name, value in rows(profile).items())


def _times(classifier: Classifier) -> tuple[float, float]:
    """Return the median wall and CPU time for one face, seconds."""
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
from fer_ros.evaluation.resources import peak_memory
classifier = Classifier(sys.argv[1], sys.argv[2])
size = classifier.preprocessing.input_size
for _ in range(20):
    classifier.scores(np.zeros((1, size, size), np.uint8))
print(peak_memory())
"""


def _peak_memory(path: Path, backend: str) -> int:
    """Return the peak resident memory, bytes, of a new process that loads the model and classifies."""
    command = [sys.executable, "-c", _CHILD, str(path.absolute()), backend]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1])
