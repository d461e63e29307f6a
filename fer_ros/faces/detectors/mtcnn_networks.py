# SPDX-License-Identifier: Apache-2.0
"""The networks of MTCNN in PyTorch, with the weights of the pip package `mtcnn` (MIT license).

Only the weights of that package are read; importing it would need TensorFlow.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional


class Network:
    """A network defined by the list of weights that Keras' `get_weights` returns.

    Args:
        weights: for each layer a kernel, (height, width, in, out) or (in, out), a bias and the slopes of a PReLU; then
            kernel and bias of each output.
        pools: (size, step) of the max pooling after each layer, None for none.
        outputs: number of outputs; the last is a softmax over two classes.
    """

    def __init__(self, weights: Sequence[np.ndarray], pools: Sequence[tuple[int, int] | None], outputs: int):
        tensors = [_as_tensor(weight) for weight in weights]
        tensors[0] = tensors[0].sum(1, keepdim=True)  # one gray channel instead of three equal ones
        layers = len(tensors) - 2 * outputs
        self._layers = [tensors[start : start + 3] for start in range(0, layers, 3)]
        self._outputs = [tensors[start : start + 2] for start in range(layers, len(tensors), 2)]
        self._pools = pools

    def __call__(self, batch: np.ndarray) -> list[np.ndarray]:
        """Return the outputs for (N, 1, height, width) float32: the score of the face class first, then the others."""
        # Networks this small are slower on several threads. The setting is the caller's, so it is restored.
        threads = torch.get_num_threads()
        if threads != 1:
            torch.set_num_threads(1)
        try:
            return self._run(batch)
        finally:
            if threads != 1:
                torch.set_num_threads(threads)

    def _run(self, batch: np.ndarray) -> list[np.ndarray]:
        with torch.inference_mode():
            x = torch.from_numpy(batch)
            for (kernel, bias, slopes), pool in zip(self._layers, self._pools, strict=True):
                if kernel.ndim == 2 and x.ndim == 4:
                    x = x.permute(0, 3, 2, 1).flatten(1)  # the first dense layer has Keras' order of inputs
                x = functional.prelu(_layer(x, kernel, bias), slopes)
                if pool:
                    # Ten times faster with channels last, which torch does not infer for a single channel.
                    x = functional.max_pool2d(x.contiguous(memory_format=torch.channels_last), *pool, ceil_mode=True)
            *others, classes = (_layer(x, kernel, bias) for kernel, bias in self._outputs)
            return [output.numpy() for output in (classes.softmax(1)[:, 1], *others)]


@lru_cache(maxsize=1)
def load_networks() -> tuple[Network, Network, Network]:
    """Return P-Net, R-Net and O-Net; read once per process, because their weights never change.

    Raises:
        ImportError: the package `mtcnn`, or one that reads its weights, is not installed.
        ValueError: the weights cannot be read.
    """
    folder = _weights_folder()
    import joblib
    import lz4  # noqa: F401 (joblib reads the files with it)

    files = [folder / f"{name}.lz4" for name in ("pnet", "rnet", "onet")]
    try:
        p_net, r_net, o_net = (joblib.load(file) for file in files)
        return (
            Network(p_net, ((2, 2), None, None), 2),
            Network(r_net, ((3, 2), (3, 2), None, None), 2),
            Network(o_net, ((3, 2), (3, 2), (2, 2), None, None), 3),
        )
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"the weights of MTCNN in {folder} cannot be read ({error}); install mtcnn 1.0") from error


def _weights_folder() -> Path:
    """Return the folder of the weights; finds the package without importing it."""
    package = importlib.util.find_spec("mtcnn")
    if package is None or not package.submodule_search_locations:
        raise ImportError("No module named 'mtcnn'")
    return Path(package.submodule_search_locations[0]) / "assets" / "weights"


def _layer(x: torch.Tensor, kernel: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    return functional.conv2d(x, kernel, bias) if kernel.ndim == 4 else functional.linear(x, kernel, bias)


def _as_tensor(weight: np.ndarray) -> torch.Tensor:
    """Convert from Keras' order of dimensions to torch's."""
    tensor = torch.from_numpy(weight)
    if weight.ndim == 4:
        return tensor.permute(3, 2, 0, 1).contiguous(memory_format=torch.channels_last)
    return tensor.T.contiguous() if weight.ndim == 2 else tensor.flatten()
