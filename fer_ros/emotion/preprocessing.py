"""From a face box in a gray image to the network's input: the one place where a crop is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from fer_ros.media.resize import resize
from fer_ros.types import Box

_LEAST_CONTRAST = 4.0
"""Gray levels: below this a crop is blank, and its noise is not to be blown up to a face."""


@dataclass(frozen=True)
class Preprocessing:
    """How a model wants its input; stored in the model file."""

    input_size: int = 48
    """Width and height of a crop, pixels."""
    margin: float = 0.0
    """Added on each side of the detector's box, as a fraction of the box's longer side."""
    mean: float = 0.5
    """Subtracted after pixels are scaled to 0..1."""
    std: float = 0.25
    """Divided by after that."""
    standardize: bool = False
    """Instead of `mean` and `std`, each crop is brought to mean 0 and contrast 1 of its own (Tang 2013), so that a
    brighter or darker picture gives the same input."""
    blur: float = 0.0
    """Standard deviation, pixels, of the Gaussian over 3x3 pixels that softens a crop before the network sees it; 0 for
    none. In training the resampling of augmentation softens every crop, and a network expects what it has seen."""

    def crop(self, gray: np.ndarray, box: Box, roll: float = 0.0) -> np.ndarray:
        """A square around `box`, grown by the margin and scaled to (input_size, input_size) uint8.

        Where the square leaves the image its edge pixels are repeated, so a face at the border keeps its proportions.

        Args:
            gray: (height, width) uint8.
            box: the face in pixels of `gray`; it must share at least one pixel with the image.
            roll: degrees clockwise by which the square is turned about its center, so that a tilted face is upright.
        """
        side = max(1, round(max(box.width, box.height) * (1 + 2 * self.margin)))
        center_x, center_y = box.center
        square = Box(round(center_x - side / 2), round(center_y - side / 2), side, side)
        height, width = gray.shape
        inside = square.clipped(width, height)
        if inside.area == 0:
            raise ValueError(f"{box} lies outside the {width}x{height} image")
        if roll:
            return self._turned(gray, square, roll)
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

    def _turned(self, gray: np.ndarray, square: Box, roll: float) -> np.ndarray:
        """Resampled once; a large face onto a finer grid, whose pixels are then averaged as INTER_AREA does."""
        finer = max(1, round(square.width / self.input_size))
        size = finer * self.input_size
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        mapping = square.derotation(roll, square.width / size)
        fine = cv2.warpAffine(gray, mapping, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE)
        return cv2.resize(fine, (self.input_size, self.input_size), interpolation=cv2.INTER_AREA)

    def batch(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        """Crops as the network's input: (len(crops), 1, input_size, input_size) float32."""
        if self.blur:
            crops = [cv2.GaussianBlur(np.ascontiguousarray(crop), (3, 3), self.blur) for crop in crops]
        return self.normalize(np.stack(crops).astype(np.float32))[:, np.newaxis]

    def normalize(self, pixels):
        """Gray levels 0..255 on the network's scale; NumPy arrays and torch tensors alike.

        Args:
            pixels: (N, size, size) float32.
        """
        if not self.standardize:
            return pixels * (1 / (255 * self.std)) - self.mean / self.std
        pixels = pixels - pixels.mean(axis=(1, 2), keepdims=True)
        contrast = (pixels * pixels).mean(axis=(1, 2), keepdims=True) ** 0.5
        return pixels / contrast.clip(_LEAST_CONTRAST)
