"""How accuracy falls when faces are tilted, the light changes, or the crop is not where it was in training.

After Lyu, "Facial Expression Recognition based on Mini_Xception", who rotates and brightens 21 images of PublicTest,
three of each class, that the network recognizes. That answers how easily a right answer is lost; the same on all
images answers how often the answer is right.
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
"""What pixels are multiplied by."""
SIDES = (0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.05, 1.1, 1.15, 1.2, 1.25, 1.3)
"""Side of the crop, in sides of the image: how tightly a detector frames a face."""
SHIFTS = (0.03, 0.06, 0.09, 0.12, 0.15, 0.2)
"""How far the crop's center is off, in sides of the image."""

CHANGES = {
    "rotation": "rotation, degrees",
    "brightness": "brightness, times",
    "side": "side of the crop, times",
    "shift": "shift of the crop, sides",
}
"""What is changed, by the field of `Robustness` that tells of it."""
_DIRECTIONS = ((-1, 0), (1, 0), (0, -1), (0, 1))
"""Of shifts: x and y."""
_PUBLISHED = {
    "rotation": {1: 95.2, 4: 90.5, 8: 80.9, 10: 76.2, 15: 57.1, 30: 42.9, 45: 28.6},
    "brightness": {0.3: 66.7, 0.5: 76.2, 0.7: 85.7, 0.9: 95.2, 1.1: 100.0, 1.2: 85.7}
    | {1.3: 80.9, 1.4: 61.9, 1.5: 57.1, 1.8: 14.3},
}
"""Lyu's percentages of the 21 images."""


@dataclass(frozen=True)
class Row:
    """Shares 0..1 of right answers under one change."""

    value: float
    """Degrees, factor of brightness, or sides of the image."""
    all_images: float
    recognized: float
    """Of the images that are recognized unchanged."""


@dataclass(frozen=True)
class Robustness:
    """Accuracy under every change."""

    images: int
    unchanged: float
    """Accuracy on all images as they are, 0..1."""
    recognized_images: int
    rotation: tuple[Row, ...]
    """Mean of turning to the left and to the right."""
    brightness: tuple[Row, ...]
    side: tuple[Row, ...]
    """Of the crop."""
    shift: tuple[Row, ...]
    """Mean of shifts to the left, to the right, up and down."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def measure(classifier: Classifier, images: FaceImages, per_class: int = 3) -> Robustness:
    """Changes all `images`, and separately the first `per_class` of each class that are recognized unchanged.

    Raises:
        DataError: images of a label that the model does not have, or none is recognized.
    """
    targets = metrics.targets_for(classifier.labels, images)

    def right(pixels: np.ndarray) -> np.ndarray:
        return metrics.scores(classifier, _with(images, pixels)).argmax(axis=1) == targets

    unchanged = right(images.pixels)
    recognized = _first_of_each(targets, unchanged, per_class)
    if not len(recognized):
        raise DataError("no image is recognized unchanged, so there is nothing to lose")

    def rows(values: Sequence[float], change: Callable[[float], Sequence[np.ndarray]]) -> tuple[Row, ...]:
        shares = {value: np.mean([right(pixels) for pixels in change(value)], axis=0) for value in values}
        return tuple(
            Row(value, float(share.mean()), float(share[recognized].mean())) for value, share in shares.items()
        )

    return Robustness(
        images=len(images),
        unchanged=float(unchanged.mean()),
        recognized_images=len(recognized),
        rotation=rows(ROTATIONS, lambda degrees: [rotated(images.pixels, sign * degrees) for sign in (1, -1)]),
        brightness=rows(BRIGHTNESSES, lambda factor: [brightened(images.pixels, factor)]),
        side=rows(SIDES, lambda side: [cropped(images.pixels, side)]),
        shift=rows(SHIFTS, lambda far: [cropped(images.pixels, 1.0, far * x, far * y) for x, y in _DIRECTIONS]),
    )


def rotated(pixels: np.ndarray, degrees: float) -> np.ndarray:
    """(N, size, size) uint8, turned about its center, counter-clockwise; what comes in repeats the edge."""
    size = pixels.shape[1]
    turn = cv2.getRotationMatrix2D(((size - 1) / 2, (size - 1) / 2), degrees, 1.0)
    return np.stack([cv2.warpAffine(image, turn, (size, size), borderMode=cv2.BORDER_REPLICATE) for image in pixels])


def brightened(pixels: np.ndarray, factor: float) -> np.ndarray:
    """(N, size, size) uint8, multiplied and clipped as a camera does."""
    return np.clip(np.rint(pixels.astype(np.float32) * factor), 0, 255).astype(np.uint8)


def cropped(pixels: np.ndarray, side: float, x: float = 0.0, y: float = 0.0) -> np.ndarray:
    """(N, size, size) uint8: a square of `side` image sides, whose center is `x` and `y` sides right of and below the
    image's, scaled to the image's size; what comes in repeats the edge.
    """
    size = pixels.shape[1]
    corner = [size * (0.5 + offset - side / 2) + side / 2 - 0.5 for offset in (x, y)]
    mapping = np.array([[side, 0, corner[0]], [0, side, corner[1]]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.stack(
        [cv2.warpAffine(one, mapping, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE) for one in pixels]
    )


def tables(result: Robustness) -> list[tuple[tuple[str, ...], list[tuple[str, ...]]]]:
    """Heads and rows of each change: percentages, with Lyu's beside them where he gives one."""

    def cells(row: Row, published: Mapping[float, float]) -> tuple[str, ...]:
        beside = f"{published[row.value]:.1f}" if row.value in published else ""
        return f"{row.value:g}", f"{100 * row.all_images:.1f}", f"{100 * row.recognized:.1f}", beside

    recognized = f"of {result.recognized_images} recognized"
    return [
        (
            (head, "all images", recognized, "Lyu, of 21" if change in _PUBLISHED else ""),
            [cells(row, _PUBLISHED.get(change, {})) for row in getattr(result, change)],
        )
        for change, head in CHANGES.items()
    ]


def table(result: Robustness) -> str:
    """The tables as aligned text."""
    lines = [f"unchanged: {100 * result.unchanged:.1f} % of {result.images} images"]
    for head, rows in tables(result):
        lines += ["", *(f"{a:24} {b:>10}  {c:>18}  {d:>10}".rstrip() for a, b, c, d in (head, *rows))]
    return "\n".join(lines)


def _with(images: FaceImages, pixels: np.ndarray) -> FaceImages:
    return FaceImages(pixels, images.targets, images.labels, images.splits)


def _first_of_each(targets: np.ndarray, recognized: np.ndarray, per_class: int) -> np.ndarray:
    """Indices of the first `per_class` recognized images of each class."""
    each = [np.flatnonzero(recognized & (targets == target))[:per_class] for target in np.unique(targets)]
    return np.concatenate(each)
