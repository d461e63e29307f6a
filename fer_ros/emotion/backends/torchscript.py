"""Runs a model file with torch: TorchScript, frozen, fused by oneDNN, channels last, one thread.

Not every build of torch fuses. Debian 12's (1.13) does not, and takes its plain kernels for one thread: one face then
costs up to 17 times the CPU, which `optimize_for_inference` mends. With newer builds that have no fusion it can be the
slower of the two, and with those that have it, it fails. So it is tried only without fusion, and timed.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np

from fer_ros.emotion.model_file import ModelFileError

try:
    import torch
except ImportError as error:
    raise ImportError(
        "the backend 'torchscript' needs the package torch (pip install torch); the backend 'opencv' needs no package"
    ) from error

_LARGEST_BATCH = 4
"""Fused code is compiled for one batch size at a time, which takes 0.1 s: all up to this one are, at the start. Of more
faces a core's cache no longer holds the maps: sixteen take two thirds of the time in fours instead of eights."""
_BREATH = 0.05
"""Seconds between loading and freezing. Unlike compiling, each holds up all Python threads for tens of milliseconds;
a node that answers images while it loads another model catches up between the two."""


class TorchScriptBackend:
    """A loaded network, warmed up.

    Raises:
        ModelFileError: torch cannot load or run the file.
    """

    def __init__(self, path: Path, input_size: int):
        self._calling = threading.local()
        _fuse()
        try:
            network = torch.jit.load(str(path), map_location="cpu").eval().to(memory_format=torch.channels_last)
            time.sleep(_BREATH)
            self._network = torch.jit.freeze(network)
            self._warm_up(1, input_size)
            if not _is_fused():
                self._network = self._quicker(self._network, torch.jit.optimize_for_inference(network), input_size)
            for faces in range(2, _LARGEST_BATCH + 1):
                self._warm_up(faces, input_size)
        except RuntimeError as error:
            raise ModelFileError(f"torch {torch.__version__} cannot load {path}: {error}") from error

    def logits(self, batch: np.ndarray) -> np.ndarray:
        """(N, 1, size, size) float32 to (N, classes) float32."""
        if not hasattr(self._calling, "known"):
            # On a network this small more threads only add waiting, and take cores from the rest of the robot. torch
            # keeps this for each calling thread, and a node does not classify in the thread that loaded the model.
            torch.set_num_threads(1)
            self._calling.known = True
        with torch.inference_mode():
            parts = [self._network(part).numpy() for part in torch.from_numpy(batch).split(_LARGEST_BATCH)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _warm_up(self, faces: int, input_size: int) -> None:
        """The first pass of each size profiles, the second compiles; better here than under the first face."""
        for _ in range(2):
            self.logits(np.zeros((faces, 1, input_size, input_size), np.float32))

    def _quicker(self, one: torch.nn.Module, other: torch.nn.Module, input_size: int) -> torch.nn.Module:
        """Of two forms of the network the one that takes less CPU for one face."""
        seconds = {}
        for network in (one, other):
            self._network = network
            self._warm_up(1, input_size)
            started = time.thread_time()
            self._warm_up(1, input_size)
            seconds[network] = time.thread_time() - started
        return min(seconds, key=seconds.get)


def _fuse() -> None:
    """Lets oneDNN run a convolution, its batch norm, activation and sum as one, where this build of torch can."""
    try:
        torch.jit.enable_onednn_fusion(True)
    except (AttributeError, RuntimeError):
        return


def _is_fused() -> bool:
    """Whether oneDNN fused what this thread has just run; a build may have the switch and nothing behind it."""
    return "oneDNNFusionGroup" in str(torch.jit.last_executed_optimized_graph())
