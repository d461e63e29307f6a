# SPDX-License-Identifier: Apache-2.0
"""Faces found and emotions classified at several brightnesses, with and without contrast adjustment.

python -m benchmarks.contrast prints a row per brightness: faces found, then crops classified correctly. Includes
methods that `adjust_contrast` does not offer, because they gain less.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import cv2
import numpy as np

from benchmarks.detection import MEDIA, read
from benchmarks.roll import DATA
from fer_ros.emotion.classifier import Classifier
from fer_ros.evaluation.robustness import brightened
from fer_ros.faces.contrast import adjust_contrast
from fer_ros.faces.detectors.viola_jones import ViolaJones, ViolaJonesOptions

BRIGHTNESSES = (0.1, 0.2, 0.3, 0.5, 1.0, 1.5, 2.0, 3.0)
FRAME_STEP = 6
"""One of so many frames of a clip is used."""


def gamma(gray: np.ndarray) -> np.ndarray:
    """Return the image with the gamma, within 0.3..3, that brings its mean to 110."""
    exponent = np.log(110 / 255) / np.log(np.clip(gray.mean() / 255, 1 / 255, 0.99))
    levels = 255 * (np.arange(256) / 255) ** np.clip(exponent, 0.3, 3)
    return cv2.LUT(gray, levels.astype(np.uint8))


def clahe(gray: np.ndarray) -> np.ndarray:
    """Return the image after contrast-limited equalization in 8x8 tiles."""
    return cv2.createCLAHE(2.0, (8, 8)).apply(gray)


METHODS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "off": lambda gray: adjust_contrast(gray, "off"),
    "auto": lambda gray: adjust_contrast(gray, "auto"),
    "equalize": lambda gray: adjust_contrast(gray, "equalize"),
    "gamma": gamma,
    "CLAHE": clahe,
}


def measure_detection(frames: list[np.ndarray]) -> None:
    """Print how many boxes of the unchanged frames are found again, and how many boxes are elsewhere."""
    detector = ViolaJones(ViolaJonesOptions(min_size=30))
    known = [[one.box for one in detector.detect(gray)] for gray in frames]
    print(f"{sum(map(len, known))} boxes in {len(frames)} frames")
    for factor in BRIGHTNESSES:
        row: dict = {"brightness": factor}
        for method, adjust in METHODS.items():
            boxes = [[one.box for one in detector.detect(adjust(brightened(gray, factor)))] for gray in frames]
            pairs = list(zip(known, boxes, strict=True))
            again = sum(any(box.iou(other) > 0.4 for other in others) for expected, others in pairs for box in expected)
            elsewhere = sum(all(box.iou(one) < 0.2 for one in expected) for expected, others in pairs for box in others)
            row[method] = [again, elsewhere]
        print(json.dumps(row), flush=True)


def measure_accuracy(pixels: np.ndarray, labels: np.ndarray) -> None:
    """Print the accuracy of the shipped network on adjusted crops."""
    classifier = Classifier("mini_xception")
    for factor in BRIGHTNESSES:
        dark = brightened(pixels, factor)
        accuracy = {
            method: float((classifier.scores([adjust(crop) for crop in dark]).argmax(axis=1) == labels).mean())
            for method, adjust in METHODS.items()
        }
        print(json.dumps({"brightness": factor, **accuracy}), flush=True)


def main() -> None:
    """Run each measurement whose data are present."""
    cv2.setNumThreads(1)
    frames = [gray for path in sorted(MEDIA.glob("*.gif")) for gray in read(path, None)[::FRAME_STEP]]
    if frames:
        measure_detection([*frames, cv2.imread(str(MEDIA / "astronaut.png"), cv2.IMREAD_GRAYSCALE)])
    if DATA.is_file():
        data = np.load(DATA)
        measure_accuracy(data["pixels"], data["label"])


if __name__ == "__main__":
    main()
