"""MTCNN faces: three small networks, each of which looks closer at what the one before has proposed.

Source: Zhang, Zhang, Li, Qiao, "Joint Face Detection and Alignment using Multi-task Cascaded Convolutional Networks",
2016. The weights are those of the package `mtcnn` (MIT license), of which nothing else is used: it runs them with
TensorFlow.
"""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from fer_ros.faces.detectors.base import Detector, ScanTile, non_max_suppression
from fer_ros.faces.detectors.common import FaceSizes, ScaledCrop, Shape, asked_for, strips, threshold
from fer_ros.types import Box, Detection, Landmarks

try:
    import torch
    from torch.nn import functional
except ImportError as error:
    raise ImportError("the detector 'mtcnn' needs the package torch (pip install torch)") from error

_WINDOW = 12
"""Width in pixels of the face that the first network sees."""
_STEP = 0.709
"""Ratio between the sizes it looks at, as published: half the area."""
_THRESHOLDS = 0.6, 0.7, 0.7
"""Of the three networks, as published."""
_FOLLOWING = 0.5
"""Share of the last threshold that is enough for a face that is followed."""
_SHAPE = Shape(size=0.91, down=-0.01)
"""Measured: docs/front-ends.md."""
_CONTEXT = 0.1
"""How much around a region the first network sees, in widths of the largest face."""
_PIXELS_OF_A_GLIMPSE = 20_000
"""Pixels of the reduced image that the first network looks at in one tile."""


class Mtcnn(Detector):
    """Finds faces in many poses, and their landmarks.

    The networks were trained on colors. Here they see three equal channels, which is the same as one channel and the
    sum of the first layer's weights.

    Args:
        min_size: smallest face in pixels; see `FaceSizes`.
        max_size: largest face in pixels.

    Raises:
        ImportError: the package `mtcnn`, or one that it needs, is not installed.
        ValueError: the package's files are not what is expected, or a number is out of its range.
    """

    def __init__(self, min_size: int = 0, max_size: int = 0):
        self._sizes = FaceSizes(min_size, max_size)
        self._proposals, self._refinement, self._output = _networks()

    def sizes(self, shape: tuple[int, int]) -> tuple[int, int]:
        """See `Detector`."""
        return self._sizes.of(shape)

    def detect(
        self,
        gray: np.ndarray,
        region: Box | None = None,
        smallest: int = 0,
        largest: int = 0,
        evidence: float = 1.0,
    ) -> list[Detection]:
        """The faces in an image, with five landmarks; the score is the last network's, 0..1. See `Detector`."""
        smallest, largest = self._sizes.within(gray.shape, smallest, largest)
        if largest < smallest:
            return []
        first, second, third = (threshold(usual, evidence) for usual in _THRESHOLDS)
        squares = self._propose(gray, region, smallest / _SHAPE.size, largest / _SHAPE.size, first)
        if len(squares):
            squares = self._refine(gray, squares, second)
        return asked_for(self._finish(gray, squares, third), region, smallest, largest)

    def redetect(self, gray: np.ndarray, region: Box, size: int) -> list[Detection]:
        """The last network alone, on the middle of the region. See `Detector`."""
        side = size / _SHAPE.size
        x, y = region.center
        expected = np.array([[x, y - _SHAPE.down * side, side]])
        return self._finish(gray, expected, _THRESHOLDS[2] * _FOLLOWING)

    def tiles(self, shape: tuple[int, int], turn: int, smallest: int, largest: int) -> list[ScanTile]:
        """Strips. See `Detector`."""
        reduced = _WINDOW / smallest
        return strips(shape, smallest, largest, round(shape[0] * shape[1] * reduced * reduced / _PIXELS_OF_A_GLIMPSE))

    def _propose(
        self, gray: np.ndarray, region: Box | None, smallest: float, largest: float, least: float
    ) -> np.ndarray:
        """Where faces may be: (N, 3) squares, as center x, y and side in pixels of the image."""
        found, sure = [], []
        size = smallest
        part = ScaledCrop.of(gray, region, round(_CONTEXT * largest), _WINDOW / size)
        while part is not None and size <= largest / _STEP**0.5:
            if min(part.pixels.shape) >= _WINDOW:
                scores, moves = self._proposals(_as_input([part.pixels]))
                rows, columns = np.nonzero(scores[0] >= least)
                left, top = 2 * columns, 2 * rows
                edges = np.stack(part.edges(left, top, left + _WINDOW, top + _WINDOW), axis=1)
                sure_here = scores[0][rows, columns]
                keep = _distinct(edges, sure_here, 0.5)
                found.append(_moved(edges[keep], moves[0][:, rows, columns].T[keep]))
                sure.append(sure_here[keep])
            size /= _STEP
            part = part.reduced(_STEP)
        if not found:
            return np.empty((0, 3))
        edges = np.concatenate(found)
        return _squares(edges[_distinct(edges, np.concatenate(sure), 0.7)])

    def _refine(self, gray: np.ndarray, squares: np.ndarray, least: float) -> np.ndarray:
        """Those of the squares that hold faces, each moved onto its face."""
        scores, moves = self._refinement(_as_input(_patches(gray, squares, 24)))
        keep = scores >= least
        edges = _moved(_edges(squares[keep]), moves[keep])
        return _squares(edges[_distinct(edges, scores[keep], 0.7)])

    def _finish(self, gray: np.ndarray, squares: np.ndarray, least: float) -> list[Detection]:
        if not len(squares):
            return []
        scores, moves, points = self._output(_as_input(_patches(gray, squares, 48)))
        edges = _moved(_edges(squares), moves)
        # Shares of the square, from its corner; a pixel's center lies half a pixel from its edge.
        marks = squares[:, :2, np.newaxis] + (points.reshape(-1, 2, 5) - 0.5) * squares[:, 2:, np.newaxis] - 0.5
        detections = [
            Detection(
                _SHAPE.square(*map(float, edges[at])),
                float(scores[at]),
                Landmarks(*zip(*marks[at].tolist(), strict=True)),
            )
            for at in np.flatnonzero(scores >= least)
        ]
        return non_max_suppression(detections)


