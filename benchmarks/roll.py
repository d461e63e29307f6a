# SPDX-License-Identifier: Apache-2.0
"""Tilted faces: detection and accuracy with and without `max_roll`, with and without alignment.

python -m benchmarks.roll [--faces N] prints rows and writes out/bench/roll.json.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator

import cv2
import numpy as np

from benchmarks.detection import MEDIA, ROOT, read
from fer_ros.emotion.classifier import Classifier
from fer_ros.faces.alignment import ALIGNMENT_MODES, Alignment
from fer_ros.faces.detectors.viola_jones import ViolaJones, ViolaJonesOptions
from fer_ros.faces.tracking_detector import TrackingDetector, TrackingSettings
from fer_ros.types import Box, Frame, TrackedFace

DATA = ROOT.parent / "shared" / "data" / "fer2013_public.npz"
RESULT = ROOT / "out" / "bench" / "roll.json"
ROLLS = (0, 5, 10, 15, 20, 25, 30, 45)
"""Degrees, to both sides."""
ENLARGEMENT = 3
"""Pixels of the canvas per pixel of FER2013's 48x48 crops."""
SIDE = 48 * ENLARGEMENT
CANVAS = 320
METHODS = {
    "upright": (0.0, "off"),
    "upright, alignment on": (0.0, "on"),
    "max_roll 30": (30.0, "off"),
    "max_roll 30, alignment tilted": (30.0, "tilted"),
    "max_roll 30, alignment on": (30.0, "on"),
}
"""max_roll and alignment."""


def canvas(crop: np.ndarray) -> np.ndarray:
    """Return a 48x48 crop, enlarged, in the center of a canvas that continues its blurred edge."""
    margin = (CANVAS - SIDE) // 2
    large = cv2.resize(crop, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    padded = cv2.copyMakeBorder(large, margin, margin, margin, margin, cv2.BORDER_REPLICATE)
    padded = cv2.GaussianBlur(padded, (0, 0), SIDE / 12)
    padded[margin : margin + SIDE, margin : margin + SIDE] = large
    return padded


def rotate(image: np.ndarray, degrees: float) -> np.ndarray:
    """Return the image rotated clockwise about its center."""
    height, width = image.shape
    mapping = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), -degrees, 1.0)
    return cv2.warpAffine(image, mapping, (width, height), borderMode=cv2.BORDER_REPLICATE)


def center_face(faces: list) -> TrackedFace | None:
    """Return the face in the center of a canvas, or None."""
    central = [one for one in faces if max(abs(value - CANVAS / 2) for value in one.box.center) < SIDE / 4]
    return max(central, key=lambda one: one.detection_score, default=None)


