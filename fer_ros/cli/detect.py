"""fer-detect: where the faces are in pictures and videos, by one detector or by several side by side."""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import astuple
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from fer_ros.cli.errors import BAD_INPUT, one_line_errors
from fer_ros.cli.options.common import command_parser
from fer_ros.faces.detectors.base import Detector
from fer_ros.faces.detectors.registry import DETECTORS, Options, make
from fer_ros.faces.matching import SAME, shared
from fer_ros.faces.tracker import OverlapTracker
from fer_ros.faces.tracking_detector import TrackingDetector
from fer_ros.media.drawing import draw_detection
from fer_ros.media.sources import ImageSource, SourceError, VideoFile, open_source, pictures_in
from fer_ros.recording.files import RecordingError, Video
from fer_ros.types import Detection, Frame

_PARTS = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")
COLUMNS = (
    *("detector", "file", "frame", "x", "y", "width", "height", "score"),
    *(f"{part}_{axis}" for part in _PARTS for axis in "xy"),
)
_COLORS = ((66, 228, 240), (233, 180, 86), (167, 121, 204), (115, 158, 0))
"""Of the detectors in the order asked for, blue first; after Okabe and Ito, 2008."""
_EXAMPLES = """\
examples:
  fer-detect group.jpg holiday/ clip.mp4
  fer-detect clip.mp4 --detector viola_jones mtcnn dlib
  fer-detect clip.mp4 --track --detector yunet --detector-model face_detection_yunet_2023mar.onnx
"""


class DetectorRun:
    """A detector, what it found in each picture, and what that took.

    Args:
        name: of the detector.
        detector: finds the faces.
        track: whether it looks for known faces of a video where they are expected.
    """

    def __init__(self, name: str, detector: Detector, track: bool):
        self.name = name
        self.found: list[list[Detection]] = []
        self.wall: list[float] = []
        """Seconds for each picture."""
        self.cpu: list[float] = []
        """Seconds of all threads for each picture."""
        self._detector = detector
        self._track = track
        self._search: TrackingDetector | None = None

    def begin(self, video: bool) -> None:
        """The next pictures are of another file."""
        self._search = TrackingDetector(self._detector, OverlapTracker()) if video and self._track else None

    def smallest(self, gray: np.ndarray) -> int:
        """Width in pixels of the smallest face looked for in such a picture."""
        return self._detector.sizes(gray.shape)[0]

    def look(self, gray: np.ndarray, stamp: float) -> list[Detection]:
        """The faces in a picture taken at `stamp` seconds."""
        wall, cpu = time.perf_counter(), time.process_time()
        if self._search:
            faces = self._search.find(Frame(gray, stamp))
            found = [Detection(face.box, face.detection_score, face.landmarks) for face in faces]
        else:
            found = self._detector.detect(gray)
        self.wall.append(time.perf_counter() - wall)
        self.cpu.append(time.process_time() - cpu)
        self.found.append(found)
        return found


class _Annotated:
    """The pictures of one file with boxes on them: a video for a video, a png file for a picture."""

    def __init__(self, path: Path, video: bool):
        self._path = path
        self._video = Video(path.with_suffix(".mp4")) if video else None

    def add(self, picture: np.ndarray, stamp: float) -> None:
        if self._video:
            self._video.add(picture, round(stamp * 1e9))
        else:
            self._path.with_suffix(".png").write_bytes(cv2.imencode(".png", picture)[1].tobytes())

    def close(self) -> None:
        if self._video:
            self._video.close()


def parser() -> argparse.ArgumentParser:
    made = command_parser(
        "fer-detect",
        "Finds faces; writes boxes.csv and annotated pictures; compares detectors.",
        _EXAMPLES,
    )
    made.add_argument("input", nargs="+", metavar="INPUT", help="a picture, a folder of pictures, or a video")
    made.add_argument(
        "--detector",
        nargs="+",
        choices=tuple(DETECTORS),
        default=["viola_jones"],
        metavar="NAME",
        help="one or several of %(choices)s (default: viola_jones)",
    )
    made.add_argument("--cascade", default=Options.cascade, help="viola_jones: name or xml file (default: %(default)s)")
    made.add_argument("--detector-model", default="", metavar="FILE", help="yunet: its ONNX file")
    made.add_argument(
        "--min-face-size", type=int, default=0, metavar="PX", help="default: 1/16 of the shorter side, at least 30"
    )
    made.add_argument("--max-face-size", type=int, default=0, metavar="PX", help="default: no limit")
    made.add_argument(
        "--track",
        action="store_true",
        help="in videos, look for known faces where they are expected, as emotion_node does",
    )
    made.add_argument(
        "--output",
        type=Path,
        default=Path("out/detection"),
        metavar="FOLDER",
        help="for boxes.csv and the annotated pictures and videos (default: %(default)s)",
    )
    return made


@one_line_errors("fer-detect")
def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    try:
        runs = _contestants(options)
    except (OSError, ValueError, ImportError) as error:
        return _refuse(error)
    try:
        _run(_files(options.input), runs, options.output)
    except (OSError, SourceError, RecordingError) as error:
        return _refuse(error)
    print(_report(runs))
    print(f"{options.output / 'boxes.csv'} and annotated pictures")
    return 0


def _refuse(error: Exception) -> int:
    print(f"fer-detect: error: {error}", file=sys.stderr)
    return BAD_INPUT


