# SPDX-License-Identifier: Apache-2.0
"""CPU time per face of each backend: `python -m benchmarks.inference` prints a table and writes JSON.

Networks have random weights, on which speed does not depend. The measurements alternate, so that other load on the
machine affects all of them alike; the time is the CPU time of the calling thread.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import torch

from fer_ros import networks
from fer_ros.emotion import model_file
from fer_ros.emotion.backends import registry
from fer_ros.emotion.labels import FER2013
from fer_ros.emotion.model_file import ModelMetadata
from fer_ros.emotion.preprocessing import Preprocessing

BATCHES = (1, 16)
ROUNDS, PASSES = 15, 20

Logits = Callable[[np.ndarray], np.ndarray]


def main(arguments: list[str] | None = None) -> None:
    command_line = argparse.ArgumentParser(prog="python -m benchmarks.inference", description=__doc__.splitlines()[0])
    command_line.add_argument("--networks", nargs="+", default=["mini_xception", "lite_xception", "res_se"])
    command_line.add_argument("--json", type=Path, default=Path("out/bench/inference.json"), metavar="FILE")
    options = command_line.parse_args(arguments)
    warnings.simplefilter("ignore", DeprecationWarning)  # that of TorchScript
    torch.set_num_threads(1)
    cv2.setNumThreads(1)

    print(f"{'CPU ms per face':28}" + "".join(f"{f'batch {n}':>10}" for n in BATCHES) + f"{'largest difference':>20}")
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in options.networks:
            results[name] = measure(create_backends(name, Path(folder)), networks.input_size(name) or 48)
            for backend, row in results[name].items():
                times = "".join(f"{row[f'batch_{n}']:10.3f}" for n in BATCHES)
                print(f"{name + ' ' + backend:28}{times}{row['difference']:20.0e}")
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps({"machine": machine(), "ms_of_cpu_a_face": results}, indent=1) + "\n")
    print(f"written to {options.json}")


def create_backends(name: str, folder: Path) -> dict[str, Logits]:
    """Return a network with random weights in every backend that is installed, and in eager PyTorch."""
    size = networks.input_size(name) or 48
    network = networks.create(name, len(FER2013))
    network.train()(torch.rand(8, 1, size, size))
    metadata = ModelMetadata(name, FER2013, Preprocessing(input_size=size))
    packages = {"torchscript": ["torch"], "opencv": ["onnx"], "onnx": ["onnx", "onnxruntime"]}
    by_backend: dict[str, Logits] = {"eager": lambda batch: eager(network, batch)}
    for backend, needed in packages.items():
        if any(find_spec(package) is None for package in needed):
            print(f"{name} {backend}: not measured, because it needs {' and '.join(needed)}")
            continue
        path = folder / f"{name}{registry.suffix(backend)}"
        if not path.exists():
            model_file.write(path, network, metadata)
        by_backend[backend] = registry.load(backend, model_file.read(path)).logits
    network.eval()
    return by_backend


@torch.inference_mode()
def eager(network: torch.nn.Module, batch: np.ndarray) -> np.ndarray:
    return network(torch.from_numpy(batch)).numpy()


def measure(by_backend: dict[str, Logits], size: int) -> dict[str, dict[str, float]]:
    """Return the median CPU time per face in ms, and the largest difference of the logits from eager PyTorch."""
    faces = np.random.default_rng(0).standard_normal((max(BATCHES), 1, size, size)).astype(np.float32)
    times = {(backend, n): [] for backend in by_backend for n in BATCHES}
    for _ in range(ROUNDS):
        for backend, n in times:
            times[backend, n].append(seconds(by_backend[backend], faces[:n]) / n)
    expected = by_backend["eager"](faces)
    return {
        backend: {f"batch_{n}": 1000 * float(np.median(times[backend, n])) for n in BATCHES}
        | {"difference": float(np.abs(logits(faces) - expected).max())}
        for backend, logits in by_backend.items()
    }


def seconds(logits: Logits, batch: np.ndarray) -> float:
    """Return the CPU time of one pass in seconds, the median of several."""
    passes = []
    for _ in range(PASSES):
        started = time.thread_time()
        logits(batch)
        passes.append(time.thread_time() - started)
    return float(np.median(passes))


def machine() -> dict[str, str]:
    known = {"torch": torch.__version__, "opencv": cv2.__version__, "numpy": np.__version__}
    if find_spec("onnxruntime"):
        known["onnxruntime"] = version("onnxruntime")
    return {"processor": platform.processor() or platform.machine(), "python": platform.python_version(), **known}


if __name__ == "__main__":
    main()
