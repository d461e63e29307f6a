# SPDX-License-Identifier: Apache-2.0
"""Small labeled images for the training tests: a bright bar in noise, at a height that depends on the class."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from fer_ros.emotion.labels import FER2013
from fer_ros.evaluation import plots, robustness_plots, sheets


def bars(targets: np.ndarray, seed: int) -> np.ndarray:
    """Return one (48, 48) uint8 image for each target."""
    pixels = np.random.default_rng(seed).integers(0, 80, (len(targets), 48, 48), np.uint8)
    for image, target in zip(pixels, targets, strict=True):
        image[6 * target + 2 : 6 * target + 8] += 150
    return pixels


def arrays(path: Path, count: int, split: int, seed: int, **replaced) -> Path:
    """Write an .npz file in the form of FER2013's; `replaced` arrays override the correct ones, None removes one."""
    targets = np.arange(count, dtype=np.uint8) % 7
    content = {"pixels": bars(targets, seed), "label": targets, "usage": np.full(count, split, np.uint8), **replaced}
    np.savez(path, **{name: array for name, array in content.items() if array is not None})
    return path


def csv_rows(count: int, usage: str, seed: int) -> list[str]:
    targets = np.arange(count) % 7
    return [
        f"{target},{' '.join(map(str, image.ravel()))},{usage}"
        for target, image in zip(targets, bars(targets, seed), strict=True)
    ]


def csv(path: Path, rows: list[str]) -> Path:
    path.write_text("\n".join(["emotion,pixels,Usage", *rows]) + "\n")
    return path


def class_folders(root: Path, per_class: int, seed: int, size: int = 48) -> Path:
    """Write color images of `size` pixels to a folder per emotion."""
    targets = np.repeat(np.arange(7), per_class)
    for number, (target, image) in enumerate(zip(targets, bars(targets, seed), strict=True)):
        folder = root / FER2013[target]
        folder.mkdir(parents=True, exist_ok=True)
        color = cv2.cvtColor(cv2.resize(image, (size, size)), cv2.COLOR_GRAY2BGR)
        cv2.imwrite(str(folder / f"{number}.png"), color)
    return root


def recipe(path: Path, **changes) -> Path:
    """Write a recipe that learns the bars in a second, with the network of `tiny_network`."""
    keys = {
        "network": "tiny",
        "epochs": 3,
        "batch_size": 8,
        "learning_rate": 0.01,
        "ema_decay": 0.5,
        "augmentation": {"rotation": 0, "scale": 0, "shift": 0, "erase": 0.2, "brightness": 0.3},
        **changes,
    }
    path.write_text(yaml.safe_dump(keys))
    return path


@contextlib.contextmanager
def undrawn() -> Iterator[None]:
    """Write empty files instead of plots, which take longer than training on so few images."""
    names = {
        plots: ("curves", "confusion_matrix", "reliability", "save"),
        robustness_plots: ("plot", "plot_several", "examples"),
        sheets: ("write",),
    }
    with pytest.MonkeyPatch.context() as patch:
        for module, functions in names.items():
            for function in functions:
                patch.setattr(module, function, lambda path, *_, **__: path.write_bytes(b""))
        yield
