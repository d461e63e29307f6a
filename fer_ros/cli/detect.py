# SPDX-License-Identifier: Apache-2.0
"""fer-detect: finds faces in images and videos, with one detector or several to compare."""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import astuple, fields
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fer_ros.cli.errors import STOPPED, one_line_errors, values_from_options
from fer_ros.cli.options.common import command_parser
from fer_ros.cli.processes import Interrupts
from fer_ros.cli.progress import Progress
from fer_ros.faces.detectors.base import Detector
from fer_ros.faces.detectors.registry import DETECTORS
from fer_ros.faces.matching import MATCH_OVERLAP, count_matches
from fer_ros.faces.tracking_detector import TrackingDetector
from fer_ros.media.drawing import draw_detections
from fer_ros.media.sources import IMAGE_SUFFIXES, ImageFiles, ImageSource, SourceError, VideoFile, images_in
from fer_ros.recording.files import Video, write_png
from fer_ros.recording.output_folder import OutputFolder
from fer_ros.text import printable
from fer_ros.types import Detection, Frame

_LANDMARKS = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")
COLUMNS = (
    *("detector", "file", "frame", "x", "y", "width", "height", "score"),
    *(f"{landmark}_{axis}" for landmark in _LANDMARKS for axis in "xy"),
)
_PALETTE = ((66, 228, 240), (233, 180, 86), (167, 121, 204), (115, 158, 0))
"""BGR colors of the first detectors; after Okabe, Ito, "Color Universal Design", 2008."""
_GOLDEN_ANGLE = 137.5
"""Degrees of hue between the colors of two further detectors, which keeps any number of them apart."""
_CELL = 22
"""Width of a column of the comparison, characters."""
_EXAMPLES = """\
examples:
  fer-detect group.jpg holiday/ clip.mp4
  fer-detect clip.mp4 --detectors viola_jones mtcnn dlib
  fer-detect clip.mp4 --track --detectors yunet --model face_detection_yunet_2023mar.onnx
"""


class DetectorRun:
    """A detector with what it found in each image, and how long that took.

    Args:
        name: of the detector.
        detector: finds the faces.
        track: whether to detect by tracking in videos.
    """

    def __init__(self, name: str, detector: Detector, track: bool):
        self.name = name
        self.detections: list[list[Detection]] = []
        self.wall_times: list[float] = []
        """Seconds for each image."""
        self.cpu_times: list[float] = []
        """Seconds of all threads for each image."""
        self._detector = detector
        self._track = track
        self._tracking: TrackingDetector | None = None

    def start_file(self, video: bool) -> None:
        """Drop all tracks: the next images are of another file."""
        self._tracking = TrackingDetector(self._detector) if video and self._track else None

    def min_size(self, image: np.ndarray) -> int:
        """Return the width in pixels of the smallest face searched for in an image."""
        return self._detector.size_limits(image.shape)[0]

    def detect(self, image: np.ndarray, stamp: float) -> list[Detection]:
        """Return the faces in a gray image, and record them.

        Args:
            image: (height, width) uint8.
            stamp: time of the image within its file, s.
        """
        wall, cpu = time.perf_counter(), time.process_time()
        if self._tracking:
            faces = self._tracking.detect(Frame(image, stamp))
            detections = [Detection(face.box, face.detection_score, face.landmarks) for face in faces]
        else:
            detections = self._detector.detect(image)
        self.wall_times.append(time.perf_counter() - wall)
        self.cpu_times.append(time.process_time() - cpu)
        self.detections.append(detections)
        return detections


