# SPDX-License-Identifier: Apache-2.0
"""What fer-detect records of each detector, and its report."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from fer_ros.datasets.face_boxes import LabeledFaces
from fer_ros.faces.detectors.base import Detector, Query
from fer_ros.faces.matching import MATCH_OVERLAP, count_matches
from fer_ros.faces.tracking_detector import TrackingDetector
from fer_ros.recording.output_folder import OutputFolder
from fer_ros.text import printable
from fer_ros.types import Detection, Frame

_CELL = 22
"""Width of a column of the comparison, characters."""
_LENIENT = Query(threshold_scale=0.5)
"""Gives the part of a curve beyond the detector's own threshold."""

_LIMITS = (0.1, 1)
"""False positives per image for which the report gives the true positive rate."""


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
        self.labeled: list[LabeledFaces] = []
        """Of each image, if its faces are labeled."""
        self.candidates: list[list[Detection]] = []
        """Of each image with labeled faces: detections at a lower threshold."""
        self._detector = detector
        self._track = track
        self._tracking: TrackingDetector | None = None

    def start_file(self, video: bool) -> None:
        """Drop all tracks: the next images are of another file."""
        self._tracking = TrackingDetector(self._detector) if video and self._track else None

    def min_size(self, image: np.ndarray) -> int:
        """Return the width in pixels of the smallest face searched for in an image."""
        return self._detector.size_limits(image.shape)[0]

    def detect(self, image: np.ndarray, stamp: float, labeled: LabeledFaces | None = None) -> list[Detection]:
        """Return the faces in a gray image, and record them.

        Args:
            image: (height, width) uint8.
            stamp: time of the image within its file, s.
            labeled: its true faces, if known: then also the detections at a lower threshold are recorded.
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
        if labeled is not None:
            self.labeled.append(labeled)
            self.candidates.append(self._detector.detect(image, _LENIENT))
        return detections


def report(runs: Sequence[DetectorRun]) -> str:
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


def score(runs: Sequence[DetectorRun], output: OutputFolder) -> str:
    """Write the curve of each detector as plot and csv; return their true positive rates as text."""
    from fer_ros.evaluation import detection, plots

    curves = {run.name: detection.curve(run.labeled, run.detections, run.candidates) for run in runs}
    first = curves[runs[0].name]
    lines = ["", f"{first.faces} labeled faces in {first.images} images: true positive rate at the own threshold"]
    for name, curve in curves.items():
        false, rate = curve.at_threshold
        within = ", ".join(f"{100 * curve.best_within(limit):.1f} % within {limit:g}" for limit in _LIMITS)
        lines.append(f"{name:12} {100 * rate:5.1f} % at {false:.2f} false positives per image; on its curve {within}")
    plot, table = (output.claim(f"detection_curve.{suffix}", numbered=False) for suffix in ("png", "csv"))
    title = f"{first.faces} faces in {first.images} images, overlap {MATCH_OVERLAP:g}"
    plots.detection_curves(plot, curves, title)
    detection.write_csv(table, curves)
    for path in (plot, table):
        output.written(path)
    output.save()
    return "\n".join([*lines, printable(str(plot), 500)])
