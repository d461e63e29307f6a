"""How a face stands in its image, and what of the image to crop so that it stands upright.

By the eyes where they are known: from the detector's landmarks, or found in the box by OpenCV's cascade for eyes. The
angle between them says how far the face is tilted, their distance how large it is. Without them the box has to do, at
the angle at which the face was found.
"""

from __future__ import annotations

import math
from itertools import product

import cv2
import numpy as np

from fer_ros.faces.detectors.viola_jones import find_cascade, load_cascade
from fer_ros.types import Box, Landmarks, Point, TrackedFace

WHEN = ("off", "tilted", "on")
_TILTED = 10.0
"""Degrees from which a face is tilted; the network was trained on such that are tilted by up to 12."""
_EYES_APART = 0.38
"""Distance of the eyes in widths of Viola-Jones' box, in which the network was trained to see them ..."""
_EYES_DOWN = 0.39
"""... and how far below its upper edge they are: medians of 100 faces of FER2013."""
_SAME = 0.4
"""Intersection over union with the detector's box below which eyes are not believed."""
_WIDTH = 80
"""Pixels to which a face is scaled before its eyes are sought."""
_BAND = (0.15, 0.65)
"""Upper and lower end of where they are sought, in heights of the box."""


class Alignment:
    """Chooses what to crop of each face.

    Args:
        when: "off" takes the box as it is; "tilted" turns faces upright that are known to be tilted, by landmarks or
            by the angle at which they were found; "on" looks for the eyes of all others too, and brings every face to
            the same scale.

    Raises:
        ValueError: `when` is none of these.
        FileNotFoundError: OpenCV's cascade for eyes is not installed.
    """

    def __init__(self, when: str = "tilted"):
        if when not in WHEN:
            raise ValueError(f"alignment must be one of {', '.join(WHEN)}, not '{when}'")
        self._when = when
        self._eyes = load_cascade(find_cascade("haarcascade_eye")) if when == "on" else None

    def place(self, gray: np.ndarray, face: TrackedFace) -> tuple[Box, float]:
        """The box to crop, and by how many degrees clockwise it is turned about its center.

        Args:
            gray: (height, width) uint8.
            face: found in it.
        """
        if self._when == "off":
            return face.box, 0.0
        box, roll = face.box, face.roll
        eyes = face.landmarks or (self._eyes and find_eyes(gray, face.box, face.roll, self._eyes))
        if eyes and by_eyes(eyes)[0].iou(face.box) > _SAME:
            box, roll = by_eyes(eyes)
        if self._when == "tilted" and abs(roll) < _TILTED:
            return face.box, 0.0
        return box, roll


def by_eyes(landmarks: Landmarks) -> tuple[Box, float]:
    """The box that Viola-Jones would give the upright face, and its roll in degrees clockwise."""
    roll = landmarks.roll
    side = max(1, round(math.dist(landmarks.left_eye, landmarks.right_eye) / _EYES_APART))
    down = (0.5 - _EYES_DOWN) * side
    x, y = np.mean([landmarks.left_eye, landmarks.right_eye], axis=0) + 0.5
    x, y = x - down * math.sin(math.radians(roll)), y + down * math.cos(math.radians(roll))
    return Box(round(x - side / 2), round(y - side / 2), side, side), roll


def find_eyes(gray: np.ndarray, box: Box, roll: float, cascade: cv2.CascadeClassifier) -> Landmarks | None:
    """The most plausible pair of eyes in a box that is turned by `roll`, or None."""
    scale = box.width / _WIDTH
    mapping = box.derotation(roll, scale)
    upright = cv2.warpAffine(
        gray,
        mapping,
        (_WIDTH, round(box.height / scale)),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    top = round(_BAND[0] * len(upright))
    band = upright[top : round(_BAND[1] * len(upright))]
    smallest, largest = (_WIDTH // 6, _WIDTH // 6), (_WIDTH // 2, _WIDTH // 2)
    hits = cascade.detectMultiScale(band, 1.1, 2, minSize=smallest, maxSize=largest)
    eyes = [((x + (width - 1) / 2, top + y + (height - 1) / 2), width) for x, y, width, height in hits]
    pairs = [
        (_pair_cost(left, right, abs(math.log(one / other))), left, right)
        for (left, one), (right, other) in product(eyes, repeat=2)
        if _plausible(left, right)
    ]
    if not pairs:
        return None
    _, *pair = min(pairs)
    return Landmarks(*(tuple(map(float, mapping @ (*point, 1))) for point in pair))


def _plausible(left: Point, right: Point) -> bool:
    across, down = right[0] - left[0], right[1] - left[1]
    middle = (left[0] + right[0]) / 2
    return 0.25 < across / _WIDTH < 0.55 and abs(down) < 0.4 * across and abs(middle / _WIDTH - 0.5) < 0.12


def _pair_cost(left: Point, right: Point, sizes: float) -> float:
    return abs(math.dist(left, right) / _WIDTH - _EYES_APART) + 0.3 * sizes
