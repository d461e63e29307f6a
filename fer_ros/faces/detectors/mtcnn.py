# SPDX-License-Identifier: Apache-2.0
"""MTCNN: three small networks, each of which refines what the one before it proposes.

Source: Zhang, Zhang, Li, Qiao, "Joint Face Detection and Alignment using Multi-task Cascaded Convolutional Networks",
2016. The names of the networks, P-Net, R-Net and O-Net, are those of the paper.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from fer_ros.faces.detectors.base import WHOLE_IMAGE, Detector, Query, ScanTile, non_max_suppression
from fer_ros.faces.detectors.common import (
    ScaledCrop,
    SizeOptions,
    SquareFit,
    filter_detections,
    scaled_threshold,
    strips,
)
from fer_ros.types import Box, Detection, Landmarks

_P_NET_INPUT, _R_NET_INPUT, _O_NET_INPUT = 12, 24, 48
"""Width and height of the networks' inputs, pixels; P-Net's is that of its sliding window."""
_P_NET_STRIDE = 2
_PYRAMID_SCALE = 0.709
"""Ratio between two levels of P-Net's pyramid, as published: half the area."""
_THRESHOLDS = 0.6, 0.7, 0.7
"""Of P-Net, R-Net and O-Net, as published."""
_LEVEL_OVERLAP, _OVERLAP = 0.5, 0.7
"""Intersection over union of the non-maximum suppression within one level of the pyramid and after it, as published."""
_REDETECT_THRESHOLD_SCALE = 0.5
_FIT = SquareFit(size=0.91, offset_y=-0.01)
"""Measured; see docs/reports/detectors.md."""
_MARGIN = 0.1
"""Context around a region for P-Net, in widths of the largest face."""
_PIXELS_PER_TILE = 20_000
"""Pixels of P-Net's largest level in one tile."""


@dataclass(frozen=True)
class MtcnnOptions(SizeOptions):
    """Options of `Mtcnn`."""


