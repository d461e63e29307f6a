# SPDX-License-Identifier: Apache-2.0
"""Quantize an ONNX model file to int8 with ONNX Runtime, without training."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from fer_ros.emotion import model_file
from fer_ros.emotion.preprocessing import reference_crop

MAX_CROPS = 512
"""Crops that the ranges of values between layers are measured on; more changed the accuracy by chance only."""
_BATCH = 64


def quantize(path: Path, crops: np.ndarray) -> None:
    """Quantize an ONNX model file in place: weights to int8 for each channel, values between layers to uint8.

    Weights use 7 of 8 bits (`reduce_range`): without the instructions VNNI, a CPU adds products
    of 8 bits with saturation.

    Args:
        path: of the model file.
        crops: (N, size, size) uint8, typical faces; up to `MAX_CROPS` of them are used.

    Raises:
        ModelFileError: the file cannot be read, or the quantized network would be refused.
        ImportError: onnx or onnxruntime is not installed.
        OSError: the file cannot be written.
    """
    missing = [package for package in ("onnx", "onnxruntime") if find_spec(package) is None]
    if missing:
        raise ImportError(f"quantizing needs the packages onnx and onnxruntime: pip install {' '.join(missing)}")
    from fer_ros.emotion.backends.onnx import OnnxBackend

    file = model_file.read(path)
    preprocessing = file.metadata.preprocessing
    chosen = np.random.default_rng(0).permutation(len(crops))[:MAX_CROPS]
    network = _quantized(file.network, preprocessing.batch(list(crops[chosen])))
    backend = OnnxBackend(model_file.ModelFile(path, "", network, file.metadata, None))
    logits = backend.logits(preprocessing.batch([reference_crop(preprocessing.input_size)]))[0]
    model_file.write_network(path, network, file.metadata, logits)


def _quantized(network: bytes, batch: np.ndarray) -> bytes:
    import onnx
    from onnxruntime import quantization

    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        before.write_bytes(network)
        logging.disable(logging.WARNING)  # it recommends a preparation that torch's exporter has done already
        try:
            quantization.quantize_static(
                before,
                after,
                _Batches(batch),
                quant_format=quantization.QuantFormat.QDQ,
                per_channel=True,
                reduce_range=True,
                activation_type=quantization.QuantType.QUInt8,
                weight_type=quantization.QuantType.QInt8,
            )
        finally:
            logging.disable(logging.NOTSET)
        model = onnx.load(after)
    # ONNX Runtime names its own operators too, although it used none of them.
    for opset in [opset for opset in model.opset_import if opset.domain not in ("", "ai.onnx")]:
        model.opset_import.remove(opset)
    del model.graph.value_info[:]  # some are of values that it replaced
    for tensor in model.graph.initializer:
        # Scales and zero points are lists of numbers; a model file has bytes only.
        tensor.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(tensor), tensor.name))
    content: bytes = model.SerializeToString()
    return content


class _Batches:
    """The calibration data, as `onnxruntime.quantization.CalibrationDataReader` gives them."""

    def __init__(self, batch: np.ndarray):
        self._parts: Iterator[np.ndarray] = iter(np.array_split(batch, -(-len(batch) // _BATCH)))

    def get_next(self) -> dict[str, Any] | None:
        part = next(self._parts, None)
        return None if part is None else {"crops": part}
