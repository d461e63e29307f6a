"""Tilted faces: how many are found and read rightly, upright search beside tilted search, alignment beside none.

python -m benchmarks.tilt [--faces N] prints rows and writes out/bench/tilt.json.
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
RESULT = ROOT / "out" / "bench" / "tilt.json"
TILTS = (0, 5, 10, 15, 20, 25, 30, 45)
"""Degrees, to both sides."""
ENLARGED = 3
"""Pixels of the canvas to one of FER2013's 48x48 crops."""
SIDE = 48 * ENLARGED
CANVAS = 320
WAYS = {
    "upright search": (0.0, "off"),
    "and eyes": (0.0, "on"),
    "tilted search": (30.0, "off"),
    "and alignment": (30.0, "tilted"),
    "and eyes too": (30.0, "on"),
}
"""max_tilt and alignment."""


def canvas(crop: np.ndarray) -> np.ndarray:
    """A 48x48 crop enlarged, in the middle of what its blurred edge continues to."""
    margin = (CANVAS - SIDE) // 2
    large = cv2.resize(crop, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    wide = cv2.copyMakeBorder(large, margin, margin, margin, margin, cv2.BORDER_REPLICATE)
    wide = cv2.GaussianBlur(wide, (0, 0), SIDE / 12)
    wide[margin : margin + SIDE, margin : margin + SIDE] = large
    return wide


def turned(gray: np.ndarray, degrees: float) -> np.ndarray:
    """RotatedDetector clockwise about the middle."""
    height, width = gray.shape
    turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), -degrees, 1.0)
    return cv2.warpAffine(gray, turn, (width, height), borderMode=cv2.BORDER_REPLICATE)


def the_face(faces: list) -> TrackedFace | None:
    """The one in the middle of a canvas."""
    middle = [one for one in faces if max(abs(value - CANVAS / 2) for value in one.box.center) < SIDE / 4]
    return max(middle, key=lambda one: one.detection_score, default=None)