# --- rectangles: (N, 4) left, top, right, bottom in pixels, and (N, 3) squares ---


def _edges(squares: np.ndarray) -> np.ndarray:
    half = squares[:, 2:] / 2
    return np.concatenate([squares[:, :2] - half, squares[:, :2] + half], axis=1)


def _squares(edges: np.ndarray) -> np.ndarray:
    sizes = edges[:, 2:] - edges[:, :2]
    return np.concatenate([(edges[:, :2] + edges[:, 2:]) / 2, sizes.max(axis=1, keepdims=True)], axis=1)


def _moved(edges: np.ndarray, moves: np.ndarray) -> np.ndarray:
    """Each edge moved by a share of the rectangle's own size."""
    sizes = edges[:, 2:] - edges[:, :2]
    return edges + moves * np.tile(sizes, 2)


def _distinct(edges: np.ndarray, scores: np.ndarray, overlap: float) -> np.ndarray:
    """Indices of the surest rectangles, of which no two overlap by more than this."""
    boxes = np.concatenate([edges[:, :2], edges[:, 2:] - edges[:, :2]], axis=1)
    return np.array(cv2.dnn.NMSBoxes(boxes.tolist(), scores.tolist(), 0.0, overlap), int).ravel()


def _patches(gray: np.ndarray, squares: np.ndarray, size: int) -> list[np.ndarray]:
    """The squares as pictures of size x size pixels; what lies outside of the image repeats its edge."""
    return [_patch(gray, x, y, side, size) for x, y, side in squares]


