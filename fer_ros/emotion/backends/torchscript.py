"""Runs a model file with torch: TorchScript, frozen, one thread."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from fer_ros.emotion.model_file import ModelFileError, ModelMetadata


class TorchScriptBackend:
    """A loaded network, warmed up.

    Raises:
        ModelFileError: torch cannot load the file, or its outputs do not fit the labels in its metadata.
    """

    def __init__(self, path: Path, metadata: ModelMetadata):
        # On a network this small more threads only add waiting, and take cores from the rest of the robot.
        torch.set_num_threads(1)
        try:
            self._network = torch.jit.freeze(torch.jit.load(str(path), map_location="cpu").eval())
        except RuntimeError as error:
            raise ModelFileError(f"torch {torch.__version__} cannot load {path}: {error}") from error
        size = metadata.preprocessing.input_size
        # The first passes profile and compile; better here than under the first face.
        for faces in (1, 1, 2, 2):
            shape = self.logits(np.zeros((faces, 1, size, size), np.float32)).shape
        if shape != (2, len(metadata.labels)):
            raise ModelFileError(f"{path} gives outputs of shape {shape[1:]} for its {len(metadata.labels)} labels")

    def logits(self, batch: np.ndarray) -> np.ndarray:
        """(N, 1, size, size) float32 to (N, classes) float32."""
        with torch.inference_mode():
            return self._network(torch.from_numpy(batch)).numpy()
