# SPDX-License-Identifier: Apache-2.0
"""From a face box in a gray image to the network's input, for training and inference alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from fer_ros.media.resize import resize
from fer_ros.text import printable
from fer_ros.types import Box

_MIN_CONTRAST = 4.0
"""Gray levels; keeps the noise of a blank crop from being amplified."""
_RANGES: dict[str, tuple[float, float]] = {
    "input_size": (8, 1024),
    "margin": (-0.5, 2),
    "mean": (-1e6, 1e6),
    "std": (1e-6, 1e6),
    "blur": (0, 3),
}


@dataclass(frozen=True)
class Preprocessing:
    """Cropping and normalization that a model was trained with; stored in its model file.

    Raises:
        ValueError: a value has the wrong type or is out of its range.
    """

    input_size: int = 48
    """Width and height of a crop, pixels."""
    margin: float = 0.0
    """Added on each side of the box, as a fraction of its longer side."""
    mean: float = 0.5
    """Subtracted from pixels scaled to 0..1."""
    std: float = 0.25
    """Divisor after that."""
    standardize: bool = False
    """Normalize each crop to mean 0 and standard deviation 1 (Tang 2013) instead of using `mean` and `std`, so that the
    input does not depend on brightness and contrast."""
    blur: float = 0.0
    """Standard deviation in pixels of a 3x3 Gaussian blur of the crop; 0 for none. It makes up for the blur of training
    crops, which augmentation resamples."""

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            value, kinds = getattr(self, name), (int,) if name == "input_size" else (int, float)
            if not isinstance(value, kinds) or isinstance(value, bool) or not low <= value <= high:
                raise ValueError(f"'preprocessing.{name}' must be from {low:g} to {high:g}, not {printable(value)}")
        if not isinstance(self.standardize, bool):
            raise ValueError(f"'preprocessing.standardize' must be true or false, not {printable(self.standardize)}")

    def crop(self, gray: np.ndarray, box: Box, roll: float = 0.0) -> np.ndarray:
        """Return the square around a box, expanded by the margin and scaled to the network's input size.

        Outside the image the edge pixels are repeated, so that a face at the border keeps its proportions.

        Args:
            gray: (height, width) uint8.
            box: of the face, in pixels of `gray`.
            roll: in-plane rotation of the face, degrees clockwise; the crop is derotated by it.

        Returns:
            (input_size, input_size) uint8.

        Raises:
            ValueError: the square lies outside the image.
        """
        side = max(1, round(max(box.width, box.height) * (1 + 2 * self.margin)))
        center_x, center_y = box.center
        square = Box(round(center_x - side / 2), round(center_y - side / 2), side, side)
        height, width = gray.shape
        inside = square.clipped(width, height)
        if inside.area == 0:
            raise ValueError(f"{box} lies outside the {width}x{height} image")
        if roll:
            return self._derotated(gray, square, roll)
        patch = gray[inside.y : inside.bottom, inside.x : inside.right]
        if inside != square:
            patch = cv2.copyMakeBorder(
                patch,
                inside.y - square.y,
                square.bottom - inside.bottom,
                inside.x - square.x,
                square.right - inside.right,
                cv2.BORDER_REPLICATE,
            )
        return resize(patch, (self.input_size, self.input_size))

    def _derotated(self, gray: np.ndarray, square: Box, roll: float) -> np.ndarray:
        """Derotate at about the resolution of the image, then average pixels, as a large face would alias otherwise."""
        size = max(1, round(square.width / self.input_size)) * self.input_size
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        mapping = square.derotation(roll, square.width / size)
        fine = cv2.warpAffine(gray, mapping, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE)
        return cv2.resize(fine, (self.input_size, self.input_size), interpolation=cv2.INTER_AREA)

    def batch(self, crops: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
        """Return crops as the network's input: (len(crops), 1, input_size, input_size) float32."""
        if self.blur:
            crops = [cv2.GaussianBlur(np.ascontiguousarray(crop), (3, 3), self.blur) for crop in crops]
        normalized: np.ndarray = self.normalize(np.stack(crops).astype(np.float32))  # type: ignore[arg-type]
        return normalized[:, np.newaxis]

    def normalize(self, pixels: Any) -> Any:
        """Return gray levels 0..255 on the network's scale.

        Args:
            pixels: (N, size, size) float32, NumPy array or torch tensor.

        Returns:
            The same shape and type.
        """
        if not self.standardize:
            return pixels * (1 / (255 * self.std)) - self.mean / self.std
        pixels = pixels - pixels.mean(axis=(1, 2), keepdims=True)
        contrast = (pixels * pixels).mean(axis=(1, 2), keepdims=True) ** 0.5
        return pixels / contrast.clip(_MIN_CONTRAST)


def reference_crop(input_size: int) -> np.ndarray:
    """Return a fixed (input_size, input_size) uint8 crop, for which a model file records its logits.

    Its stripes of all widths, in both directions, reach every weight of a network; it is computed with integers only.
    """
    x = np.arange(input_size)
    return ((np.multiply.outer(x, x) * 255 // input_size + 3 * x) % 256).astype(np.uint8)
