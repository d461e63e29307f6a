# SPDX-License-Identifier: Apache-2.0
"""Run ONNX model files with OpenCV's DNN module, which face detection needs anyway."""

from __future__ import annotations

import cv2
import numpy as np

from fer_ros.emotion import onnx_graph
from fer_ros.emotion.model_file import ModelFile, ModelFileError


class OpenCvBackend:
    """A loaded network, warmed up.

    Args:
        model: the model file.

    Raises:
        ModelFileError: OpenCV cannot load or run the file, or it is quantized.
    """

    def __init__(self, model: ModelFile):
        if onnx_graph.is_quantized(model.network):
            raise ModelFileError(
                f"{model.path} is quantized to int8, which the backend 'opencv' does not run: set the backend to "
                "'onnx' (pip install onnxruntime)"
            )
        input_size = model.metadata.preprocessing.input_size
        try:
            self._network = cv2.dnn.readNetFromONNX(np.frombuffer(model.network, np.uint8))
            self._runs_batches = self._is_correct_for_batches(input_size)
        except cv2.error as error:
            raise ModelFileError(
                f"OpenCV {cv2.__version__} cannot run {model.path}: {' '.join(str(error).split())}"
            ) from error

    def logits(self, batch: np.ndarray) -> np.ndarray:
        """Return (N, classes) float32 for (N, 1, size, size) float32."""
        if self._runs_batches:
            return self._forward(batch)
        return np.concatenate([self._forward(batch[face : face + 1]) for face in range(len(batch))])

    def _forward(self, batch: np.ndarray) -> np.ndarray:
        self._network.setInput(np.ascontiguousarray(batch))
        # Copied because OpenCV may reuse the memory of its output.
        return np.copy(self._network.forward())

    def _is_correct_for_batches(self, input_size: int) -> bool:
        """Return whether two faces in a batch get the logits that each gets alone.

        OpenCV before 4.7 scales channels, as squeeze-and-excitation does, correctly for one face at a time only.
        """
        faces = np.random.default_rng(0).random((2, 1, input_size, input_size), np.float32)
        single = np.concatenate([self._forward(faces[:1]), self._forward(faces[1:])])
        try:
            batched = self._forward(faces)
        except cv2.error:
            return False
        return batched.shape == single.shape and np.allclose(batched, single, atol=1e-4)
