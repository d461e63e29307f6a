# SPDX-License-Identifier: Apache-2.0
"""Changes of face images that a model should withstand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

Value = float | str
"""Strength of a perturbation, or name of a covered part."""

ROTATIONS = (1, 2, 4, 6, 8, 10, 12, 15, 20, 25, 30, 35, 40, 45)
"""Degrees."""
BRIGHTNESSES = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8, 1.9, 2.0, 2.2, 2.5, 3.0)
"""Factors of the pixel values."""
BLURS = (0.5, 1.0, 1.5, 2.0, 3.0)
"""Standard deviation of a Gaussian in pixels."""
NOISES = (5, 10, 20, 30)
"""Standard deviation in gray levels."""
SCALES = (0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.05, 1.1, 1.15, 1.2, 1.25, 1.3)
"""Side of the crop relative to the image's: how tightly a detector frames a face."""
TRANSLATIONS = (0.03, 0.06, 0.09, 0.12, 0.15, 0.2)
"""Offset of the crop's center relative to the image's side."""
_PERCENTILES = (0, 5, 25, 50, 75, 95, 100)
_PLACEMENT = {
    "side": (0.60, 0.736, 0.924, 1.000, 1.062, 1.271, 1.40),
    "right": (-0.15, -0.094, -0.014, 0.003, 0.017, 0.083, 0.15),
    "down": (-0.18, -0.118, -0.021, 0.000, 0.014, 0.052, 0.10),
}
"""At these percentiles, side and offset of Viola-Jones' boxes relative to the images of FER2013: `benchmarks.crops`."""
_DIRECTIONS = ((-1, 0), (1, 0), (0, -1), (0, 1))
"""x and y of translations."""
COVERS: dict[str, tuple[tuple[float, float, float, float], ...]] = {
    "left half": ((0, 0, 0.5, 1),),
    "right half": ((0.5, 0, 1, 1),),
    "mouth": ((0, 0.6, 1, 1),),
    "eyes": ((0, 0.2, 1, 0.48),),
    "cheeks": ((0, 0.4, 0.25, 1), (0.75, 0.4, 1, 1)),
    "cap": ((0, 0, 1, 0.25),),
}
"""Rectangles left, top, right, bottom in sides of the crop: a hand or profile, a cup or mask, glasses, hands, a cap."""


@dataclass(frozen=True)
class Perturbation:
    """One kind of change, in several strengths."""

    title: str
    """With the unit."""
    values: tuple[Value, ...]
    apply: Callable[[np.ndarray, Any], list[np.ndarray]]
    """Takes (N, size, size) uint8 and a value; returns one or more versions of the same shape, whose accuracies are
    averaged."""
    identity: float | None
    """Value that changes nothing; None for names."""


def rotated(pixels: np.ndarray, degrees: float, black: bool = False) -> np.ndarray:
    """Rotate (N, size, size) uint8 images counterclockwise about their centers.

    Args:
        pixels: the images.
        degrees: angle.
        black: fill the corners with black and take the nearest pixel, as MATLAB's `imrotate` does by default; else the
            border is replicated and pixels are interpolated.
    """
    size = pixels.shape[1]
    rotation = cv2.getRotationMatrix2D(((size - 1) / 2, (size - 1) / 2), degrees, 1.0)
    flags = cv2.INTER_NEAREST if black else cv2.INTER_LINEAR
    border = cv2.BORDER_CONSTANT if black else cv2.BORDER_REPLICATE
    return np.stack([cv2.warpAffine(image, rotation, (size, size), flags=flags, borderMode=border) for image in pixels])


def brightened(pixels: np.ndarray, factor: float) -> np.ndarray:
    """Multiply (N, size, size) uint8 images by a factor and clip them, as an overexposed camera does."""
    scaled: np.ndarray = np.clip(np.rint(pixels.astype(np.float32) * factor), 0, 255)
    return scaled.astype(np.uint8)