class _AnnotatedFile:
    """Writes the images of one file with boxes drawn on them: an mp4 for a video, a png for an image.

    Args:
        output: where to write.
        name: of the input file, with its suffix.
        video: whether it is a video.
    """

    def __init__(self, output: OutputFolder, name: str, video: bool):
        self._output = output
        self._path = output.claim(f"{name}_faces{'.mp4' if video else '.png'}")
        self._video = Video(self._path) if video else None

    def add(self, image: np.ndarray, stamp: float) -> None:
        if self._video:
            self._video.add(image, round(stamp * 1e9))
        else:
            write_png(self._path, image)

    def close(self) -> None:
        if self._video:
            self._video.close()
        self._output.written(self._path)


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser, with the detectors that are registered by now."""
    detectors = "\n".join(f"  {name:12} {DETECTORS[name].description}{_install_hint(name)}" for name in DETECTORS)
    command = command_parser(
        "fer-detect",
        "Find faces in images and videos; write boxes.csv and annotated copies; compare detectors.\n\n"
        f"detectors:\n{detectors}",
        _EXAMPLES,
    )
    command.add_argument("input", nargs="+", metavar="INPUT", help="an image, a folder of images, or a video")
    command.add_argument(
        "--detectors",
        nargs="+",
        choices=DETECTORS.names,
        default=["viola_jones"],
        metavar="NAME",
        help="one or more of %(choices)s (default: viola_jones)",
    )
    _add_detector_options(command)
    command.add_argument(
        "--track",
        action="store_true",
        help="in videos, detect by tracking, as emotion_node does; otherwise each image is scanned in full",
    )
    command.add_argument(
        "--output",
        type=Path,
        default=Path("out/detection"),
        metavar="FOLDER",
        help="for boxes.csv and the annotated images and videos (default: %(default)s)",
    )
    return command


@one_line_errors("fer-detect")
def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    with values_from_options():
        runs = _create_runs(options)
    with Interrupts() as interrupts, Progress("fer-detect") as progress:
        output = OutputFolder(options.output, "fer-detect")
        _process(_files(options.input, output), runs, output, progress, interrupts)
    if runs[0].detections:
        print(_report(runs))
        print(printable(f"{options.output / 'boxes.csv'} and annotated images", 500))
    if interrupts.received:
        print("fer-detect: stopped", file=sys.stderr)
        return STOPPED
    return 0


def _install_hint(name: str) -> str:
    install = DETECTORS[name].install
    return f" ({install})" if install else ""


def _add_detector_options(command: argparse.ArgumentParser) -> None:
    """Add an option for each field of the detectors' options; one that several detectors share is added once."""
    users: dict[str, list[str]] = {}
    rows: dict[str, Any] = {}
    for name in DETECTORS:
        for row in fields(DETECTORS[name].options):
            users.setdefault(row.name, []).append(name)
            rows.setdefault(row.name, row)
    for key, row in rows.items():
        scope = "" if len(users[key]) == len(DETECTORS) else f"{', '.join(users[key])}: "
        default = f" (default: {row.default})" if row.default else ""
        command.add_argument(
            f"--{key.replace('_', '-')}",
            type=type(row.default),
            default=argparse.SUPPRESS,
            metavar={int: "N", float: "X"}.get(type(row.default), "VALUE"),
            help=f"{scope}{row.metadata.get('help', key)}{default}".replace("%", "%%"),
        )


def _create_runs(options: argparse.Namespace) -> list[DetectorRun]:
    return [
        DetectorRun(name, DETECTORS.create(name, DETECTORS.select_options(name, vars(options))), options.track)
        for name in dict.fromkeys(options.detectors)
    ]


def _files(inputs: Sequence[str], output: OutputFolder) -> list[Path]:
    """Return the files named, and those in the folders named that are no annotated copies of an earlier run.

    Raises:
        SourceError: a file or folder does not exist.
    """
    files: list[Path] = []
    for name in inputs:
        path = Path(name).expanduser()
        if path.is_dir():
            files += [image for image in images_in(path) if not output.owns(image)]
        elif path.is_file():
            files.append(path)
        else:
            raise SourceError(f"there is no file or folder {path}")
    return files


def _process(
    files: Sequence[Path],
    runs: Sequence[DetectorRun],
    output: OutputFolder,
    progress: Progress,
    interrupts: Interrupts,
) -> None:
    """Run all detectors on all images, and write the table and the annotated files; end early when interrupted.

    Raises:
        SourceError: no image can be read.
    """
    table_path = output.claim("boxes.csv", numbered=False)
    try:
        with table_path.open("w", newline="", encoding="utf-8", errors="backslashreplace") as table:
            rows = csv.writer(table)
            rows.writerow(COLUMNS)
            for number, path in enumerate(files, start=1):
                if interrupts.received:
                    break
                progress.describe(f"{number} of {len(files)} files")
                try:
                    source = _open(path, progress)
                except SourceError as error:
                    progress.warn(f"{error}; skipped")
                    continue
                annotated = _AnnotatedFile(output, path.name, isinstance(source, VideoFile))
                try:
                    for row in _process_file(path, source, runs, annotated, progress, interrupts):
                        rows.writerow(row)
                finally:
                    annotated.close()
                    source.close()
    finally:
        output.written(table_path)
        output.save()
    if not runs[0].detections and not interrupts.received:
        raise SourceError("no image could be read")


