# SPDX-License-Identifier: Apache-2.0
"""Compare the detectors: faces found and missed, roll, smallest face, CPU time, accuracy of emotions in their boxes.

python -m benchmarks.front_ends [--yunet FILE] [--data fer2013.csv] prints tables and writes out/bench/front_ends.json.
Detectors that are not installed are skipped.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from benchmarks.detection import MEDIA, ROOT, moving_portrait, read
from fer_ros.datasets import registry
from fer_ros.emotion.classifier import Classifier
from fer_ros.faces.detectors.base import Detector
from fer_ros.faces.detectors.registry import DETECTORS
from fer_ros.faces.matching import count_matches
from fer_ros.faces.tracking_detector import TrackingDetector
from fer_ros.media.synthetic_scene import PERIOD, SyntheticScene
from fer_ros.types import Box, Detection, Frame

RESULT = ROOT / "out" / "bench" / "front_ends.json"
PUBLIC = ROOT.parent / "shared" / "data" / "fer2013_public.npz"
ANGLES = range(0, 50, 5)
WIDTHS = (15, 18, 21, 24, 27, 30, 35, 40, 50)
NEARLY_ALL = 0.9
"""Share of the faces that must be found at a size or a roll."""
FACE = 144
"""Pixels to which a face of FER2013 is enlarged."""
CANVAS = (240, 320)
"""(height, width) of the plain background, pixels."""
PORTRAIT_FACE = Box(177, 66, 95, 95)
RATE = 30.0
Row = dict[str, float]


# --- test images ---


def pasted(face: np.ndarray, width: int, angle: float = 0.0) -> np.ndarray:
    """Return a face, resized to a width and rotated by degrees, in the center of an image of its own mean gray."""
    image = np.full(CANVAS, int(face.mean()), np.uint8)
    scale = width / face.shape[0]
    small = cv2.resize(face, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    middle = (small.shape[1] - 1) / 2, (small.shape[0] - 1) / 2
    mapping = cv2.getRotationMatrix2D(middle, angle, 1.0)
    mapping[:, 2] += CANVAS[1] / 2 - middle[0], CANVAS[0] / 2 - middle[1]
    return cv2.warpAffine(small, mapping, CANVAS[::-1], image, cv2.INTER_LINEAR, cv2.BORDER_TRANSPARENT)


def at_center(found: Sequence[Detection], width: float) -> list[Detection]:
    """Return the detections of the pasted face: within a third of its width, and 2/3 to 3/2 of its size."""
    middle = CANVAS[1] / 2, CANVAS[0] / 2
    return [
        one for one in found if math.dist(one.box.center, middle) < width / 3 and 2 / 3 < one.box.width / width < 3 / 2
    ]


# --- measurements: each returns one row per detector ---


def footage(create: Callable[[str], Detector], names: Sequence[str]) -> dict[str, Row]:
    """Compare on people without labels: a face is what at least two detectors agree on."""
    images = [gray for path in sorted(MEDIA.glob("*.gif")) for gray in read(path, (640, 360))]
    boxes = {name: [[one.box for one in create(name).detect(gray)] for gray in images] for name in names}
    rows = {name: {"faces": 0, "found": 0, "alone": 0} for name in names}
    for at in range(len(images)):
        for group in _groups([(name, box) for name in names for box in boxes[name][at]]):
            if len(group) == 1:
                rows[next(iter(group))]["alone"] += 1
                continue
            for name in names:
                rows[name]["faces"] += 1
                rows[name]["found"] += name in group
    return rows


def synthetic_scene(create: Callable[[str], Detector], names: Sequence[str]) -> dict[str, Row]:
    """Compare on the synthetic scene, whose faces have known positions."""
    scene, rows = SyntheticScene(), {}
    times = np.arange(0, PERIOD, 0.25)
    images = [cv2.cvtColor(scene.image(at), cv2.COLOR_BGR2GRAY) for at in times]
    truth = [scene.faces(at) for at in times]
    for name in names:
        boxes = [[one.box for one in create(name).detect(gray)] for gray in images]
        found = sum(count_matches(real, found) for real, found in zip(truth, boxes, strict=True))
        rows[name] = {"faces": sum(map(len, truth)), "found": found, "alone": sum(map(len, boxes)) - found}
    return rows


def roll(create: Callable[[str, int], Detector], names: Sequence[str], faces: np.ndarray) -> dict[str, Row]:
    """Return the share of the faces found upright that are found at each roll, to the left and to the right."""
    rows: dict[str, Row] = {}
    for name in names:
        detector = create(name, FACE // 2)
        upright = [face for face in faces if at_center(detector.detect(pasted(face, FACE)), FACE)]
        rows[name] = {"upright": len(upright) / len(faces)}
        for angle in ANGLES:
            hits = [
                bool(at_center(detector.detect(pasted(face, FACE, signed)), FACE))
                for face in upright
                for signed in {-angle, angle}
            ]
            rows[name][str(angle)] = float(np.mean(hits))
    return rows


def smallest_face(create: Callable[[str, int], Detector], names: Sequence[str], count: int = 20) -> dict[str, Row]:
    """Return the share found of a portrait (NASA, public domain) at each width; min_size is two thirds of it."""
    from skimage import data

    portrait = cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2GRAY)
    rows: dict[str, Row] = {name: {} for name in names}
    for width in WIDTHS:
        random = np.random.default_rng(width)
        scale = width / PORTRAIT_FACE.width
        small = cv2.resize(portrait, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        x, y = (scale * value for value in PORTRAIT_FACE.center)
        images = []
        for _ in range(count):
            offset = random.uniform(-1, 1, 2)
            shift = np.array([[1, 0, CANVAS[1] / 2 - x + offset[0]], [0, 1, CANVAS[0] / 2 - y + offset[1]]])
            images.append(cv2.warpAffine(small, shift, CANVAS[::-1], borderMode=cv2.BORDER_CONSTANT, borderValue=110))
        for name in names:
            detector = create(name, width * 2 // 3)
            rows[name][str(width)] = float(
                np.mean([bool(at_center(detector.detect(image), width)) for image in images])
            )
    return rows


def cpu_time(create: Callable[[str], Detector], names: Sequence[str]) -> dict[str, Row]:
    """Return milliseconds of CPU per 640x480 image: full scan, and detection by tracking at 30 images/s."""
    images = list(moving_portrait(90))
    rows = {}
    for name in names:
        detector = create(name)
        detector.detect(images[0])
        tracking = TrackingDetector(detector)
        tracked = [_cpu(partial(tracking.detect, Frame(gray, at / RATE))) for at, gray in enumerate(images)]
        rows[name] = {
            "full": float(np.mean([_cpu(partial(detector.detect, gray)) for gray in images[::9]])),
            "tracked": float(np.mean(tracked)),
            "tracked_p95": float(np.percentile(tracked, 95)),
        }
    return rows


def accuracy(
    create: Callable[[str], Detector],
    names: Sequence[str],
    faces: np.ndarray,
    targets: np.ndarray,
    classifier: Classifier,
) -> dict[str, Row]:
    """Return the accuracy of the emotions in the boxes, and in the same faces without a detector."""
    plain = classifier.scores([classifier.preprocessing.crop(face, Box(0, 0, 48, 48)) for face in faces]).argmax(axis=1)
    rows = {"without a detector": {"found": 1.0, "correct": float(np.mean(plain == targets))}}
    for name in names:
        crops, indices = [], []
        for at, face in enumerate(faces):
            image = pasted(face, FACE)
            for one in at_center(create(name).detect(image), FACE)[:1]:
                crops.append(classifier.preprocessing.crop(image, one.box))
                indices.append(at)
        predicted = classifier.scores(crops).argmax(axis=1)
        rows[name] = {
            "found": len(indices) / len(faces),
            "correct": float(np.mean(predicted == targets[indices])),
            "correct_without": float(np.mean(plain[indices] == targets[indices])),
            "same": float(np.mean(predicted == plain[indices])),
        }
    return rows


def _groups(boxes: Sequence[tuple[str, Box]]) -> list[dict[str, Box]]:
    """Return the boxes of different detectors on the same face."""
    groups: list[dict[str, Box]] = []
    for name, box in boxes:
        for group in groups:
            if name not in group and max(other.iou(box) for other in group.values()) >= 0.4:
                group[name] = box
                break
        else:
            groups.append({name: box})
    return groups


def _cpu(action: Callable[[], object]) -> float:
    start = time.process_time()
    action()
    return 1e3 * (time.process_time() - start)


def _limit(shares: Row, steps: Sequence[int]) -> int:
    """Return the last step up to which nearly all faces are found; -1 if there is none."""
    last = -1
    for step in steps:
        if shares[str(step)] < NEARLY_ALL:
            break
        last = step
    return last


# --- the tables ---


def _table(title: str, columns: Sequence[str], rows: dict[str, Sequence[str]]) -> str:
    lines = [f"{title}\n", f"| | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    return "\n".join([*lines, *(f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items())]) + "\n"


def as_tables(result: dict[str, dict[str, Row]]) -> str:
    """Return the results in Markdown."""
    tables = []
    for key, title in (("footage", "recordings"), ("scene", "synthetic scene")):
        if key in result:
            cells = {
                name: (f"{row['found']}", f"{row['faces'] - row['found']}", f"{row['alone']}")
                for name, row in result[key].items()
            }
            tables.append(_table(f"{title}: faces", ("found", "missed", "others"), cells))
    for key, steps in (("roll", ANGLES), ("smallest", WIDTHS)):
        if key in result:
            cells = {name: [f"{row[str(step)]:.0%}" for step in steps] for name, row in result[key].items()}
            tables.append(_table(f"{key}: found", list(map(str, steps)), cells))
    if "roll" in result:
        limits = {name: (f"{_limit(row, ANGLES)}",) for name, row in result["roll"].items()}
        tables.append(_table("roll up to which 90 % are found, degrees", ("degrees",), limits))
    if "cpu" in result:
        cells = {name: [f"{value:.1f}" for value in row.values()] for name, row in result["cpu"].items()}
        tables.append(_table("CPU, ms per image", ("full scan", "tracking", "p95"), cells))
    if "accuracy" in result:
        cells = {name: [f"{value:.1%}" for value in row.values()] for name, row in result["accuracy"].items()}
        columns = ("found", "correct", "correct without a detector", "both agree")
        tables.append(_table("accuracy", columns, cells))
    return "\n".join(tables)


def _is_installed(name: str, create: Callable[[str], Detector]) -> bool:
    try:
        create(name)
    except (ImportError, OSError, ValueError) as error:
        print(f"{name} skipped: {error}")
        return False
    return True


def main() -> None:
    """Run the selected measurements, print the tables and write the JSON file."""
    of_fer2013 = ("roll", "accuracy")
    sections = ("footage", "scene", "cpu", "smallest", *of_fer2013)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--yunet", default="", metavar="FILE", help="YuNet's ONNX file")
    parser.add_argument("--data", type=Path, default=PUBLIC, help="FER2013, for roll and accuracy")
    parser.add_argument("--model", default="mini_xception", help="classifies the emotions (default: %(default)s)")
    parser.add_argument(
        "--faces", type=int, default=200, help="number of faces of the PublicTest split (default: %(default)s)"
    )
    parser.add_argument("--only", nargs="+", choices=sections, default=sections, help="default: all")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    cache: dict[tuple[str, int], Detector] = {}

    def create(name: str, min_size: int = 0) -> Detector:
        """Return the detector of that name, created once per smallest face."""
        if (name, min_size) not in cache:
            cache[name, min_size] = DETECTORS.create(
                name, DETECTORS.select_options(name, {"model": options.yunet, "min_size": min_size})
            )
        return cache[name, min_size]

    names = [name for name in DETECTORS if _is_installed(name, create)]
    faces = targets = None
    if options.data.exists():
        images = registry.read([options.data], 48).split("public")
        chosen = np.linspace(0, len(images.pixels) - 1, options.faces).astype(int)
        faces, targets = images.pixels[chosen], images.targets[chosen]
    measure: dict[str, Callable[[], dict[str, Row]]] = {
        "footage": lambda: footage(create, names),
        "scene": lambda: synthetic_scene(create, names),
        "roll": lambda: roll(create, names, faces[:50]),
        "smallest": lambda: smallest_face(create, names),
        "cpu": lambda: cpu_time(create, names),
        "accuracy": lambda: accuracy(create, names, faces, targets, Classifier(options.model)),
    }
    result = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    for section in options.only:
        if (section == "footage" and not MEDIA.is_dir()) or (section in of_fer2013 and faces is None):
            print(f"{section} skipped: its images are missing")
            continue
        result[section] = measure[section]()
        RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(as_tables(result))


if __name__ == "__main__":
    main()
