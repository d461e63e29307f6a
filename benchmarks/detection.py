"""Detecting by tracking beside a full scan of every frame: CPU time, boxes found, false ones, in one run.

python -m benchmarks.detection [--video PATH ...] [--rate HZ] writes a table and out/bench/detection.json.
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
SAME = 0.5
"""Intersection over union from which two boxes are the same."""
RUN = 3
"""A box of the full scan counts when it is found in so many frames running; its single hits are mostly false."""


@dataclass(frozen=True)
class Row:
    """One clip's result; times in milliseconds of CPU a frame."""

    clip: str
    size: str
    frames: int
    plain_ms: float
    plain_median_ms: float
    tracked_ms: float
    tracked_median_ms: float
    tracked_p95_ms: float
    stable_boxes: int
    found: int
    third_in_a_row: int
    third_found: int
    plain_unstable: int
    tracked_beside: int
    identities: int


def clips(videos: list[Path]) -> Iterator[tuple[str, list[np.ndarray]]]:
    """Names and gray frames."""
    for path in videos:
        yield path.stem, read(path, None)
    if videos:
        return
    for path in sorted(MEDIA.glob("*.gif")):
        for size in (None, (640, 360), (640, 480)):
            yield path.stem, read(path, size)
    yield "moving portrait", list(moving_portrait(150))


def read(path: Path, size: tuple[int, int] | None) -> list[np.ndarray]:
    """All frames of a video in gray, resized to (width, height)."""
    video, frames = cv2.VideoCapture(str(path)), []
    while True:
        there, picture = video.read()
        if not there:
            break
        gray = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
        frames.append(gray if size is None else cv2.resize(gray, size))
    if not frames:
        raise SystemExit(f"{path}: no frame could be read")
    return frames


def moving_portrait(count: int) -> Iterator[np.ndarray]:
    """A portrait (NASA, public domain) twice in 640x480: walking, coming nearer, tilting, hidden for 0.5 s, noisy."""
    from skimage import data

    portrait = cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2GRAY)[0:300, 90:370]
    random = np.random.default_rng(1)
    for step in range(count):
        second = step / 30
        image = np.full((480, 640), 110, np.uint8)
        for person in range(2):
            scale = 0.8 + 0.3 * np.sin(0.9 * second + 2 * person)
            tilt = 8 * np.sin(1.7 * second + person)
            turn = cv2.getRotationMatrix2D((140, 110), tilt, scale)
            turn[:, 2] += (180 + 300 * person + 60 * np.sin(1.3 * second + person) - 140, 120)
            cv2.warpAffine(portrait, turn, (640, 480), image, cv2.INTER_LINEAR, cv2.BORDER_TRANSPARENT)
        if 70 <= step < 85:
            image[:, 300:] = 60
        yield np.clip(image + random.normal(0, 4, image.shape), 0, 255).astype(np.uint8)


def measure(name: str, frames: list[np.ndarray], rate: float) -> Row:
    """Both ways on the same frames, one after the other for each, so that both meet the same machine."""
    plain_detector = ViolaJones(ViolaJonesOptions(min_size=30))
    search = TrackingDetector(ViolaJones(ViolaJonesOptions(min_size=30)))
    plain_times, tracked_times, plain, tracked, identities = [], [], [], [], set()
    for step, gray in enumerate(frames):
        cv2.setNumThreads(1)  # `TrackingDetector` has chosen otherwise where it has scanned the last image whole
        start = time.process_time()
        detections = plain_detector.detect(gray)
        between = time.process_time()
        faces = search.detect(Frame(gray, step / rate))
        tracked_times.append(1e3 * (time.process_time() - between))
        plain_times.append(1e3 * (between - start))
        plain.append([found.box for found in detections])
        tracked.append([face.box for face in faces])
        identities |= {face.id for face in faces}
    stable = [[box for box in boxes if _run(plain, step, box) >= RUN] for step, boxes in enumerate(plain)]
    third = [[box for box in boxes if _streak(plain, step, box, -1) >= RUN] for step, boxes in enumerate(plain)]
    near = [list(chain(*stable[max(0, step - 2) : step + 3])) for step in range(len(frames))]
    height, width = frames[0].shape
    return Row(
        clip=name,
        size=f"{width}x{height}",
        frames=len(frames),
        plain_ms=float(np.mean(plain_times)),
        plain_median_ms=float(np.median(plain_times)),
        tracked_ms=float(np.mean(tracked_times)),
        tracked_median_ms=float(np.median(tracked_times)),
        tracked_p95_ms=float(np.percentile(tracked_times, 95)),
        stable_boxes=sum(map(len, stable)),
        found=_found(stable, tracked),
        third_in_a_row=sum(map(len, third)),
        third_found=_found(third, tracked),
        plain_unstable=sum(map(len, plain)) - sum(map(len, stable)),
        tracked_beside=sum(map(len, tracked)) - _found(tracked, near),
        identities=len(identities),
    )


def _found(wanted: list[list[Box]], given: list[list[Box]]) -> int:
    """How many of the wanted boxes are among those given for the same frame."""
    return sum(
        any(box.iou(other) >= SAME for other in others)
        for boxes, others in zip(wanted, given, strict=True)
        for box in boxes
    )


def _streak(plain: list[list[Box]], step: int, box: Box, direction: int) -> int:
    """In how many frames running, from `step` on, a box is found in every one."""
    length = 1
    while length < RUN and 0 <= step + direction < len(plain):
        step += direction
        after = max(plain[step], key=box.iou, default=None)
        if after is None or after.iou(box) < SAME:
            break
        box, length = after, length + 1
    return length


def _run(plain: list[list[Box]], step: int, box: Box) -> int:
    return _streak(plain, step, box, -1) + _streak(plain, step, box, 1) - 1


def as_table(rows: list[Row]) -> str:
    """The rows in markdown; CPU in milliseconds a frame."""
    lines = [
        "| clip | size | full scan, ms | tracked, ms (p95) | ratio | boxes of 3 frames running | from the third on "
        "| false: full scan, tracked |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.clip} | {row.size} | {row.plain_ms:.1f} | {row.tracked_ms:.1f} ({row.tracked_p95_ms:.1f}) "
        f"| {row.plain_ms / row.tracked_ms:.1f} | {row.found} of {row.stable_boxes} "
        f"| {row.third_found} of {row.third_in_a_row} | {row.plain_unstable}, {row.tracked_beside} |"
        for row in rows
    ]
    return "\n".join(lines)


def main() -> None:
    """Measures every clip, prints the table and writes the JSON file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--video", type=Path, nargs="+", default=[], help="other footage, taken as it is")
    parser.add_argument("--rate", type=float, default=30.0, help="images a second that the frames are taken for")
    options = parser.parse_args()
    if not options.video and not MEDIA.is_dir():
        print(f"{MEDIA} is missing: only the made scene is measured")
    rows = [measure(name, frames, options.rate) for name, frames in clips(options.video)]
    print(as_table(rows))
    plain, tracked = (sum(getattr(row, name) * row.frames for row in rows) for name in ("plain_ms", "tracked_ms"))
    print(f"\nall frames: {plain / tracked:.1f} times less CPU")
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps({"rate": options.rate, "clips": [asdict(row) for row in rows]}, indent=2) + "\n")


if __name__ == "__main__":
    main()
