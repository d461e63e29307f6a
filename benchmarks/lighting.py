"""Light and dark: how many faces are found and read rightly, with nothing done to images and with what may be.

python -m benchmarks.lighting prints rows: of faces found by brightness, then of crops read rightly. Also measured is
what `lighting` does not offer, because it gains less.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import cv2
import numpy as np

from benchmarks.detection import MEDIA, read
from benchmarks.tilt import DATA
from fer_ros.emotion.classifier import Classifier
from fer_ros.evaluation.robustness import brightened
from fer_ros.faces.contrast import adjust_contrast
from fer_ros.faces.detectors.viola_jones import ViolaJones, ViolaJonesOptions

BRIGHTNESSES = (0.1, 0.2, 0.3, 0.5, 1.0, 1.5, 2.0, 3.0)
EVERY = 6
"""Frames of a clip of which one is looked at."""


def gamma(gray: np.ndarray) -> np.ndarray:
    """The gamma that brings the mean to 110, within 0.3..3."""
    exponent = np.log(110 / 255) / np.log(np.clip(gray.mean() / 255, 1 / 255, 0.99))
    levels = 255 * (np.arange(256) / 255) ** np.clip(exponent, 0.3, 3)
    return cv2.LUT(gray, levels.astype(np.uint8))


def clahe(gray: np.ndarray) -> np.ndarray:
    """Equalisation in 8x8 tiles."""
    return cv2.createCLAHE(2.0, (8, 8)).apply(gray)


WAYS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "off": lambda gray: adjust_contrast(gray, "off"),
    "auto": lambda gray: adjust_contrast(gray, "auto"),
    "equalize": lambda gray: adjust_contrast(gray, "equalize"),
    "gamma": gamma,
    "CLAHE": clahe,
}


def found(frames: list[np.ndarray]) -> None:
    """Boxes found of those in the frames as they are, and boxes elsewhere."""
    detector = ViolaJones(ViolaJonesOptions(min_size=30))
    known = [[one.box for one in detector.detect(gray)] for gray in frames]
    print(f"{sum(map(len, known))} boxes in {len(frames)} frames")
    for factor in BRIGHTNESSES:
        row: dict = {"brightness": factor}
        for way, change in WAYS.items():
            boxes = [[one.box for one in detector.detect(change(brightened(gray, factor)))] for gray in frames]
            pairs = list(zip(known, boxes, strict=True))
            again = sum(any(box.iou(other) > 0.4 for other in others) for wanted, others in pairs for box in wanted)
            elsewhere = sum(all(box.iou(one) < 0.2 for one in wanted) for wanted, others in pairs for box in others)
            row[way] = [again, elsewhere]
        print(json.dumps(row), flush=True)


def read_rightly(pixels: np.ndarray, labels: np.ndarray) -> None:
    """Accuracy of the shipped network on changed crops."""
    classifier = Classifier("mini_xception")
    for factor in BRIGHTNESSES:
        dark = brightened(pixels, factor)
        right = {
            way: float((classifier.scores([change(crop) for crop in dark]).argmax(axis=1) == labels).mean())
            for way, change in WAYS.items()
        }
        print(json.dumps({"brightness": factor, **right}), flush=True)


def main() -> None:
    """Measures what there are data for."""
    cv2.setNumThreads(1)
    frames = [gray for path in sorted(MEDIA.glob("*.gif")) for gray in read(path, None)[::EVERY]]
    if frames:
        found([*frames, cv2.imread(str(MEDIA / "astronaut.png"), cv2.IMREAD_GRAYSCALE)])
    if DATA.is_file():
        data = np.load(DATA)
        read_rightly(data["pixels"], data["label"])


if __name__ == "__main__":
    main()
