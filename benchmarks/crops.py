# SPDX-License-Identifier: Apache-2.0
"""Accuracy and calibration on the detector's boxes compared with the data set's own crops, on the same images.

python -m benchmarks.crops [--models NAME ...] [--faces N] prints tables and writes out/bench/crops.json.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

import numpy as np

from benchmarks.roll import CANVAS, DATA, ROOT, SIDE, canvas, center_face
from fer_ros.emotion.classifier import Classifier
from fer_ros.evaluation import metrics, risk_coverage
from fer_ros.evaluation.metrics import Evaluation
from fer_ros.faces.detectors.viola_jones import ViolaJones, ViolaJonesOptions
from fer_ros.types import Box, TrackedFace

RESULT = ROOT / "out" / "bench" / "crops.json"
FRAME = Box((CANVAS - SIDE) // 2, (CANVAS - SIDE) // 2, SIDE, SIDE)
"""FER2013's own crop in a canvas."""
NAMED_ACCURACY = 0.85
PERCENTILES = (5, 25, 50, 75, 95)


def detect_faces(pixels: np.ndarray) -> dict[int, Box]:
    """Return the detector's box in the canvas of each image in which it finds the face, by the image's index."""
    detector, boxes = ViolaJones(ViolaJonesOptions(min_size=SIDE // 2)), {}
    for index, crop in enumerate(pixels):
        face = center_face([TrackedFace("", one.box, one.score, 0.0) for one in detector.detect(canvas(crop))])
        if face:
            boxes[index] = face.box
    return boxes


def placement(boxes: list[Box]) -> dict[str, list[float]]:
    """Return percentiles of the boxes' sides and offsets, in sides of the data set's crop."""
    offsets = np.array([[value - CANVAS / 2 for value in box.center] for box in boxes]) / SIDE
    measured = {"side": [box.width / SIDE for box in boxes], "to the right": offsets[:, 0], "down": offsets[:, 1]}
    return {name: np.percentile(values, PERCENTILES).tolist() for name, values in measured.items()}


def evaluate(model: str, pixels: np.ndarray, labels: np.ndarray, boxes: dict[int, Box]) -> dict[str, Evaluation]:
    """Return the measures on the data set's crops and on the boxes, both cut from the same canvases."""
    classifier = Classifier(model)
    crop, measured = classifier.preprocessing.crop, {}
    for kind, box_of in (("frame", lambda index: FRAME), ("detector", boxes.get)):
        crops = [crop(canvas(pixels[index]), box_of(index)) for index in boxes]
        scores = metrics.scores(classifier, np.stack(crops))
        measured[kind] = metrics.measure(scores, labels[list(boxes)], classifier.labels)
    return measured


def cells(result: Evaluation) -> list[str]:
    """Return accuracy, calibration, and what threshold names emotions 85 % of which are right."""
    point = risk_coverage.point_for(result.risk_coverage, NAMED_ACCURACY)
    named = [f"{point.threshold:.2f}", f"{100 * point.coverage:.1f}"] if point else ["-", "-"]
    return [f"{100 * result.accuracy:.2f}", f"{result.ece:.3f}", f"{result.aurc:.3f}", *named]


def main() -> None:
    """Measure, print the tables and write the JSON file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=["mini_xception", "res_se"])
    parser.add_argument("--faces", type=int, help="number of images, the first (default: all)")
    options = parser.parse_args()
    if not DATA.is_file():
        raise SystemExit(f"{DATA} is missing: FER2013's PublicTest as .npz")
    with np.load(DATA) as data:
        pixels, labels = data["pixels"][: options.faces], data["label"][: options.faces].astype(int)
    boxes = detect_faces(pixels)
    percentiles = placement(list(boxes.values()))
    print(f"found in {len(boxes)} of {len(pixels)} images\n\n| percentile | {' | '.join(map(str, PERCENTILES))} |")
    print("|---" * (1 + len(PERCENTILES)) + "|")
    for name, values in percentiles.items():
        print(f"| {name}, in sides of the crop | {' | '.join(f'{value:.3f}' for value in values)} |")
    print("\n| model, crops | accuracy, % | ECE | AURC | min_confidence to be 85 % right | named, % |")
    print("|---|---|---|---|---|---|")
    rows: dict[str, dict[str, Any]] = {}
    for model in options.models:
        for kind, result in evaluate(model, pixels, labels, boxes).items():
            rows.setdefault(model, {})[kind] = result.to_dict()
            print(f"| {model}, {kind} | {' | '.join(cells(result))} |", flush=True)
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(
        json.dumps({"images": len(pixels), "found": len(boxes), "placement": percentiles, "models": rows}, indent=1)
    )


if __name__ == "__main__":
    main()
