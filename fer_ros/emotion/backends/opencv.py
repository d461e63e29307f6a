"""Runs an ONNX model file with OpenCV, which every robot that finds faces has anyway."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from fer_ros.emotion.model_file import ModelFileError


class OpenCvBackend:
    """A loaded network, warmed up.

    Raises:
        ModelFileError: OpenCV cannot load or run the file.
    """

    def __init__(self, path: Path, input_size: int):
        try:
            self._network = cv2.dnn.readNetFromONNX(str(path))
            self._together = self._right_for_several(input_size)
        except cv2.error as error:
            raise ModelFileError(
                f"OpenCV {cv2.__version__} cannot run {path}: {' '.join(str(error).split())}"
            ) from error

    def logits(self, batch: np.ndarray) -> np.ndarray:
        """(N, 1, size, size) float32 to (N, classes) float32."""
        if self._together:
            return self._forward(batch)
        return np.concatenate([self._forward(batch[face : face + 1]) for face in range(len(batch))])

    def _forward(self, batch: np.ndarray) -> np.ndarray:
        self._network.setInput(np.ascontiguousarray(batch))
        # A copy: OpenCV may use the memory again.
        return self._network.forward().copy()

    def _right_for_several(self, input_size: int) -> bool:
        """Whether two faces get what each gets alone.

        Before 4.7 OpenCV weighs channels, as squeeze-and-excitation does, for one face at a time only.
        """
        faces = np.random.default_rng(0).random((2, 1, input_size, input_size), np.float32)
        alone = np.concatenate([self._forward(faces[:1]), self._forward(faces[1:])])
        try:
            together = self._forward(faces)
        except cv2.error:
            return False
        return together.shape == alone.shape and np.allclose(together, alone, atol=1e-4)