def found_upright(pixels: np.ndarray, count: int) -> list[int]:
    """The first `count` images, in a seeded order, in which a face is found."""
    detector, found = ViolaJones(ViolaJonesOptions(min_size=SIDE // 2)), []
    for index in np.random.default_rng(0).permutation(len(pixels)):
        faces = [TrackedFace("", one.box, one.score, 0.0) for one in detector.detect(canvas(pixels[index]))]
        if the_face(faces):
            found.append(int(index))
            if len(found) == count:
                break
    return found


def chain(pixels: np.ndarray, labels: np.ndarray, classifier: Classifier) -> Iterator[dict]:
    """Shares of all faces that are found, and that are found and read rightly, by tilt and way."""
    detector = ViolaJones(ViolaJonesOptions(min_size=SIDE // 2))
    aligners = {when: Alignment(when) for when in ALIGNMENT_MODES}
    for degrees in TILTS:
        outcome: dict[str, list[tuple[bool, bool]]] = {way: [] for way in WAYS}
        for picture, _, label in _pictures(pixels, labels, degrees):
            for max_tilt in {tilt for tilt, _ in WAYS.values()}:
                search = TrackingDetector(detector, TrackingSettings(max_roll=max_tilt))
                face = the_face(search.detect(Frame(picture, 0.0)))
                for way, (tilt, when) in WAYS.items():
                    if tilt == max_tilt:
                        right = (
                            bool(face)
                            and _read(classifier, picture, *aligners[when].crop_region(picture, face)) == label
                        )
                        outcome[way].append((face is not None, right))
        yield {"degrees": degrees, **{way: np.mean(each, axis=0).tolist() for way, each in outcome.items()}}


def crops(pixels: np.ndarray, labels: np.ndarray, classifier: Classifier) -> Iterator[dict]:
    """Shares of the crops themselves that are read rightly: as they are, turned back, and with the eyes looked for."""
    eyes = Alignment("on")
    middle = Box((CANVAS - SIDE) // 2, (CANVAS - SIDE) // 2, SIDE, SIDE)
    for degrees in TILTS:
        right: dict[str, list[bool]] = {"as they are": [], "turned back": [], "by their eyes": []}
        for picture, roll, label in _pictures(pixels, labels, degrees):
            by_eyes = eyes.crop_region(picture, TrackedFace("", middle, 1.0, 0.0))
            for way, place in zip(right, ((middle, 0.0), (middle, roll), by_eyes), strict=True):
                right[way].append(_read(classifier, picture, *place) == label)
        yield {"degrees": degrees, **{way: float(np.mean(each)) for way, each in right.items()}}


def clips(classifier: Classifier, rate: float) -> Iterator[dict]:
    """FaceEvents who move: faces and CPU of both searches, and what alignment changes of those that are tilted."""
    aligners = {when: Alignment(when) for when in ("off", "tilted")}
    for path in sorted(MEDIA.glob("*.gif")):
        frames = read(path, None)
        row: dict = {"clip": path.stem, "frames": len(frames)}
        for max_tilt in (0.0, 30.0):
            search = TrackingDetector(ViolaJones(ViolaJonesOptions(min_size=30)), TrackingSettings(max_roll=max_tilt))
            start = time.process_time()
            found = [search.detect(Frame(gray, step / rate)) for step, gray in enumerate(frames)]
            row[f"ms at {max_tilt:g}"] = 1e3 * (time.process_time() - start) / len(frames)
            row[f"faces at {max_tilt:g}"] = sum(map(len, found))
        tilted = [
            (gray, face) for gray, faces in zip(frames, found, strict=True) for face in faces if abs(face.roll) >= 10
        ]
        scores = {
            when: [
                classifier.scores([classifier.preprocessing.crop(gray, *align.crop_region(gray, face))])[0]
                for gray, face in tilted
            ]
            for when, align in aligners.items()
        }
        row["tilted"] = len(tilted)
        row["read otherwise"] = sum(
            int(one.argmax()) != int(other.argmax()) for one, other in zip(*scores.values(), strict=True)
        )
        row |= {f"score {when}": float(np.mean([one.max() for one in each] or 0)) for when, each in scores.items()}
        yield row


def _pictures(pixels: np.ndarray, labels: np.ndarray, degrees: float) -> Iterator[tuple[np.ndarray, float, int]]:
    """Canvases with every face turned to both sides, by how much, and its label."""
    for roll in (degrees, -degrees) if degrees else (0,):
        for crop, label in zip(pixels, labels, strict=True):
            yield turned(canvas(crop), roll), float(roll), int(label)


def _read(classifier: Classifier, picture: np.ndarray, box: Box, roll: float) -> int:
    return int(classifier.scores([classifier.preprocessing.crop(picture, box, roll)]).argmax())


def main() -> None:
    """Measures, prints each row as it is there, and writes the JSON file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--faces", type=int, default=300, help="of PublicTest that are found upright")
    parser.add_argument("--rate", type=float, default=12.5, help="images a second of the clips")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    classifier = Classifier("mini_xception")
    results = {"clips": _shown(clips(classifier, options.rate))}
    if DATA.is_file():
        data = np.load(DATA)
        chosen = found_upright(data["pixels"], options.faces)
        pixels, labels = data["pixels"][chosen], data["label"][chosen]
        print(f"{len(chosen)} faces of PublicTest")
        results |= {"faces": len(chosen), "crops": _shown(crops(pixels, labels, classifier))}
        results["chain"] = _shown(chain(pixels, labels, classifier))
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(results, indent=2) + "\n")


def _shown(rows: Iterator[dict]) -> list[dict]:
    kept = []
    for row in rows:
        kept.append(row)
        print(json.dumps(row), flush=True)
    return kept


if __name__ == "__main__":
    main()
