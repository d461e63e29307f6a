# SPDX-License-Identifier: Apache-2.0
"""Chooses what to crop of each face, so that the emotion network sees it upright.

The eyes give roll and scale where they are known: from the detector's landmarks, or from OpenCV's eye cascade. Without
them, the detector's box is cropped at the roll at which the face was detected.
"""

from __future__ import annotations

import math
from itertools import product

import cv2
import numpy as np

from fer_ros.faces.cascades import find_cascade, load_cascade
from fer_ros.types import Box, Landmarks, Point, TrackedFace

ALIGNMENT_MODES = ("off", "tilted", "on")
_MIN_ROLL = 10.0
"""Roll in degrees from which "tilted" derotates a face; the network was trained on faces of up to 12 degrees."""
_EYE_DISTANCE = 0.38
"""Distance between the eyes in widths of Viola-Jones' box: median of 100 faces of FER2013."""
_EYE_HEIGHT = 0.39
"""Distance of the eyes from the upper edge of that box in its heights: likewise."""
_MIN_OVERLAP = 0.4
"""Intersection over union of the box given by the eyes with the detector's box, below which the eyes are rejected."""
_SEARCH_WIDTH = 80
"""Width in pixels to which a face is scaled to search for its eyes."""
_SEARCH_BAND = (0.15, 0.65)
"""Top and bottom of the area searched for eyes, in heights of the box."""
_SIZE_WEIGHT = 0.3
"""Weight of the log ratio of two eyes' sizes in the pair cost."""


class Alignment:
    """Chooses what to crop of each face.

    Args:
        mode: "off" crops the detector's box. "tilted" derotates faces that are known to be tilted, by the landmarks or
            by the roll at which they were detected. "on" searches for the eyes of all faces, and brings each face to
            the same scale.

    Raises:
        ValueError: there is no such mode.
        FileNotFoundError: OpenCV's eye cascade is not installed.
    """

    def __init__(self, mode: str = "tilted"):
        if mode not in ALIGNMENT_MODES:
            raise ValueError(f"alignment must be one of {', '.join(ALIGNMENT_MODES)}, not '{mode}'")
        self._mode = mode
        self._eye_cascade = load_cascade(find_cascade("haarcascade_eye")) if mode == "on" else None

    def crop_region(self, image: np.ndarray, face: TrackedFace) -> tuple[Box, float]:
        """Return the box to crop, and the degrees clockwise by which it is rotated about its center.

        Args:
            image: (height, width) uint8.
            face: detected in the image.
        """
        if self._mode == "off":
            return face.box, 0.0
        box, roll = face.box, face.roll
        eyes = face.landmarks
        if eyes is None and self._eye_cascade is not None:
            eyes = find_eyes(image, face.box, face.roll, self._eye_cascade)
        if eyes:
            eye_box, eye_roll = box_from_eyes(eyes)
            if eye_box.iou(face.box) > _MIN_OVERLAP:
                box, roll = eye_box, eye_roll
        if self._mode == "tilted" and abs(roll) < _MIN_ROLL:
            return face.box, 0.0
        return box, roll


def box_from_eyes(landmarks: Landmarks) -> tuple[Box, float]:
    """Return the box that Viola-Jones would put on the derotated face, and the roll in degrees clockwise."""
    roll = landmarks.roll
    side = max(1, round(math.dist(landmarks.left_eye, landmarks.right_eye) / _EYE_DISTANCE))
    below_eyes = (0.5 - _EYE_HEIGHT) * side
    x, y = np.mean([landmarks.left_eye, landmarks.right_eye], axis=0) + 0.5
    x, y = x - below_eyes * math.sin(math.radians(roll)), y + below_eyes * math.cos(math.radians(roll))
    return Box(round(x - side / 2), round(y - side / 2), side, side), roll


def find_eyes(image: np.ndarray, box: Box, roll: float, cascade: cv2.CascadeClassifier) -> Landmarks | None:
    """Return the most plausible pair of eyes in a box, or None.

    Args:
        image: (height, width) uint8.
        box: of a face in the image, rotated about its center by the roll.
        roll: degrees clockwise.
        cascade: OpenCV's for eyes.
    """
    scale = box.width / _SEARCH_WIDTH
    mapping = box.derotation(roll, scale)
    derotated = cv2.warpAffine(
        image,
        mapping,
        (_SEARCH_WIDTH, round(box.height / scale)),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    top = round(_SEARCH_BAND[0] * len(derotated))
    band = derotated[top : round(_SEARCH_BAND[1] * len(derotated))]
    smallest, largest = (_SEARCH_WIDTH // 6, _SEARCH_WIDTH // 6), (_SEARCH_WIDTH // 2, _SEARCH_WIDTH // 2)
    hits = cascade.detectMultiScale(band, 1.1, 2, minSize=smallest, maxSize=largest)
    eyes = [((x + (width - 1) / 2, top + y + (height - 1) / 2), width) for x, y, width, height in hits]
    pairs = [
        (_pair_cost(left, right, left_size / right_size), left, right)
        for (left, left_size), (right, right_size) in product(eyes, repeat=2)
        if _is_plausible(left, right)
    ]
    if not pairs:
        return None
    _, left, right = min(pairs)
    return Landmarks(_transform(mapping, left), _transform(mapping, right))


def _transform(mapping: np.ndarray, point: Point) -> Point:
    x, y = mapping @ (*point, 1)
    return float(x), float(y)


def _is_plausible(left: Point, right: Point) -> bool:
    dx, dy = right[0] - left[0], right[1] - left[1]
    middle = (left[0] + right[0]) / 2
    return 0.25 < dx / _SEARCH_WIDTH < 0.55 and abs(dy) < 0.4 * dx and abs(middle / _SEARCH_WIDTH - 0.5) < 0.12


def _pair_cost(left: Point, right: Point, size_ratio: float) -> float:
    """Return by how much a pair of eyes differs from the usual distance and from equal sizes; 0 is best."""
    return abs(math.dist(left, right) / _SEARCH_WIDTH - _EYE_DISTANCE) + _SIZE_WEIGHT * abs(math.log(size_ratio))
