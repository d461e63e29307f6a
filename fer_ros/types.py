"""The words every room of the package shares: pictures, boxes, faces, and what a face shows.

Pixels follow the image convention: x to the right, y down, origin at the top left corner of the source image.
Times are seconds on the clock of the image's own stamp.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

UNKNOWN = "unknown"
"""The word for a face whose emotion is not sure enough to name; never among the labels of a model."""

Position = tuple[float, float, float]
"""Meters in the camera's optical frame (REP 103): x to the right, y down, z forward."""

Point = tuple[float, float]
"""(x, y) in pixels of the source image, fractions included; (0, 0) is the center of its first pixel."""


@dataclass(frozen=True)
class Box:
    """A rectangle in whole pixels of the source image; `right` and `bottom` are exclusive."""

    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        return self.x + self.width

    @property
    def bottom(self) -> int:
        return self.y + self.height

    @property
    def area(self) -> int:
        return self.width * self.height

    @property
    def center(self) -> tuple[float, float]:
        return self.x + self.width / 2, self.y + self.height / 2

    def clipped(self, width: int, height: int) -> Box:
        """The part of the box inside an image of `width` x `height` pixels; its area is 0 when nothing is inside."""
        x, y = min(max(self.x, 0), width), min(max(self.y, 0), height)
        return Box(x, y, max(min(self.right, width) - x, 0), max(min(self.bottom, height) - y, 0))

    def upright(self, roll: float, scale: float = 1.0) -> np.ndarray:
        """Where the pixels of a picture, in which this box, turned about its center by `roll`, stands upright, lie in
        the image.

        Args:
            roll: degrees clockwise.
            scale: pixels of the image to one of the picture.

        Returns:
            (2, 3), for cv2.warpAffine with WARP_INVERSE_MAP.
        """
        cos, sin = math.cos(math.radians(roll)), math.sin(math.radians(roll))
        # Both pictures have the centers of their pixels at halves, and OpenCV counts from the center of the first.
        x, y = (scale - self.width) / 2, (scale - self.height) / 2
        center_x, center_y = self.center
        return np.array(
            [
                [scale * cos, -scale * sin, center_x - 0.5 + cos * x - sin * y],
                [scale * sin, scale * cos, center_y - 0.5 + sin * x + cos * y],
            ]
        )

    def iou(self, other: Box) -> float:
        """Intersection over union with `other`, 0..1."""
        shared_width = min(self.right, other.right) - max(self.x, other.x)
        shared_height = min(self.bottom, other.bottom) - max(self.y, other.y)
        if shared_width <= 0 or shared_height <= 0:
            return 0.0
        shared = shared_width * shared_height
        return shared / (self.area + other.area - shared)


@dataclass(frozen=True)
class Frame:
    """One image of one camera, as the detector and the network want it."""

    gray: np.ndarray
    """(height, width) uint8."""
    stamp: float
    """Seconds; only differences between frames of one camera matter."""
    behind: bool = False
    """Whether images of this camera were passed over since its last frame, because there was no time for them."""


@dataclass(frozen=True)
class Landmarks:
    """Where the parts of a face are. Left and right are the image's while the face is upright: the left eye here is
    the person's own right eye.
    """

    left_eye: Point
    right_eye: Point
    nose: Point | None = None
    """None, as the corners of the mouth, when only the eyes are known."""
    mouth_left: Point | None = None
    mouth_right: Point | None = None

    @property
    def roll(self) -> float:
        """Degrees clockwise by which the line from the left to the right eye is turned."""
        (left_x, left_y), (right_x, right_y) = self.left_eye, self.right_eye
        return math.degrees(math.atan2(right_y - left_y, right_x - left_x))


@dataclass(frozen=True)
class Detection:
    """One face as a detector reports it."""

    box: Box
    score: float
    """On the detector's own scale; higher is surer."""
    landmarks: Landmarks | None = None
    """None when the detector has none."""
    roll: float = 0.0
    """Degrees clockwise by which the box, turned about its center, stands as the face does."""


@dataclass(frozen=True)
class TrackedFace:
    """A detection that has been given an identity over time."""

    face_id: str
    """Begins with a letter, so that it can be part of the name of a topic or of a frame."""
    box: Box
    detection_score: float
    tracked_for: float
    """Seconds since this face was first seen."""
    landmarks: Landmarks | None = None
    """In this frame, as the detector has them."""
    roll: float = 0.0
    """Degrees clockwise, as in `Detection`."""


@dataclass(frozen=True)
class FaceResult:
    """What one face in one frame shows."""

    face: TrackedFace
    scores: np.ndarray
    """(classes,) float32, sum 1: this image alone, in the order of the model's labels."""
    smoothed_scores: np.ndarray
    """(classes,) float32, sum 1: the same over time."""
    emotion: str
    """The label decided on over time, or UNKNOWN."""
    confidence: float
    """0..1, calibrated by the model's temperature: the smoothed score of `emotion`, or of the best label while that
    is UNKNOWN."""
    quality: int = 0
    """What may make this reading unsure: a sum of `fer_ros.people.quality.Quality`, 0 when nothing does."""
    valence: float = math.nan
    """-1 (unpleasant)..1 (pleasant), over time; NaN when the model has a label it is not known for."""
    arousal: float = math.nan
    """-1 (sleepy)..1 (excited), likewise."""
    position: Position | None = None
    """Where the middle of the face is, None when unknown."""
