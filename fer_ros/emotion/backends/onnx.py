# SPDX-License-Identifier: Apache-2.0
"""Run ONNX model files with ONNX Runtime, the fastest backend."""

from __future__ import annotations

import numpy as np
import onnxruntime

from fer_ros.emotion.model_file import ModelFile, ModelFileError


class OnnxBackend:
    """A loaded network, warmed up.

    Args:
        model: the model file.

    Raises:
        ModelFileError: ONNX Runtime cannot load or run the file.
    """

    def __init__(self, model: ModelFile):
        input_size = model.metadata.preprocessing.input_size
        options = onnxruntime.SessionOptions()
        # A network this small gains nothing from more threads, which would take cores from other processes.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors only
        try:
            self._session = onnxruntime.InferenceSession(model.network, options, providers=["CPUExecutionProvider"])
            self._input = self._session.get_inputs()[0].name
            self.logits(np.zeros((1, 1, input_size, input_size), np.float32))
        except Exception as error:  # ONNX Runtime's exceptions have no other common base class
            raise ModelFileError(
                f"ONNX Runtime {onnxruntime.__version__} cannot run {model.path}: {' '.join(str(error).split())}"
            ) from error

    def logits(self, batch: np.ndarray) -> np.ndarray:
        """Return (N, classes) float32 for (N, 1, size, size) float32."""
        logits: np.ndarray = self._session.run(None, {self._input: batch})[0]
        return logits