def blurred(pixels: np.ndarray, deviation: float) -> np.ndarray:
    """Blur (N, size, size) uint8 images with a Gaussian of a standard deviation in pixels, as a lens out of focus."""
    return np.stack([cv2.GaussianBlur(image, (0, 0), deviation) for image in pixels])


def noisy(pixels: np.ndarray, deviation: float) -> np.ndarray:
    """Add Gaussian noise of a standard deviation in gray levels to (N, size, size) uint8 images; the same each time."""
    noise = np.random.default_rng(0).standard_normal(pixels.shape, np.float32)
    added: np.ndarray = np.clip(np.rint(pixels + deviation * noise), 0, 255)
    return added.astype(np.uint8)


def cropped(pixels: np.ndarray, scale: float, x: float = 0.0, y: float = 0.0) -> np.ndarray:
    """Crop (N, size, size) uint8 images and resize the crops to their size, replicating the border.

    Args:
        pixels: the images.
        scale: side of the crop relative to the image's.
        x: offset of the crop's center to the right, relative to the image's side.
        y: the same downward.
    """
    size = pixels.shape[1]
    corner = [size * (0.5 + offset - scale / 2) + scale / 2 - 0.5 for offset in (x, y)]
    mapping = np.array([[scale, 0, corner[0]], [0, scale, corner[1]]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.stack(
        [cv2.warpAffine(one, mapping, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE) for one in pixels]
    )


def placed(pixels: np.ndarray) -> np.ndarray:
    """Crop (N, size, size) uint8 images as Viola-Jones places its boxes, at random; the same each time."""
    places = placement(np.random.default_rng(0).random((3, len(pixels)))).T
    return np.concatenate([cropped(image[np.newaxis], *place) for image, place in zip(pixels, places, strict=True)])


def placement(draws: np.ndarray) -> np.ndarray:
    """Return where Viola-Jones places its boxes on the images of FER2013.

    Args:
        draws: (3, N) float, uniform in 0..1.

    Returns:
        (3, N) float64, in sides of the image: side of the box, offset of its center to the right and down.
    """
    return np.stack([np.interp(100 * of, _PERCENTILES, at) for of, at in zip(draws, _PLACEMENT.values(), strict=True)])


def covered(pixels: np.ndarray, part: str) -> np.ndarray:
    """Cover a part of (N, size, size) uint8 images, see `COVERS`, with the mean gray level of each."""
    size = pixels.shape[1]
    result: np.ndarray = pixels.copy()
    gray = pixels.mean(axis=(1, 2), keepdims=True).astype(np.uint8)
    for left, top, right, bottom in COVERS[part]:
        rows, columns = slice(round(top * size), round(bottom * size)), slice(round(left * size), round(right * size))
        result[:, rows, columns] = gray
    return result


PERTURBATIONS = {
    "rotation": Perturbation(
        "rotation, degrees", ROTATIONS, lambda pixels, degrees: [rotated(pixels, degrees), rotated(pixels, -degrees)], 0
    ),
    "rotation_black": Perturbation(
        "rotation, degrees; nearest, black corners",
        ROTATIONS,
        lambda pixels, degrees: [rotated(pixels, degrees, black=True), rotated(pixels, -degrees, black=True)],
        0,
    ),
    "brightness": Perturbation(
        "brightness factor", BRIGHTNESSES, lambda pixels, factor: [brightened(pixels, factor)], 1
    ),
    "blur": Perturbation("blur, pixels", BLURS, lambda pixels, deviation: [blurred(pixels, deviation)], 0),
    "noise": Perturbation("noise, gray levels", NOISES, lambda pixels, deviation: [noisy(pixels, deviation)], 0),
    "cover": Perturbation("covered part", tuple(COVERS), lambda pixels, part: [covered(pixels, part)], None),
    "scale": Perturbation("crop scale", SCALES, lambda pixels, scale: [cropped(pixels, scale)], 1),
    "translation": Perturbation(
        "crop translation, sides",
        TRANSLATIONS,
        lambda pixels, offset: [cropped(pixels, 1.0, offset * x, offset * y) for x, y in _DIRECTIONS],
        0,
    ),
}
"""By name, as in the JSON of an evaluation."""
