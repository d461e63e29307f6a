"""Runs a model file with torch: TorchScript, frozen, fused by oneDNN, channels last, one thread."""

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

_BATCHES = (1, 2, 4, 8)
"""Fused code is compiled for one batch size at a time, which takes 0.1 s. So there are a few sizes, all compiled at the
start, and a batch between two is filled up. Of more faces than these a core's cache no longer holds the maps: sixteen
take two thirds of the time in two batches."""


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
            # The first pass of each size profiles, the second compiles; better here than under the first face.
            for faces in _BATCHES:
                for _ in range(2):
                    self.logits(np.zeros((faces, 1, input_size, input_size), np.float32))
        except RuntimeError as error:
            raise ModelFileError(f"torch {torch.__version__} cannot load {path}: {error}") from error

    def logits(self, batch: np.ndarray) -> np.ndarray:
        """(N, 1, size, size) float32 to (N, classes) float32."""
        if not hasattr(self._calling, "known"):
            # On a network this small more threads only add waiting, and take cores from the rest of the robot. torch
            # keeps this for each calling thread, and a node does not classify in the thread that loaded the model.
            torch.set_num_threads(1)
            self._calling.known = True
        largest = _BATCHES[-1]
        parts = [self._part(batch[start : start + largest]) for start in range(0, len(batch), largest)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _part(self, batch: np.ndarray) -> np.ndarray:
        faces = len(batch)
        missing = next(size for size in _BATCHES if size >= faces) - faces
        if missing:
            batch = np.concatenate([batch, np.zeros((missing, *batch.shape[1:]), np.float32)])
        with torch.inference_mode():
            return self._network(torch.from_numpy(batch)).numpy()[:faces]


def _fuse() -> None:
    """Lets oneDNN run a convolution, its batch norm, activation and sum as one, where this build of torch can."""
    try:
        torch.jit.enable_onednn_fusion(True)
    except (AttributeError, RuntimeError):
        return
