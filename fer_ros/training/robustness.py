"""How accuracy falls when faces are tilted or the light changes.

After Lyu, "Facial Expression Recognition based on Mini_Xception", who rotates and brightens 21 images of PublicTest,
three of each class, that the network recognises. That answers how easily a right answer is lost; the same on all
images answers how often the answer is right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np

from fer_ros.emotion.classifier import Classifier
from fer_ros.training import evaluation
from fer_ros.training.datasets import DataError, FaceImages

ROTATIONS = (1, 2, 4, 6, 8, 10, 12, 15, 20, 25, 30, 35, 40, 45)
"""Degrees."""
BRIGHTNESSES = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8, 1.9, 2.0)
"""What pixels are multiplied by."""

_PUBLISHED_ROTATION = {1: 95.2, 4: 90.5, 8: 80.9, 10: 76.2, 15: 57.1, 30: 42.9, 45: 28.6}
_PUBLISHED_BRIGHTNESS = {0.3: 66.7, 0.5: 76.2, 0.7: 85.7, 0.9: 95.2, 1.1: 100.0}
_PUBLISHED_BRIGHTNESS |= {1.2: 85.7, 1.3: 80.9, 1.4: 61.9, 1.5: 57.1, 1.8: 14.3}
"""Lyu's percentages of the 21 images."""


@dataclass(frozen=True)
class Row:
    """Shares 0..1 of right answers under one change."""

    value: float
    """Degrees, or factor of brightness."""
    all_images: float
    recognised: float
    """Of the images that are recognised unchanged."""


@dataclass(frozen=True)
class Robustness:
    """Accuracy under every change."""

    images: int
    unchanged: float
    """Accuracy on all images as they are, 0..1."""
    recognised_images: int
    rotation: tuple[Row, ...]
    """Mean of turning to the left and to the right."""
    brightness: tuple[Row, ...]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def measure(classifier: Classifier, images: FaceImages, per_class: int = 3) -> Robustness:
    """Changes all `images`, and separately the first `per_class` of each class that are recognised unchanged.

    Raises:
        DataError: images of a label that the model does not have, or none is recognised.
    """
    targets = evaluation.targets_for(classifier.labels, images)

    def right(pixels: np.ndarray) -> np.ndarray:
        return evaluation.scores(classifier, _with(images, pixels)).argmax(axis=1) == targets

    unchanged = right(images.pixels)
    recognised = _first_of_each(targets, unchanged, per_class)
    if not len(recognised):
        raise DataError("no image is recognised unchanged, so there is nothing to lose")

    def row(value: float, changed: Sequence[np.ndarray]) -> Row:
        shares = np.mean([right(pixels) for pixels in changed], axis=0)
        return Row(value, float(shares.mean()), float(shares[recognised].mean()))

    return Robustness(
        images=len(images),
        unchanged=float(unchanged.mean()),
        recognised_images=len(recognised),
        rotation=tuple(
            row(degrees, [rotated(images.pixels, sign * degrees) for sign in (1, -1)]) for degrees in ROTATIONS
        ),
        brightness=tuple(row(factor, [brightened(images.pixels, factor)]) for factor in BRIGHTNESSES),
    )


def rotated(pixels: np.ndarray, degrees: float) -> np.ndarray:
    """(N, size, size) uint8, turned about its centre, counter-clockwise; what comes in repeats the edge."""
    size = pixels.shape[1]
    turn = cv2.getRotationMatrix2D(((size - 1) / 2, (size - 1) / 2), degrees, 1.0)
    return np.stack([cv2.warpAffine(image, turn, (size, size), borderMode=cv2.BORDER_REPLICATE) for image in pixels])


def brightened(pixels: np.ndarray, factor: float) -> np.ndarray:
    """(N, size, size) uint8, multiplied and clipped as a camera does."""
    return np.clip(np.rint(pixels.astype(np.float32) * factor), 0, 255).astype(np.uint8)


def tables(result: Robustness) -> list[tuple[tuple[str, ...], list[tuple[str, ...]]]]:
    """Heads and rows for rotation and for brightness: percentages, with Lyu's beside them where he gives one."""
    changes = (
        ("rotation, degrees", result.rotation, _PUBLISHED_ROTATION),
        ("brightness, times", result.brightness, _PUBLISHED_BRIGHTNESS),
    )

    def cells(row: Row, published: Mapping[float, float]) -> tuple[str, ...]:
        beside = f"{published[row.value]:.1f}" if row.value in published else ""
        return f"{row.value:g}", f"{100 * row.all_images:.1f}", f"{100 * row.recognised:.1f}", beside

    recognised = f"of {result.recognised_images} recognised"
    return [
        ((change, "all images", recognised, "Lyu, of 21"), [cells(row, published) for row in rows])
        for change, rows, published in changes
    ]


def table(result: Robustness) -> str:
    """The tables as aligned text."""
    lines = [f"unchanged: {100 * result.unchanged:.1f} % of {result.images} images"]
    for head, rows in tables(result):
        lines += ["", *(f"{a:18} {b:>10}  {c:>18}  {d:>10}".rstrip() for a, b, c, d in (head, *rows))]
    return "\n".join(lines)


def _with(images: FaceImages, pixels: np.ndarray) -> FaceImages:
    return FaceImages(pixels, images.targets, images.labels, images.splits)


def _first_of_each(targets: np.ndarray, recognised: np.ndarray, per_class: int) -> np.ndarray:
    """Indices of the first `per_class` recognised images of each class."""
    each = [np.flatnonzero(recognised & (targets == target))[:per_class] for target in np.unique(targets)]
    return np.concatenate(each)