def _patch(gray: np.ndarray, x: float, y: float, side: float, size: int) -> np.ndarray:
    step = side / size
    mapping = np.array([[step, 0, x - side / 2 + step / 2 - 0.5], [0, step, y - side / 2 + step / 2 - 0.5]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(gray, mapping, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE)


# --- the networks ---


class _Network:
    """Layers as functions of the weights that Keras' `get_weights` lists.

    Args:
        weights: a kernel (height, width, in, out) or (in, out), its bias, and the slopes of a PReLU for each layer;
            then kernel and bias of each output.
        pools: (size, step) of the maximum taken after each convolution, None for none.
        outputs: how many there are.
    """

    def __init__(self, weights: Sequence[np.ndarray], pools: Sequence[tuple[int, int] | None], outputs: int):
        tensors = [_as_tensor(weight) for weight in weights]
        tensors[0] = tensors[0].sum(1, keepdim=True)  # one channel for three equal ones
        layers = len(tensors) - 2 * outputs
        self._layers = [tensors[at : at + 3] for at in range(0, layers, 3)]
        self._outputs = [tensors[at : at + 2] for at in range(layers, len(tensors), 2)]
        self._pools = pools
        self._calling = threading.local()

    def __call__(self, batch: np.ndarray) -> list[np.ndarray]:
        """Runs (N, 1, height, width) float32; the last output, a softmax of two classes, comes first as one score."""
        if not hasattr(self._calling, "known"):
            # More threads only wait for each other on networks this small; torch keeps this for each calling thread.
            torch.set_num_threads(1)
            self._calling.known = True
        with torch.inference_mode():
            x = torch.from_numpy(batch)
            for (kernel, bias, slopes), pool in zip(self._layers, self._pools, strict=True):
                if kernel.ndim == 2 and x.ndim == 4:
                    x = x.permute(0, 3, 2, 1).flatten(1)  # the order in which the first such layer has its inputs
                x = functional.prelu(_layer(x, kernel, bias), slopes)
                if pool:
                    # Ten times faster with channels last; one channel alone does not tell torch to go on so.
                    x = functional.max_pool2d(x.contiguous(memory_format=torch.channels_last), *pool, ceil_mode=True)
            *others, classes = (_layer(x, kernel, bias) for kernel, bias in self._outputs)
            return [output.numpy() for output in (classes.softmax(1)[:, 1], *others)]


def _layer(x: torch.Tensor, kernel: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    return functional.conv2d(x, kernel, bias) if kernel.ndim == 4 else functional.linear(x, kernel, bias)


def _as_tensor(weight: np.ndarray) -> torch.Tensor:
    """From Keras' order of dimensions to torch's."""
    tensor = torch.from_numpy(weight)
    if weight.ndim == 4:
        return tensor.permute(3, 2, 0, 1).contiguous(memory_format=torch.channels_last)
    return tensor.T.contiguous() if weight.ndim == 2 else tensor.flatten()


def _as_input(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """Gray levels on the scale of the training: (N, 1, height, width) float32, -1..1."""
    return (np.stack(pictures)[:, np.newaxis].astype(np.float32) - 127.5) / 128


@lru_cache(maxsize=1)
def _networks() -> tuple[_Network, _Network, _Network]:
    """The three networks, read once: their weights are never changed."""
    folder = _weights_folder()
    try:
        import joblib
        import lz4  # noqa: F401 (what joblib reads these files with)
    except ImportError as error:
        raise ImportError(f"the detector 'mtcnn' needs the package {error.name} (pip install {error.name})") from error
    files = [folder / f"{name}.lz4" for name in ("pnet", "rnet", "onet")]
    try:
        proposals, refinement, output = (joblib.load(file) for file in files)
        return (
            _Network(proposals, ((2, 2), None, None), 2),
            _Network(refinement, ((3, 2), (3, 2), None, None), 2),
            _Network(output, ((3, 2), (3, 2), (2, 2), None, None), 3),
        )
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"the weights of MTCNN in {folder} cannot be read ({error}); install mtcnn 1.0") from error


def _weights_folder() -> Path:
    """Found without importing the package, which needs TensorFlow."""
    package = importlib.util.find_spec("mtcnn")
    if package is None or not package.submodule_search_locations:
        raise ImportError("the detector 'mtcnn' needs the package mtcnn (pip install mtcnn), for its weights")
    return Path(package.submodule_search_locations[0]) / "assets" / "weights"