def _warn(message: str) -> None:
    tqdm.write(f"fer-detect: warning: {message}", file=sys.stderr)


def _contestants(options: argparse.Namespace) -> list[DetectorRun]:
    told = Options(
        cascade=options.cascade,
        model=options.detector_model,
        min_size=options.min_face_size,
        max_size=options.max_face_size,
    )
    return [DetectorRun(name, make(name, told), options.track) for name in dict.fromkeys(options.detector)]


def _files(inputs: Sequence[str]) -> list[Path]:
    """The files that are meant; raises SourceError where there is none of that name."""
    files: list[Path] = []
    for name in inputs:
        path = Path(name).expanduser()
        if path.is_dir():
            files += pictures_in(path)
        elif path.is_file():
            files.append(path)
        else:
            raise SourceError(f"there is no file or folder {path}")
    return files


def _run(files: Sequence[Path], runs: Sequence[DetectorRun], output: Path) -> None:
    """Has everybody look at every picture, and writes what they found; raises SourceError where there is none."""
    output.mkdir(parents=True, exist_ok=True)
    names: set[str] = set()
    with (
        (output / "boxes.csv").open("w", newline="") as table,
        tqdm(unit=" pictures", disable=not sys.stderr.isatty()) as bar,
    ):
        rows = csv.writer(table)
        rows.writerow(COLUMNS)
        for number, path in enumerate(files, start=1):
            bar.set_description(f"{number} of {len(files)} files")
            try:
                source = open_source(str(path), warn=_warn)
            except SourceError as error:
                _warn(f"{error}; it is left out")
                continue
            annotated = _Annotated(output / _unused(f"{path.stem}_faces", names), isinstance(source, VideoFile))
            for row in _look_at(path, source, runs, annotated, bar):
                rows.writerow(row)
            annotated.close()
            source.close()
    if not runs[0].found:
        raise SourceError("there is no picture that can be read")


def _look_at(
    path: Path, source: ImageSource, runs: Sequence[DetectorRun], annotated: _Annotated, bar: tqdm
) -> Iterator[list]:
    """The rows of the table for one file."""
    video = isinstance(source, VideoFile)
    for contestant in runs:
        contestant.begin(video)
    frame = 0
    while (picture := source.read()) is not None:
        gray = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
        stamp = frame / source.rate
        if frame == 0:
            _tell_too_small(path, gray, runs)
        for contestant, color in zip(runs, _COLORS, strict=False):
            for found in contestant.look(gray, stamp):
                draw_detection(picture, found, color)
                yield _row(contestant.name, path, frame, found)
        annotated.add(picture, stamp)
        frame += 1
        bar.update()
    if video and source.total and frame < source.total:
        _warn(f"{path} ends after {frame} of {source.total} pictures: it is cut off or damaged")


def _tell_too_small(path: Path, gray: np.ndarray, runs: Sequence[DetectorRun]) -> None:
    height, width = gray.shape
    smallest = min(contestant.smallest(gray) for contestant in runs)
    if min(height, width) < smallest:
        _warn(f"{path} is {width}x{height}: smaller than the smallest face that is looked for ({smallest} pixels)")


def _unused(name: str, names: set[str]) -> str:
    """`name`, with a number behind it where another file has that name; added to `names`."""
    free, number = name, 1
    while free in names:
        number += 1
        free = f"{name}_{number}"
    names.add(free)
    return free


def _row(detector: str, path: Path, frame: int, found: Detection) -> list:
    box, marks = found.box, astuple(found.landmarks) if found.landmarks else (None,) * len(_PARTS)
    points = [f"{value:.1f}" if point else "" for point in marks for value in point or (0, 0)]
    return [detector, path, frame, box.x, box.y, box.width, box.height, f"{found.score:.3f}", *points]


def _report(runs: Sequence[DetectorRun]) -> str:
    """Counts and times; of several detectors also how many of its faces each shares with each other."""
    wide = max(len(contestant.name) for contestant in runs)
    lines = [f"{len(runs[0].found)} pictures", f"{'':{wide}}  faces  ms a picture  CPU ms a picture"]
    for contestant in runs:
        # The first picture also pays for what is done only once.
        wall, cpu = (1e3 * float(np.mean(times[1:] or times)) for times in (contestant.wall, contestant.cpu))
        lines.append(f"{contestant.name:{wide}}  {sum(map(len, contestant.found)):5d}  {wall:12.1f}  {cpu:16.1f}")
    if len(runs) > 1:
        lines += ["", f"of the faces of each row, those that the column has too (overlap {SAME}), and those it misses"]
        lines.append(" " * wide + "".join(f"{contestant.name:>22}" for contestant in runs))
        lines += [f"{row.name:{wide}}" + "".join(_share(row, column) for column in runs) for row in runs]
    return "\n".join(lines)


def _share(row: DetectorRun, column: DetectorRun) -> str:
    if row is column:
        return f"{'-':>22}"
    total = sum(map(len, row.found))
    both = sum(
        shared([one.box for one in mine], [one.box for one in others])
        for mine, others in zip(row.found, column.found, strict=True)
    )
    share = f"{both / total:.0%}" if total else "-"
    return f"{f'{both} ({share}), {total - both}':>22}"


if __name__ == "__main__":
    sys.exit(main())
