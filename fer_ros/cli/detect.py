# SPDX-License-Identifier: Apache-2.0
"""fer-detect: finds faces in images and videos, with one detector or several to compare."""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, fields
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fer_ros.cli.detector_run import DetectorRun, report, score
from fer_ros.cli.errors import STOPPED, one_line_errors, values_from_options
from fer_ros.cli.options.common import command_parser
from fer_ros.cli.processes import Interrupts
from fer_ros.cli.progress import Progress
from fer_ros.datasets import face_boxes
from fer_ros.datasets.face_boxes import LabeledFaces
from fer_ros.datasets.face_images import DataError
from fer_ros.faces.detectors.registry import DETECTORS
from fer_ros.media.drawing import draw_detections
from fer_ros.media.sources import IMAGE_SUFFIXES, ImageFiles, ImageSource, SourceError, VideoFile, images_in
from fer_ros.recording.files import Video, write_png
from fer_ros.recording.output_folder import OutputFolder
from fer_ros.text import printable
from fer_ros.types import Detection

_LANDMARKS = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")
COLUMNS = (
    *("detector", "file", "frame", "x", "y", "width", "height", "score"),
    *(f"{landmark}_{axis}" for landmark in _LANDMARKS for axis in "xy"),
)
_PALETTE = ((66, 228, 240), (233, 180, 86), (167, 121, 204), (115, 158, 0))
"""BGR colors of the first detectors; after Okabe, Ito, "Color Universal Design", 2008."""
_LABELED = (255, 255, 255)
"""BGR color of labeled boxes."""
_GOLDEN_ANGLE = 137.5
"""Degrees of hue between the colors of two further detectors, which keeps any number of them apart."""
_EXAMPLES = """\
examples:
  fer-detect group.jpg holiday/ clip.mp4
  fer-detect clip.mp4 --detectors viola_jones mtcnn dlib
  fer-detect WIDER_val/images --truth wider_face_val_bbx_gt.txt --detectors viola_jones mtcnn
  fer-detect clip.mp4 --track --detectors yunet --model face_detection_yunet_2023mar.onnx
"""


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
        "--truth",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="lists of labeled boxes in the text format of WIDER FACE or FDDB, whose names start at the folder INPUT: "
        "search their images only, and score the detectors",
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
        truth = _labeled_images(options) if options.truth else {}
    with Interrupts() as interrupts, Progress("fer-detect") as progress:
        output = OutputFolder(options.output, "fer-detect")
        files = list(truth) if truth else _files(options.input, output)
        _process(files, truth, runs, output, progress, interrupts)
    if runs[0].detections:
        print(report(runs))
        print(printable(f"{options.output / 'boxes.csv'} and annotated images", 500))
    if runs[0].labeled:
        print(score(runs, output))
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


def _labeled_images(options: argparse.Namespace) -> dict[Path, LabeledFaces]:
    """Return the labeled faces by the path of the image, of the images that exist.

    Raises:
        ValueError: INPUT is not one folder.
        DataError: a list cannot be read, or none of its images exists.
    """
    folder = Path(options.input[0]).expanduser()
    if len(options.input) != 1 or not folder.is_dir():
        raise ValueError("with --truth, INPUT must be one folder: that which the names in the list start at")
    faces: dict[str, LabeledFaces] = {}
    for path in options.truth:
        faces |= face_boxes.read(path)
    found = {folder / name: labeled for name, labeled in faces.items() if (folder / name).is_file()}
    if not found:
        raise DataError(f"{folder}: has none of the {len(faces)} images that are listed, such as {next(iter(faces))}")
    if len(found) < len(faces):
        print(f"fer-detect: {len(faces) - len(found)} of {len(faces)} listed images are not there", file=sys.stderr)
    return found


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
    truth: Mapping[Path, LabeledFaces],
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
                    for row in _process_file(path, source, truth.get(path), runs, annotated, progress, interrupts):
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
    labeled: LabeledFaces | None,
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
            for detection in run.detect(gray, stamp, labeled):
                found.append((detection, detector_color(number)))
                yield _row(run.name, path, frame, detection)
        legend = [(run.name, detector_color(number)) for number, run in enumerate(runs)]
        if labeled is not None:
            legend.append(("labeled", _LABELED))
        true_faces = [(box, _LABELED) for box in labeled.boxes] if labeled else []
        draw_detections(image, found, legend if len(legend) > 1 else (), true_faces)
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


if __name__ == "__main__":
    sys.exit(main())