def detected_upright(pixels: np.ndarray, count: int) -> list[int]:
    """Return the indices of the first `count` images, in a seeded order, in which a face is found."""
    detector, found = ViolaJones(ViolaJonesOptions(min_size=SIDE // 2)), []
    for index in np.random.default_rng(0).permutation(len(pixels)):
        faces = [TrackedFace("", one.box, one.score, 0.0) for one in detector.detect(canvas(pixels[index]))]
        if center_face(faces):
            found.append(int(index))
            if len(found) == count:
                break
    return found


def measure_methods(pixels: np.ndarray, labels: np.ndarray, classifier: Classifier) -> Iterator[dict]:
    """Yield the shares of faces detected, and detected and classified correctly, by roll and method."""
    detector = ViolaJones(ViolaJonesOptions(min_size=SIDE // 2))
    aligners = {mode: Alignment(mode) for mode in ALIGNMENT_MODES}
    for degrees in ROLLS:
        outcome: dict[str, list[tuple[bool, bool]]] = {method: [] for method in METHODS}
        for image, _, label in _images(pixels, labels, degrees):
            for max_roll in {roll for roll, _ in METHODS.values()}:
                tracking = TrackingDetector(detector, TrackingSettings(max_roll=max_roll))
                face = center_face(tracking.detect(Frame(image, 0.0)))
                for method, (roll, mode) in METHODS.items():
                    if roll == max_roll:
                        region = face and aligners[mode].crop_region(image, face)
                        correct = bool(region) and _classify(classifier, image, *region) == label
                        outcome[method].append((face is not None, correct))
        yield {"degrees": degrees, **{method: np.mean(each, axis=0).tolist() for method, each in outcome.items()}}


def measure_crops(pixels: np.ndarray, labels: np.ndarray, classifier: Classifier) -> Iterator[dict]:
    """Yield the accuracy on the crops alone: unchanged, derotated, and aligned by the eyes."""
    eyes = Alignment("on")
    center = Box((CANVAS - SIDE) // 2, (CANVAS - SIDE) // 2, SIDE, SIDE)
    for degrees in ROLLS:
        correct: dict[str, list[bool]] = {"unchanged": [], "derotated": [], "by the eyes": []}
        for image, roll, label in _images(pixels, labels, degrees):
            by_eyes = eyes.crop_region(image, TrackedFace("", center, 1.0, 0.0))
            for method, region in zip(correct, ((center, 0.0), (center, roll), by_eyes), strict=True):
                correct[method].append(_classify(classifier, image, *region) == label)
        yield {"degrees": degrees, **{method: float(np.mean(each)) for method, each in correct.items()}}


def measure_clips(classifier: Classifier, rate: float) -> Iterator[dict]:
    """Yield faces and CPU time for moving people with and without `max_roll`, and what alignment changes."""
    aligners = {mode: Alignment(mode) for mode in ("off", "tilted")}
    for path in sorted(MEDIA.glob("*.gif")):
        frames = read(path, None)
        row: dict = {"clip": path.stem, "frames": len(frames)}
        for max_roll in (0.0, 30.0):
            tracking = TrackingDetector(ViolaJones(ViolaJonesOptions(min_size=30)), TrackingSettings(max_roll=max_roll))
            start = time.process_time()
            found = [tracking.detect(Frame(gray, step / rate)) for step, gray in enumerate(frames)]
            row[f"ms at {max_roll:g}"] = 1e3 * (time.process_time() - start) / len(frames)
            row[f"faces at {max_roll:g}"] = sum(map(len, found))
        tilted = [
            (gray, face) for gray, faces in zip(frames, found, strict=True) for face in faces if abs(face.roll) >= 10
        ]
        scores = {
            mode: [
                classifier.scores([classifier.preprocessing.crop(gray, *align.crop_region(gray, face))])[0]
                for gray, face in tilted
            ]
            for mode, align in aligners.items()
        }
        row["tilted"] = len(tilted)
        row["classified differently"] = sum(
            int(one.argmax()) != int(other.argmax()) for one, other in zip(*scores.values(), strict=True)
        )
        row |= {f"score {mode}": float(np.mean([one.max() for one in each] or 0)) for mode, each in scores.items()}
        yield row


def _images(pixels: np.ndarray, labels: np.ndarray, degrees: float) -> Iterator[tuple[np.ndarray, float, int]]:
    """Yield canvases with each face rotated to both sides, the roll in degrees, and the label."""
    for roll in (degrees, -degrees) if degrees else (0,):
        for crop, label in zip(pixels, labels, strict=True):
            yield rotate(canvas(crop), roll), float(roll), int(label)


def _classify(classifier: Classifier, image: np.ndarray, box: Box, roll: float) -> int:
    return int(classifier.scores([classifier.preprocessing.crop(image, box, roll)]).argmax())


def main() -> None:
    """Measure, print each row when it is complete, and write the JSON file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--faces", type=int, default=300, help="of PublicTest that are detected upright")
    parser.add_argument("--rate", type=float, default=12.5, help="images per second of the clips")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    classifier = Classifier("mini_xception")
    results = {"clips": _print_rows(measure_clips(classifier, options.rate))}
    if DATA.is_file():
        data = np.load(DATA)
        chosen = detected_upright(data["pixels"], options.faces)
        pixels, labels = data["pixels"][chosen], data["label"][chosen]
        print(f"{len(chosen)} faces of PublicTest")
        results |= {"faces": len(chosen), "crops": _print_rows(measure_crops(pixels, labels, classifier))}
        results["methods"] = _print_rows(measure_methods(pixels, labels, classifier))
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(results, indent=2) + "\n")


def _print_rows(rows: Iterator[dict]) -> list[dict]:
    kept = []
    for row in rows:
        kept.append(row)
        print(json.dumps(row), flush=True)
    return kept


if __name__ == "__main__":
    main()