class Mtcnn(Detector):
    """Finds faces in many poses, and their landmarks.

    The networks were trained on colors. Here they get the gray image as each of their three channels.

    Args:
        options: the sizes of face.

    Raises:
        ImportError: torch, the package `mtcnn`, which has the weights, or a package to read them is not installed.
        ValueError: the weights cannot be read.
    """

    def __init__(self, options: MtcnnOptions | None = None):
        from fer_ros.faces.detectors.mtcnn_networks import load_networks

        self._options = options or MtcnnOptions()
        self._p_net, self._r_net, self._o_net = load_networks()

    def size_limits(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """See `Detector`."""
        return self._options.limits(shape)

    def detect(self, image: np.ndarray, query: Query = WHOLE_IMAGE) -> list[Detection]:
        """Return the faces in an image, with five landmarks each. The score is O-Net's, 0..1. See `Detector`."""
        smallest, largest = self._options.limits_of(query, image.shape)
        if largest < smallest:
            return []
        p_net, r_net, o_net = (scaled_threshold(value, query.threshold_scale) for value in _THRESHOLDS)
        squares = self._propose(image, query.region, smallest / _FIT.size, largest / _FIT.size, p_net)
        if len(squares):
            squares = self._refine(image, squares, r_net)
        return filter_detections(self._finish(image, squares, o_net), query.region, smallest, largest)

    def redetect(self, image: np.ndarray, region: Box, size: int) -> list[Detection]:
        """Run O-Net alone, on the middle of the region. See `Detector`."""
        side = size / _FIT.size
        x, y = region.center
        square = np.array([[x, y - _FIT.offset_y * side, side]])
        return self._finish(image, square, _THRESHOLDS[2] * _REDETECT_THRESHOLD_SCALE)

    def tiles(self, shape: tuple[int, int], pass_index: int, min_size: int, max_size: int) -> list[ScanTile]:
        """Return strips. See `Detector`."""
        scale = _P_NET_INPUT / min_size
        return strips(shape, min_size, max_size, round(shape[0] * shape[1] * scale * scale / _PIXELS_PER_TILE))

    def _propose(
        self, image: np.ndarray, region: Box | None, smallest: float, largest: float, threshold: float
    ) -> np.ndarray:
        """Return P-Net's proposals: (N, 3) squares."""
        all_edges, all_scores = [], []
        size = smallest
        crop = ScaledCrop.cut(image, region, round(_MARGIN * largest), _P_NET_INPUT / size)
        while crop is not None and size <= largest / _PYRAMID_SCALE**0.5:
            if min(crop.pixels.shape) >= _P_NET_INPUT:
                scores, offsets = self._p_net(_as_batch([crop.pixels]))
                rows, columns = np.nonzero(scores[0] >= threshold)
                left, top = _P_NET_STRIDE * columns, _P_NET_STRIDE * rows
                right, bottom = left + _P_NET_INPUT, top + _P_NET_INPUT
                edges = np.stack(crop.edges_to_image(left, top, right, bottom), axis=1)
                level_scores = scores[0][rows, columns]
                keep = _non_max_suppression(edges, level_scores, _LEVEL_OVERLAP)
                all_edges.append(_offset(edges[keep], offsets[0][:, rows, columns].T[keep]))
                all_scores.append(level_scores[keep])
            size /= _PYRAMID_SCALE
            crop = crop.shrunk(_PYRAMID_SCALE)
        if not all_edges:
            return np.empty((0, 3))
        edges = np.concatenate(all_edges)
        return _as_squares(edges[_non_max_suppression(edges, np.concatenate(all_scores), _OVERLAP)])

    def _refine(self, image: np.ndarray, squares: np.ndarray, threshold: float) -> np.ndarray:
        """Return the squares that R-Net accepts, moved onto their faces: (N, 3)."""
        scores, offsets = self._r_net(_as_batch(_crops(image, squares, _R_NET_INPUT)))
        keep = scores >= threshold
        edges = _offset(_as_edges(squares[keep]), offsets[keep])
        return _as_squares(edges[_non_max_suppression(edges, scores[keep], _OVERLAP)])

    def _finish(self, image: np.ndarray, squares: np.ndarray, threshold: float) -> list[Detection]:
        """Return the squares that O-Net accepts as detections."""
        if not len(squares):
            return []
        scores, offsets, points = self._o_net(_as_batch(_crops(image, squares, _O_NET_INPUT)))
        edges = _offset(_as_edges(squares), offsets)
        # Points are fractions of the square, from its corner; a pixel's center lies half a pixel from its edge.
        landmarks = squares[:, :2, np.newaxis] + (points.reshape(-1, 2, 5) - 0.5) * squares[:, 2:, np.newaxis] - 0.5
        detections = [
            Detection(
                _FIT.square(*map(float, edges[index])),
                float(scores[index]),
                Landmarks(*zip(*landmarks[index].tolist(), strict=True)),
            )
            for index in np.flatnonzero(scores >= threshold)
        ]
        return non_max_suppression(detections)


# Rectangles are (N, 4) arrays of left, top, right, bottom, squares (N, 3) arrays of center x, center y, side; in pixels
# of the image.


def _as_edges(squares: np.ndarray) -> np.ndarray:
    half = squares[:, 2:] / 2
    return np.concatenate([squares[:, :2] - half, squares[:, :2] + half], axis=1)


def _as_squares(edges: np.ndarray) -> np.ndarray:
    sizes = edges[:, 2:] - edges[:, :2]
    return np.concatenate([(edges[:, :2] + edges[:, 2:]) / 2, sizes.max(axis=1, keepdims=True)], axis=1)


def _offset(edges: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Move each edge by a fraction of the rectangle's size."""
    moved: np.ndarray = edges + offsets * np.tile(edges[:, 2:] - edges[:, :2], 2)
    return moved


def _non_max_suppression(edges: np.ndarray, scores: np.ndarray, overlap: float) -> np.ndarray:
    """Return the indices of the rectangles that are left, highest score first."""
    boxes = np.concatenate([edges[:, :2], edges[:, 2:] - edges[:, :2]], axis=1)
    return np.array(cv2.dnn.NMSBoxes(boxes.tolist(), scores.tolist(), 0.0, overlap), int).ravel()


def _crops(image: np.ndarray, squares: np.ndarray, size: int) -> list[np.ndarray]:
    """Return the squares as (size, size) uint8 crops; outside of the image its edge is repeated."""
    return [_crop(image, x, y, side, size) for x, y, side in squares]


def _crop(image: np.ndarray, x: float, y: float, side: float, size: int) -> np.ndarray:
    step = side / size
    mapping = np.array([[step, 0, x - side / 2 + step / 2 - 0.5], [0, step, y - side / 2 + step / 2 - 0.5]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(image, mapping, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE)


def _as_batch(crops: Sequence[np.ndarray]) -> np.ndarray:
    """Return crops on the gray scale of the training: (N, 1, height, width) float32, -1..1."""
    return (np.stack(crops)[:, np.newaxis].astype(np.float32) - 127.5) / 128
