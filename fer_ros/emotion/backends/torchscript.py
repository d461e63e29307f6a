# SPDX-License-Identifier: Apache-2.0
"""Run TorchScript model files with PyTorch: frozen, fused by oneDNN, channels last, one thread.

Not every build of torch fuses. Debian 12's torch 1.13 does not, and uses its plain kernels for one thread: a face then
costs up to 17 times the CPU, which `optimize_for_inference` remedies. With newer builds without fusion that can be the
slower of the two, and with builds that fuse it fails. So it is tried only without fusion, and timed.
"""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from fer_ros.emotion.model_file import ModelFile, ModelFileError
from fer_ros.text import printable

_MAX_BATCH = 4
"""Larger batches are split. The feature maps of more faces do not fit into a core's cache: sixteen faces take two
thirds of the time in batches of four instead of eight."""
_WORTHWHILE = 20
"""Faces in batches of several after which these are compiled: a person with company, not a single false detection.
Fused code is compiled for each batch size, which takes 0.1 s and 5 MB."""
_PAUSE = 0.05
"""Seconds between loading and freezing. Both, unlike compilation, hold Python's global lock for tens of milliseconds; a
node that processes images while it loads another model catches up in between. The first one is loaded without."""


class TorchScriptBackend:
    """A loaded network, warmed up for one face at a time.

    Once there are batches of several faces, their sizes are compiled in a background thread; until then such a batch is
    run face by face. torch's number of threads and its switch for oneDNN fusion are process-wide; both are restored
    after use. A process of its own may set the number to 1, which saves restoring it: 0.3 ms for each call.

    Args:
        model: the model file.

    Raises:
        ModelFileError: torch cannot load or run the file.
    """

    _count = 0
    """Networks that this process has loaded."""

    def __init__(self, model: ModelFile):
        self._input_size = model.metadata.preprocessing.input_size
        self._compiled = 1
        """Largest size of a batch that is compiled; so are all below it."""
        self._faces_in_company = 0
        self._compilation: threading.Thread | None = None
        try:
            with _fusion_enabled():
                network = torch.jit.load(io.BytesIO(model.network), map_location="cpu").eval()
                network = network.to(memory_format=torch.channels_last)
                if TorchScriptBackend._count:
                    time.sleep(_PAUSE)
                TorchScriptBackend._count += 1
                self._network = torch.jit.freeze(network)
                self._warm_up(1)
                if not _is_fused():
                    optimized = torch.jit.optimize_for_inference(network)
                    self._network = self._fastest(self._network, optimized)
        except Exception as error:  # torch passes on whatever its parts raise
            raise ModelFileError(
                f"torch {torch.__version__} cannot load {model.path}: {printable(error, 400)}"
            ) from error

    def logits(self, batch: np.ndarray) -> np.ndarray:
        """Return (N, classes) float32 for (N, 1, size, size) float32."""
        if len(batch) > 1 and self._faces_in_company < _WORTHWHILE:
            self._faces_in_company += len(batch)
            if self._faces_in_company >= _WORTHWHILE:
                self._compilation = threading.Thread(target=self._compile_larger_batches, name="compilation")
                self._compilation.start()
        parts = self._run(batch, self._compiled)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def compile_batches(self) -> None:
        """Compile batches of several faces now, not in the background when they are frequent.

        From then on equal batches give equal logits; before, the last bits depend on how far the background thread is.
        """
        self._faces_in_company = _WORTHWHILE
        self._compile_larger_batches()

    def finish_compilation(self) -> None:
        """Wait until the background thread has compiled, if it does."""
        if self._compilation:
            self._compilation.join()

    def _run(self, batch: np.ndarray, size: int) -> list[np.ndarray]:
        """Return the logits of parts of a batch, each of this size or less."""
        # A network this small gains nothing from more threads, which would take cores from other processes.
        threads = torch.get_num_threads()
        if threads != 1:
            torch.set_num_threads(1)
        # NumPy gives a new axis, as that of the one channel, a stride of 0. Fused code, compiled for the strides of the
        # warm-up, then reads wrong values in networks that concatenate their input.
        crops = torch.from_numpy(batch.ravel()).view(batch.shape)
        try:
            with torch.inference_mode():
                return [self._network(part).numpy() for part in crops.split(size)]
        finally:
            if threads != 1:
                torch.set_num_threads(threads)

    def _compile_larger_batches(self) -> None:
        with _fusion_enabled():
            for faces in range(2, _MAX_BATCH + 1):
                self._warm_up(faces)
                self._compiled = faces

    def _warm_up(self, faces: int) -> None:
        """Run a batch size twice: the first pass profiles, the second compiles."""
        for _ in range(2):
            self._run(np.zeros((faces, 1, self._input_size, self._input_size), np.float32), faces)

    def _fastest(self, first: torch.nn.Module, second: torch.nn.Module) -> torch.nn.Module:
        """Return that of two forms of the network that takes less CPU time for one face."""
        seconds = {}
        for network in (first, second):
            self._network = network
            self._warm_up(1)
            started = time.thread_time()
            self._warm_up(1)
            seconds[network] = time.thread_time() - started
        return min(seconds, key=seconds.__getitem__)


_fusion_lock = threading.Lock()
"""Held while fusion is enabled, so that the value to restore is the caller's and not that of another thread here."""


@contextmanager
def _fusion_enabled() -> Iterator[None]:
    """Let oneDNN fuse a convolution with its batch norm, activation and sum, if this build of torch can.

    What is compiled within the block stays fused after it.
    """
    with _fusion_lock:
        try:
            before = torch.jit.onednn_fusion_enabled()
            torch.jit.enable_onednn_fusion(True)
        except (AttributeError, RuntimeError):
            yield
            return
        try:
            yield
        finally:
            torch.jit.enable_onednn_fusion(before)


def _is_fused() -> bool:
    """Return whether oneDNN fused what this thread has just run; some builds have the switch without an effect."""
    return "oneDNNFusionGroup" in str(torch.jit.last_executed_optimized_graph())  # type: ignore[attr-defined]
