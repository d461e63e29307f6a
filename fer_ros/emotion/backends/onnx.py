"""Runs an ONNX model file with ONNX Runtime, the fastest of the backends and a package of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fer_ros.emotion.model_file import ModelFileError

try:
    import onnxruntime
except ImportError as error:
    raise ImportError(
        "the backend 'onnx' needs the package onnxruntime (pip install onnxruntime); "
        "the backend 'opencv' runs the same files without it"
    ) from error


class OnnxBackend:
    """A loaded network, warmed up.

    Raises:
        ModelFileError: ONNX Runtime cannot load or run the file.
    """

    def __init__(self, path: Path, input_size: int):
        options = onnxruntime.SessionOptions()
        # On a network this small more threads only add waiting, and take cores from the rest of the robot.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
            self._input = self._session.get_inputs()[0].name
            self.logits(np.zeros((1, 1, input_size, input_size), np.float32))
        except Exception as error:  # its errors share no class but this one
            raise ModelFileError(
                f"ONNX Runtime {onnxruntime.__version__} cannot run {path}: {' '.join(str(error).split())}"
            ) from error

    def logits(self, batch: np.ndarray) -> np.ndarray:
        """(N, 1, size, size) float32 to (N, classes) float32."""
        return self._session.run(None, {self._input: batch})[0]
