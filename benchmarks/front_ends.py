"""The detectors side by side: faces found and missed, tilt, smallest face, CPU, and the emotions read in their boxes.

python -m benchmarks.front_ends [--yunet FILE] [--data fer2013.csv] prints tables and writes out/bench/front_ends.json.
What is not installed is left out.
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
"""Share of the faces that must be found for a size or a tilt to count as seen."""
FACE = 144
"""Pixels to which a face of FER2013 is enlarged ..."""
CANVAS = (240, 320)
"""... and the plain picture, (height, width), that it is pasted on."""
PORTRAIT_FACE = Box(177, 66, 95, 95)
RATE = 30.0
Row = dict[str, float]


# --- what is looked at ---


def pasted(face: np.ndarray, width: int, angle: float = 0.0) -> np.ndarray:
    """A face, enlarged or reduced to a width and turned by degrees, in the middle of a picture of its own mean gray."""
    picture = np.full(CANVAS, int(face.mean()), np.uint8)
    scale = width / face.shape[0]
    small = cv2.resize(face, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    middle = (small.shape[1] - 1) / 2, (small.shape[0] - 1) / 2
    turn = cv2.getRotationMatrix2D(middle, angle, 1.0)
    turn[:, 2] += CANVAS[1] / 2 - middle[0], CANVAS[0] / 2 - middle[1]
    return cv2.warpAffine(small, turn, CANVAS[::-1], picture, cv2.INTER_LINEAR, cv2.BORDER_TRANSPARENT)


def in_the_middle(found: Sequence[Detection], width: float) -> list[Detection]:
    """Those on the face that was pasted: a third of it aside, and half as large again or two thirds, at the most."""
    middle = CANVAS[1] / 2, CANVAS[0] / 2
    return [
        one for one in found if math.dist(one.box.center, middle) < width / 3 and 2 / 3 < one.box.width / width < 3 / 2
    ]


# --- measurements: each gives one row for each detector ---


def footage(made: Callable[[str], Detector], names: Sequence[str]) -> dict[str, Row]:
    """FaceEvents without labels: a face is what at least two detectors agree on."""
    pictures = [gray for path in sorted(MEDIA.glob("*.gif")) for gray in read(path, (640, 360))]
    boxes = {name: [[one.box for one in made(name).detect(gray)] for gray in pictures] for name in names}
    rows = {name: {"faces": 0, "found": 0, "alone": 0} for name in names}
    for at in range(len(pictures)):
        for group in _groups([(name, box) for name in names for box in boxes[name][at]]):
            if len(group) == 1:
                rows[next(iter(group))]["alone"] += 1
                continue
            for name in names:
                rows[name]["faces"] += 1
                rows[name]["found"] += name in group
    return rows


def made_scene(made: Callable[[str], Detector], names: Sequence[str]) -> dict[str, Row]:
    """The built-in scene, where it is known where the face is."""
    scene, rows = SyntheticScene(), {}
    times = np.arange(0, PERIOD, 0.25)
    pictures = [cv2.cvtColor(scene.image(at), cv2.COLOR_BGR2GRAY) for at in times]
    truth = [[face] if (face := scene.face(at)) else [] for at in times]
    for name in names:
        boxes = [[one.box for one in made(name).detect(gray)] for gray in pictures]
        found = sum(count_matches(real, given) for real, given in zip(truth, boxes, strict=True))
        rows[name] = {"faces": sum(map(len, truth)), "found": found, "alone": sum(map(len, boxes)) - found}
    return rows


def tilt(made: Callable[[str, int], Detector], names: Sequence[str], faces: np.ndarray) -> dict[str, Row]:
    """Share of the faces found upright that are found turned by each angle, to the left and to the right."""
    rows: dict[str, Row] = {}
    for name in names:
        detector = made(name, FACE // 2)
        upright = [face for face in faces if in_the_middle(detector.detect(pasted(face, FACE)), FACE)]
        rows[name] = {"upright": len(upright) / len(faces)}
        for angle in ANGLES:
            seen = [
                bool(in_the_middle(detector.detect(pasted(face, FACE, turn)), FACE))
                for face in upright
                for turn in {-angle, angle}
            ]
            rows[name][str(angle)] = float(np.mean(seen))
    return rows


def smallest(made: Callable[[str, int], Detector], names: Sequence[str], count: int = 20) -> dict[str, Row]:
    """Share found of a portrait (NASA, public domain) at each width; asked for is two thirds of it and more."""
    from skimage import data

    portrait = cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2GRAY)
    rows: dict[str, Row] = {name: {} for name in names}
    for width in WIDTHS:
        random = np.random.default_rng(width)
        scale = width / PORTRAIT_FACE.width
        small = cv2.resize(portrait, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        x, y = (scale * value for value in PORTRAIT_FACE.center)
        pictures = []
        for _ in range(count):
            aside = random.uniform(-1, 1, 2)
            shift = np.array([[1, 0, CANVAS[1] / 2 - x + aside[0]], [0, 1, CANVAS[0] / 2 - y + aside[1]]])
            pictures.append(cv2.warpAffine(small, shift, CANVAS[::-1], borderMode=cv2.BORDER_CONSTANT, borderValue=110))
        for name in names:
            detector = made(name, width * 2 // 3)
            rows[name][str(width)] = float(
                np.mean([bool(in_the_middle(detector.detect(picture), width)) for picture in pictures])
            )
    return rows


def costs(made: Callable[[str], Detector], names: Sequence[str]) -> dict[str, Row]:
    """Milliseconds of CPU for an image of 640x480: scanned in full, and tracked at 30 images/s."""
    images = list(moving_portrait(90))
    rows = {}
    for name in names:
        detector = made(name)
        detector.detect(images[0])
        search = TrackingDetector(detector)
        tracked = [_cpu(partial(search.detect, Frame(gray, at / RATE))) for at, gray in enumerate(images)]
        rows[name] = {
            "full": float(np.mean([_cpu(partial(detector.detect, gray)) for gray in images[::9]])),
            "tracked": float(np.mean(tracked)),
            "tracked_p95": float(np.percentile(tracked, 95)),
        }
    return rows


def accuracy(
    made: Callable[[str], Detector],
    names: Sequence[str],
    faces: np.ndarray,
    targets: np.ndarray,
    classifier: Classifier,
) -> dict[str, Row]:
    """Emotions read in the boxes, and in the very faces that were pasted."""
    plain = classifier.scores([classifier.preprocessing.crop(face, Box(0, 0, 48, 48)) for face in faces]).argmax(axis=1)
    rows = {"the face itself": {"found": 1.0, "right": float(np.mean(plain == targets))}}
    for name in names:
        crops, which = [], []
        for at, face in enumerate(faces):
            picture = pasted(face, FACE)
            for one in in_the_middle(made(name).detect(picture), FACE)[:1]:
                crops.append(classifier.preprocessing.crop(picture, one.box))
                which.append(at)
        said = classifier.scores(crops).argmax(axis=1)
        rows[name] = {
            "found": len(which) / len(faces),
            "right": float(np.mean(said == targets[which])),
            "right_itself": float(np.mean(plain[which] == targets[which])),
            "same": float(np.mean(said == plain[which])),
        }
    return rows


def _groups(boxes: Sequence[tuple[str, Box]]) -> list[dict[str, Box]]:
    """Boxes of different detectors that lie on the same face."""
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
    """The last step up to which nearly all is found without a gap; -1 where there is none."""
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
    """What was measured, in markdown."""
    tables = []
    for key, title in (("footage", "recordings"), ("scene", "built-in scene")):
        if key in result:
            cells = {
                name: (f"{row['found']}", f"{row['faces'] - row['found']}", f"{row['alone']}")
                for name, row in result[key].items()
            }
            tables.append(_table(f"{title}: faces", ("found", "missed", "beside them"), cells))
    for key, steps in (("tilt", ANGLES), ("smallest", WIDTHS)):
        if key in result:
            cells = {name: [f"{row[str(step)]:.0%}" for step in steps] for name, row in result[key].items()}
            tables.append(_table(f"{key}: found", list(map(str, steps)), cells))
    if "tilt" in result:
        limits = {name: (f"{_limit(row, ANGLES)}",) for name, row in result["tilt"].items()}
        tables.append(_table("tilt up to which 90 % are found, degrees", ("degrees",), limits))
    if "costs" in result:
        cells = {name: [f"{value:.1f}" for value in row.values()] for name, row in result["costs"].items()}
        tables.append(_table("CPU, ms an image", ("full", "tracked", "p95"), cells))
    if "accuracy" in result:
        cells = {name: [f"{value:.1%}" for value in row.values()] for name, row in result["accuracy"].items()}
        columns = ("found", "right of these", "of these in the face itself", "same as in the face itself")
        tables.append(_table("accuracy", columns, cells))
    return "\n".join(tables)


def _is_here(name: str, made: Callable[[str], Detector]) -> bool:
    try:
        made(name)
    except (ImportError, OSError, ValueError) as error:
        print(f"{name} is left out: {error}")
        return False
    return True


def main() -> None:
    """Measures what was asked for, prints the tables and writes the JSON file."""
    of_fer2013 = ("tilt", "accuracy")
    sections = ("footage", "scene", "costs", "smallest", *of_fer2013)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--yunet", default="", metavar="FILE", help="YuNet's ONNX file")
    parser.add_argument("--data", type=Path, default=PUBLIC, help="FER2013, for tilt and accuracy")
    parser.add_argument("--model", default="mini_xception", help="reads the emotions (default: %(default)s)")
    parser.add_argument("--faces", type=int, default=200, help="of the PublicTest split (default: %(default)s)")
    parser.add_argument("--only", nargs="+", choices=sections, default=sections, help="default: all")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    made_already: dict[tuple[str, int], Detector] = {}

    def made(name: str, min_size: int = 0) -> Detector:
        """The detector of a name, made once for each smallest face."""
        if (name, min_size) not in made_already:
            made_already[name, min_size] = DETECTORS.create(
                name, DETECTORS.select_options(name, {"model": options.yunet, "min_size": min_size})
            )
        return made_already[name, min_size]

    names = [name for name in DETECTORS if _is_here(name, made)]
    faces = targets = None
    if options.data.exists():
        images = registry.read([options.data], 48).split("public")
        chosen = np.linspace(0, len(images.pixels) - 1, options.faces).astype(int)
        faces, targets = images.pixels[chosen], images.targets[chosen]
    measure: dict[str, Callable[[], dict[str, Row]]] = {
        "footage": lambda: footage(made, names),
        "scene": lambda: made_scene(made, names),
        "tilt": lambda: tilt(made, names, faces[:50]),
        "smallest": lambda: smallest(made, names),
        "costs": lambda: costs(made, names),
        "accuracy": lambda: accuracy(made, names, faces, targets, Classifier(options.model)),
    }
    result = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    for section in options.only:
        if (section == "footage" and not MEDIA.is_dir()) or (section in of_fer2013 and faces is None):
            print(f"{section} is left out: its pictures are not here")
            continue
        result[section] = measure[section]()
        RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(as_tables(result))


if __name__ == "__main__":
    main()
