# SPDX-License-Identifier: Apache-2.0
"""Data types shared by the whole package: boxes, frames, detections, tracked faces, and results.

Pixel coordinates follow the image convention: x to the right, y down, origin at the top left corner of the source
image. Times are seconds on the clock of the image stamps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

UNKNOWN = "unknown"
"""The emotion of a face whose scores are too low to name one; never among the labels of a model."""

Position = tuple[float, float, float]
"""(x, y, z) in meters in the camera's optical frame (REP 103): x to the right, y down, z forward."""

Point = tuple[float, float]
"""(x, y) in pixels of the source image, with fractions; (0, 0) is the center of the first pixel."""


@dataclass(frozen=True)
class Box:
    """An axis-aligned rectangle in whole pixels of the source image; `right` and `bottom` are exclusive."""

    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        """First column to the right of the box."""
        return self.x + self.width

    @property
    def bottom(self) -> int:
        """First row below the box."""
        return self.y + self.height

    @property
    def area(self) -> int:
        """Width times height, in square pixels."""
        return self.width * self.height

    @property
    def center(self) -> tuple[float, float]:
        """(x, y) of the center, where the top left corner of the image is (0, 0)."""
        return self.x + self.width / 2, self.y + self.height / 2

    def clipped(self, width: int, height: int) -> Box:
        """Return the part of the box inside an image of `width` x `height` pixels; its area is 0 if there is none.

        >>> Box(-5, 10, 20, 20).clipped(640, 480)
        Box(x=0, y=10, width=15, height=20)
        """
        x, y = min(max(self.x, 0), width), min(max(self.y, 0), height)
        return Box(x, y, max(min(self.right, width) - x, 0), max(min(self.bottom, height) - y, 0))

    def derotation(self, roll: float, scale: float = 1.0) -> np.ndarray:
        """Return the affine map that crops this box, rotated about its center by `roll`, as an upright image.

        Args:
            roll: degrees clockwise.
            scale: source pixels per pixel of the upright crop.

        Returns:
            (2, 3) float64 from crop to source pixels, for `cv2.warpAffine` with `WARP_INVERSE_MAP`.
        """
        cos, sin = math.cos(math.radians(roll)), math.sin(math.radians(roll))
        # Box coordinates start at the corner of the first pixel, OpenCV's at its center: hence the halves.
        x, y = (scale - self.width) / 2, (scale - self.height) / 2
        center_x, center_y = self.center
        return np.array(
            [
                [scale * cos, -scale * sin, center_x - 0.5 + cos * x - sin * y],
                [scale * sin, scale * cos, center_y - 0.5 + sin * x + cos * y],
            ]
        )

    def iou(self, other: Box) -> float:
        """Return the intersection over union with `other`, 0..1.

        >>> Box(0, 0, 10, 10).iou(Box(0, 0, 10, 5))
        0.5
        """
        shared_width = min(self.right, other.right) - max(self.x, other.x)
        shared_height = min(self.bottom, other.bottom) - max(self.y, other.y)
        if shared_width <= 0 or shared_height <= 0:
            return 0.0
        shared = shared_width * shared_height
        return shared / (self.area + other.area - shared)


@dataclass(frozen=True, eq=False)
class Frame:
    """One grayscale image of one camera with its time stamp."""

    gray: np.ndarray
    """(height, width) uint8."""
    stamp: float
    """Seconds; only differences between frames of one camera matter."""
    lagging: bool = False
    """Whether images of this camera were dropped since its last frame because processing could not keep up."""


@dataclass(frozen=True)
class Landmarks:
    """Facial landmarks. Left and right are those of the image: `left_eye` is the person's own right eye."""

    left_eye: Point
    right_eye: Point
    nose: Point | None = None
    """None, like the mouth corners, when the detector gives only the eyes."""
    mouth_left: Point | None = None
    mouth_right: Point | None = None

    @property
    def roll(self) -> float:
        """Degrees clockwise from the image's horizontal to the line from the left to the right eye."""
        (left_x, left_y), (right_x, right_y) = self.left_eye, self.right_eye
        return math.degrees(math.atan2(right_y - left_y, right_x - left_x))


@dataclass(frozen=True)
class Detection:
    """One face as a detector reports it, without identity."""

    box: Box
    score: float
    """On the detector's own scale; higher is more certain."""
    landmarks: Landmarks | None = None
    """None when the detector gives none."""
    roll: float = 0.0
    """In-plane rotation of the face, degrees clockwise; the box is rotated by it about its center."""


@dataclass(frozen=True)
class TrackedFace:
    """A detection with an identity that lasts from frame to frame."""

    id: str
    """Unique among the faces of one camera; begins with a letter, so that it can be part of a topic or frame name."""
    box: Box
    detection_score: float
    """On the detector's own scale; higher is more certain."""
    tracked_for: float
    """Seconds since this face was first detected."""
    landmarks: Landmarks | None = None
    """In this frame; None when the detector gives none."""
    roll: float = 0.0
    """In-plane rotation, degrees clockwise, smoothed over time."""


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class FaceResult:
    """One face in one image, with its emotion and everything else that was recognized.

    >>> face = FaceResult(
    ...     box=Box(10, 20, 96, 96),
    ...     id="f1",
    ...     labels=("happy", "sad"),
    ...     scores=np.array([0.9, 0.1], np.float32),
    ...     smoothed_scores=np.array([0.94, 0.06], np.float32),
    ...     emotion="happy",
    ...     confidence=0.94,
    ... )
    >>> face
    FaceResult(f1: happy 94 %, box=(10, 20, 96, 96))
    """

    box: Box
    """In pixels of the source image; may reach beyond its border."""
    id: str = ""
    """Stays the same from image to image while the face is tracked; empty when faces are not tracked."""
    detection_score: float = 0.0
    """On the detector's own scale; higher is more certain."""
    tracked_for: float = 0.0
    """Seconds since this face was first detected."""
    landmarks: Landmarks | None = None
    """None when the detector gives none."""
    roll: float = 0.0
    """In-plane rotation, degrees clockwise."""
    labels: tuple[str, ...]
    """The model's class labels, in the order of both score arrays."""
    scores: np.ndarray
    """(classes,) float32, sum 1: calibrated class scores of this image alone."""
    smoothed_scores: np.ndarray
    """(classes,) float32, sum 1: the same, averaged over time."""
    emotion: str
    """The label decided on over time, or "unknown"."""
    confidence: float
    """0..1, calibrated: the smoothed score of `emotion`, or of the best label when `emotion` is "unknown". While an
    emotion is held although the scores contradict it, that of the last image that did not."""
    quality: int = 0
    """Sum of `fer_ros.people.quality.Quality` bits that make this result less reliable; 0 when there are none."""
    valence: float = math.nan
    """-1 (unpleasant)..1 (pleasant), from the smoothed scores; NaN when a label has no published rating."""
    arousal: float = math.nan
    """-1 (sleepy)..1 (excited), likewise."""
    position: Position | None = None
    """Center of the face in meters in the camera's optical frame; None without camera calibration."""

    def __repr__(self) -> str:
        name = f"{self.id}: " if self.id else ""
        box = self.box.x, self.box.y, self.box.width, self.box.height
        return f"FaceResult({name}{self.emotion} {100 * self.confidence:.0f} %, box={box})"