def _open(path: Path, progress: Progress) -> ImageSource:
    # Not `open_source`: it takes a file named 7 for a webcam.
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return ImageFiles(str(path), [path], progress.warn)
    return VideoFile(path)


def _process_file(
    path: Path,
    source: ImageSource,
    runs: Sequence[DetectorRun],
    annotated: _AnnotatedFile,
    progress: Progress,
    interrupts: Interrupts,
) -> Iterator[list[Any]]:
    """Yield the rows of the table for one file."""
    video = isinstance(source, VideoFile)
    for run in runs:
        run.start_file(video)
    frame = 0
    while not interrupts.received and (image := source.read()) is not None:
        gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        stamp = source.stamp if isinstance(source, VideoFile) else 0.0
        if frame == 0:
            _warn_if_too_small(path, gray, runs, progress)
        found = []
        for number, run in enumerate(runs):
            for detection in run.detect(gray, stamp):
                found.append((detection, detector_color(number)))
                yield _row(run.name, path, frame, detection)
        legend = [(run.name, detector_color(number)) for number, run in enumerate(runs)]
        draw_detections(image, found, legend if len(runs) > 1 else ())
        annotated.add(image, stamp)
        frame += 1
        progress.step()
    if isinstance(source, VideoFile) and not interrupts.received and source.failure:
        progress.warn(f"{path} {source.failure}")


def detector_color(number: int) -> tuple[int, int, int]:
    """Return the BGR color of the boxes of detector `number`, counted from 0; any number has one."""
    if number < len(_PALETTE):
        return _PALETTE[number]
    hue = (number * _GOLDEN_ANGLE) % 360 / 2  # OpenCV's hues are 0..179
    blue, green, red = cv2.cvtColor(np.array([[[hue, 200, 240]]], np.uint8), cv2.COLOR_HSV2BGR)[0, 0].tolist()
    return blue, green, red


def _warn_if_too_small(path: Path, image: np.ndarray, runs: Sequence[DetectorRun], progress: Progress) -> None:
    height, width = image.shape
    smallest = min(run.min_size(image) for run in runs)
    if min(height, width) < smallest:
        progress.warn(f"{path} is {width}x{height}: smaller than the smallest face searched for ({smallest} pixels)")


def _row(detector: str, path: Path, frame: int, detection: Detection) -> list[Any]:
    box = detection.box
    landmarks = astuple(detection.landmarks) if detection.landmarks else (None,) * len(_LANDMARKS)
    points = [f"{value:.1f}" if point else "" for point in landmarks for value in point or (0, 0)]
    return [detector, path, frame, box.x, box.y, box.width, box.height, f"{detection.score:.3f}", *points]


def _report(runs: Sequence[DetectorRun]) -> str:
    """Return faces and times of each detector and, if there are several, how many faces each two have in common."""
    width = max(len(run.name) for run in runs)
    lines = [f"{len(runs[0].detections)} images", f"{'':{width}}  faces  ms an image  CPU ms an image"]
    for run in runs:
        # The first image includes one-time costs.
        wall, cpu = (1e3 * float(np.mean(times[1:] or times)) for times in (run.wall_times, run.cpu_times))
        lines.append(f"{run.name:{width}}  {sum(map(len, run.detections)):5d}  {wall:11.1f}  {cpu:15.1f}")
    if len(runs) > 1:
        lines += ["", f"faces of each row that the column found too (overlap {MATCH_OVERLAP}), and that it missed"]
        lines.append(" " * width + "".join(f"{run.name:>{_CELL}}" for run in runs))
        lines += [f"{row.name:{width}}" + "".join(_comparison(row, column) for column in runs) for row in runs]
    return "\n".join(lines)


def _comparison(row: DetectorRun, column: DetectorRun) -> str:
    if row is column:
        return f"{'-':>{_CELL}}"
    total = sum(map(len, row.detections))
    common = sum(
        count_matches([one.box for one in own], [one.box for one in others])
        for own, others in zip(row.detections, column.detections, strict=True)
    )
    share = f"{common / total:.0%}" if total else "-"
    return f"{f'{common} ({share}), {total - common}':>{_CELL}}"


if __name__ == "__main__":
    sys.exit(main())
