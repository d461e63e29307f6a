# SPDX-License-Identifier: Apache-2.0
"""Accuracy under perturbations: rotation, brightness, and crops of another scale or position.

After Lyu, "Facial Expression Recognition based on Mini_Xception", who rotates and brightens 21 images of PublicTest,
three of each class, that the network recognizes. Here the accuracy on all images is measured as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np

from fer_ros.datasets.registry import DataError, FaceImages
from fer_ros.emotion.classifier import Classifier
from fer_ros.evaluation import metrics

ROTATIONS = (1, 2, 4, 6, 8, 10, 12, 15, 20, 25, 30, 35, 40, 45)
"""Degrees."""
BRIGHTNESSES = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8, 1.9, 2.0)
"""Factors of the pixel values."""
SCALES = (0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.05, 1.1, 1.15, 1.2, 1.25, 1.3)
"""Side of the crop relative to the image's: how tightly a detector frames a face."""
TRANSLATIONS = (0.03, 0.06, 0.09, 0.12, 0.15, 0.2)
"""Offset of the crop's center relative to the image's side."""

PERTURBATIONS = {
    "rotation": "rotation, degrees",
    "brightness": "brightness factor",
    "scale": "crop scale",
    "translation": "crop translation, sides",
}
"""Label with unit by the field of `Robustness`."""
_DIRECTIONS = ((-1, 0), (1, 0), (0, -1), (0, 1))
"""x and y of translations."""
_PUBLISHED: dict[str, dict[float, float]] = {
    "rotation": {1: 95.2, 4: 90.5, 8: 80.9, 10: 76.2, 15: 57.1, 30: 42.9, 45: 28.6},
    "brightness": {0.3: 66.7, 0.5: 76.2, 0.7: 85.7, 0.9: 95.2, 1.1: 100.0, 1.2: 85.7}
    | {1.3: 80.9, 1.4: 61.9, 1.5: 57.1, 1.8: 14.3},
}
"""Accuracy that Lyu reports for the 21 images, percent."""


@dataclass(frozen=True)
class PerturbedAccuracy:
    """Accuracy, 0..1, under one perturbation."""

    value: float
    """Degrees, brightness factor, or sides of the image."""
    all_images: float
    recognized: float
    """Accuracy on the images that are recognized unperturbed."""


@dataclass(frozen=True)
class Robustness:
    """Accuracy under every perturbation."""

    images: int
    unperturbed: float
    """Accuracy on all images without perturbation, 0..1."""
    recognized_images: int
    rotation: tuple[PerturbedAccuracy, ...]
    """Mean of both directions."""
    brightness: tuple[PerturbedAccuracy, ...]
    scale: tuple[PerturbedAccuracy, ...]
    """Of the crop."""
    translation: tuple[PerturbedAccuracy, ...]
    """Of the crop, mean of the four directions."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def measure(classifier: Classifier, images: FaceImages, per_class: int = 3) -> Robustness:
    """Measure the accuracy under perturbations.

    Args:
        classifier: the model.
        images: gray crops of the classifier's input size.
        per_class: number of recognized images of each class, the first ones, that are also measured separately.

    Raises:
        DataError: the images have a label that the model lacks, or the model recognizes none of them.
    """
    targets = metrics.targets_for(classifier.labels, images)

    def correct(pixels: np.ndarray) -> np.ndarray:
        predicted = metrics.scores(classifier, _with(images, pixels)).argmax(axis=1)
        matches: np.ndarray = predicted == targets
        return matches

    unperturbed = correct(images.pixels)
    recognized = _first_of_each(targets, unperturbed, per_class)
    if not len(recognized):
        raise DataError(
            "the model recognizes none of the images, so robustness cannot be measured; use a better model or more "
            "images"
        )

    def rows(
        values: Sequence[float], perturb: Callable[[float], Sequence[np.ndarray]]
    ) -> tuple[PerturbedAccuracy, ...]:
        accuracies = {value: np.mean([correct(pixels) for pixels in perturb(value)], axis=0) for value in values}
        return tuple(
            PerturbedAccuracy(value, float(each.mean()), float(each[recognized].mean()))
            for value, each in accuracies.items()
        )

    return Robustness(
        images=len(images),
        unperturbed=float(unperturbed.mean()),
        recognized_images=len(recognized),
        rotation=rows(ROTATIONS, lambda degrees: [rotated(images.pixels, sign * degrees) for sign in (1, -1)]),
        brightness=rows(BRIGHTNESSES, lambda factor: [brightened(images.pixels, factor)]),
        scale=rows(SCALES, lambda scale: [cropped(images.pixels, scale)]),
        translation=rows(
            TRANSLATIONS, lambda offset: [cropped(images.pixels, 1.0, offset * x, offset * y) for x, y in _DIRECTIONS]
        ),
    )


def rotated(pixels: np.ndarray, degrees: float) -> np.ndarray:
    """Rotate (N, size, size) uint8 images counterclockwise about their centers, replicating the border."""
    size = pixels.shape[1]
    rotation = cv2.getRotationMatrix2D(((size - 1) / 2, (size - 1) / 2), degrees, 1.0)
    border = cv2.BORDER_REPLICATE
    return np.stack([cv2.warpAffine(image, rotation, (size, size), borderMode=border) for image in pixels])


def brightened(pixels: np.ndarray, factor: float) -> np.ndarray:
    """Multiply (N, size, size) uint8 images by a factor and clip them, as an overexposed camera does."""
    scaled: np.ndarray = np.clip(np.rint(pixels.astype(np.float32) * factor), 0, 255)
    return scaled.astype(np.uint8)


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


def tables(result: Robustness) -> list[tuple[tuple[str, ...], list[tuple[str, ...]]]]:
    """Return heading and rows of each perturbation: percentages, and Lyu's where published."""

    def cells(row: PerturbedAccuracy, published: Mapping[float, float]) -> tuple[str, ...]:
        reference = f"{published[row.value]:.1f}" if row.value in published else ""
        return f"{row.value:g}", f"{100 * row.all_images:.1f}", f"{100 * row.recognized:.1f}", reference

    recognized = f"of {result.recognized_images} recognized"
    return [
        (
            (head, "all images", recognized, "Lyu, of 21" if perturbation in _PUBLISHED else ""),
            [cells(row, _PUBLISHED.get(perturbation, {})) for row in getattr(result, perturbation)],
        )
        for perturbation, head in PERTURBATIONS.items()
    ]


def table(result: Robustness) -> str:
    """Return the tables as aligned text."""
    lines = [f"unperturbed: {100 * result.unperturbed:.1f} % of {result.images} images"]
    for head, rows in tables(result):
        lines += ["", *(f"{a:24} {b:>10}  {c:>18}  {d:>10}".rstrip() for a, b, c, d in (head, *rows))]
    return "\n".join(lines)


def _with(images: FaceImages, pixels: np.ndarray) -> FaceImages:
    return FaceImages(pixels, images.targets, images.labels, images.splits)


def _first_of_each(targets: np.ndarray, recognized: np.ndarray, per_class: int) -> np.ndarray:
    """Return the indices of the first `per_class` recognized images of each class."""
    each = [np.flatnonzero(recognized & (targets == target))[:per_class] for target in np.unique(targets)]
    return np.concatenate(each)
