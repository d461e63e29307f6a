# SPDX-License-Identifier: Apache-2.0
"""Compare detection by tracking with a full scan of every frame: CPU time, boxes found, false boxes.

python -m benchmarks.detection [--video PATH ...] [--rate HZ] prints a table and writes out/bench/detection.json.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path

import cv2
import numpy as np

from fer_ros.faces.detectors.viola_jones import ViolaJones, ViolaJonesOptions
from fer_ros.faces.tracking_detector import TrackingDetector
from fer_ros.types import Box, Frame

ROOT = Path(__file__).resolve().parent.parent
MEDIA = ROOT.parent / "shared" / "media"
RESULT = Path("out/bench/detection.json")
MATCH_OVERLAP = 0.5
"""Intersection over union from which two boxes match."""
STABLE_RUN = 3
"""Consecutive frames in which the full scan finds a stable box; its other boxes are mostly false."""


@dataclass(frozen=True)
class Row:
    """The result of one clip; times in milliseconds of CPU per frame."""

    clip: str
    size: str
    frames: int
    full_scan_ms: float
    full_scan_median_ms: float
    tracked_ms: float
    tracked_median_ms: float
    tracked_p95_ms: float
    stable_boxes: int
    found: int
    late_boxes: int
    late_found: int
    full_scan_false: int
    tracked_false: int
    identities: int


def clips(videos: list[Path]) -> Iterator[tuple[str, list[np.ndarray]]]:
    """Yield the name and the gray frames of each clip."""
    for path in videos:
        yield path.stem, read(path, None)
    if videos:
        return
    for path in sorted(MEDIA.glob("*.gif")):
        for size in (None, (640, 360), (640, 480)):
            yield path.stem, read(path, size)
    yield "moving portrait", list(moving_portrait(150))


def read(path: Path, size: tuple[int, int] | None) -> list[np.ndarray]:
    """Return all frames of a video as gray images, resized to (width, height)."""
    video, frames = cv2.VideoCapture(str(path)), []
    while True:
        ok, image = video.read()
        if not ok:
            break
        gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        frames.append(gray if size is None else cv2.resize(gray, size))
    if not frames:
        raise SystemExit(f"{path}: no frame could be read")
    return frames


def moving_portrait(count: int) -> Iterator[np.ndarray]:
    """Yield a noisy 640x480 video of two portraits (NASA, public domain) that move, approach, tilt and are occluded."""
    from skimage import data

    portrait = cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2GRAY)[0:300, 90:370]
    random = np.random.default_rng(1)
    for step in range(count):
        second = step / 30
        image = np.full((480, 640), 110, np.uint8)
        for person in range(2):
            scale = 0.8 + 0.3 * np.sin(0.9 * second + 2 * person)
            roll = 8 * np.sin(1.7 * second + person)
            mapping = cv2.getRotationMatrix2D((140, 110), roll, scale)
            mapping[:, 2] += (180 + 300 * person + 60 * np.sin(1.3 * second + person) - 140, 120)
            cv2.warpAffine(portrait, mapping, (640, 480), image, cv2.INTER_LINEAR, cv2.BORDER_TRANSPARENT)
        if 70 <= step < 85:
            image[:, 300:] = 60
        yield np.clip(image + random.normal(0, 4, image.shape), 0, 255).astype(np.uint8)


def measure(name: str, frames: list[np.ndarray], rate: float) -> Row:
    """Run both on each frame in turn, so that both run under the same load."""
    plain_detector = ViolaJones(ViolaJonesOptions(min_size=30))
    tracking = TrackingDetector(ViolaJones(ViolaJonesOptions(min_size=30)))
    plain_times, tracked_times, plain, tracked, identities = [], [], [], [], set()
    for step, gray in enumerate(frames):
        cv2.setNumThreads(1)  # after a full scan, `TrackingDetector` leaves several threads
        start = time.process_time()
        detections = plain_detector.detect(gray)
        middle = time.process_time()
        faces = tracking.detect(Frame(gray, step / rate))
        tracked_times.append(1e3 * (time.process_time() - middle))
        plain_times.append(1e3 * (middle - start))
        plain.append([found.box for found in detections])
        tracked.append([face.box for face in faces])
        identities |= {face.id for face in faces}
    stable = [[box for box in boxes if _run_length(plain, step, box) >= STABLE_RUN] for step, boxes in enumerate(plain)]
    late = [[box for box in boxes if _streak(plain, step, box, -1) >= STABLE_RUN] for step, boxes in enumerate(plain)]
    nearby = [list(chain(*stable[max(0, step - 2) : step + 3])) for step in range(len(frames))]
    height, width = frames[0].shape
    return Row(
        clip=name,
        size=f"{width}x{height}",
        frames=len(frames),
        full_scan_ms=float(np.mean(plain_times)),
        full_scan_median_ms=float(np.median(plain_times)),
        tracked_ms=float(np.mean(tracked_times)),
        tracked_median_ms=float(np.median(tracked_times)),
        tracked_p95_ms=float(np.percentile(tracked_times, 95)),
        stable_boxes=sum(map(len, stable)),
        found=_found(stable, tracked),
        late_boxes=sum(map(len, late)),
        late_found=_found(late, tracked),
        full_scan_false=sum(map(len, plain)) - sum(map(len, stable)),
        tracked_false=sum(map(len, tracked)) - _found(tracked, nearby),
        identities=len(identities),
    )


def _found(expected: list[list[Box]], found: list[list[Box]]) -> int:
    """Return how many of the expected boxes match one of the same frame."""
    return sum(
        any(box.iou(other) >= MATCH_OVERLAP for other in others)
        for boxes, others in zip(expected, found, strict=True)
        for box in boxes
    )


def _streak(plain: list[list[Box]], step: int, box: Box, direction: int) -> int:
    """Return the number of consecutive frames, from `step` on in a direction, in which a box is found."""
    length = 1
    while length < STABLE_RUN and 0 <= step + direction < len(plain):
        step += direction
        match = max(plain[step], key=box.iou, default=None)
        if match is None or match.iou(box) < MATCH_OVERLAP:
            break
        box, length = match, length + 1
    return length


def _run_length(plain: list[list[Box]], step: int, box: Box) -> int:
    return _streak(plain, step, box, -1) + _streak(plain, step, box, 1) - 1


def as_table(rows: list[Row]) -> str:
    """Return the rows in Markdown; CPU time in milliseconds per frame."""
    lines = [
        "| clip | size | full scan, ms | tracked, ms (p95) | ratio | stable boxes found | from the third frame on "
        "| false: full scan, tracked |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.clip} | {row.size} | {row.full_scan_ms:.1f} | {row.tracked_ms:.1f} ({row.tracked_p95_ms:.1f}) "
        f"| {row.full_scan_ms / row.tracked_ms:.1f} | {row.found} of {row.stable_boxes} "
        f"| {row.late_found} of {row.late_boxes} | {row.full_scan_false}, {row.tracked_false} |"
        for row in rows
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure all clips, print the table and write the JSON file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--video", type=Path, nargs="+", default=[], help="other videos, in their own size")
    parser.add_argument("--rate", type=float, default=30.0, help="images per second (default: %(default)s)")
    options = parser.parse_args()
    if not options.video and not MEDIA.is_dir():
        print(f"{MEDIA} is missing: only the synthetic clip is measured")
    rows = [measure(name, frames, options.rate) for name, frames in clips(options.video)]
    print(as_table(rows))
    plain, tracked = (sum(getattr(row, name) * row.frames for row in rows) for name in ("full_scan_ms", "tracked_ms"))
    print(f"\nall frames: {plain / tracked:.1f} times less CPU")
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps({"rate": options.rate, "clips": [asdict(row) for row in rows]}, indent=2) + "\n")


if __name__ == "__main__":
    main()
