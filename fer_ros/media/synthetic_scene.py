# SPDX-License-Identifier: Apache-2.0
"""A synthetic video with real faces, for demos and tests without a camera: a little scene of two people.

A virtual hand-held camera looks at a person, who smiles. A second one comes from the right, and the first is surprised
and smiles again; the first leans to the side; the second passes in front of her and leaves to the left. Both are made
of one public-domain photograph (`fer_ros.media.portrait`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import cv2
import numpy as np

from fer_ros.media.portrait import FACE, Portrait, wall
from fer_ros.types import Box

PERIOD = 20.0
"""Seconds after which the scene repeats."""
HORIZONTAL_FOV = math.radians(60)
"""Horizontal field of view of the virtual camera, radians; that of a typical webcam."""

_VIEW = (500.0, 375.0)
"""Width and height of what the camera sees at least, pixels of the photograph, in which the scene is laid out."""
_VIEW_CENTER = (330.0, 165.0)
_Keys: TypeAlias = tuple[tuple[float, float], ...]
"""Times (s) and values; between them the value changes smoothly."""


@dataclass(frozen=True)
class _Role:
    """What a person does in a period."""

    x: _Keys
    """Middle of the face, pixels."""
    roll: _Keys = ((0, 0),)
    """Degrees, to the right positive."""
    surprise: _Keys = ((0, 0),)
    """0..1; see `Portrait.image`."""


_FIRST = _Role(
    x=((0, 330), (2, 330), (4, 225), (18.5, 225), (20, 330)),
    roll=((0, 0), (9.0, 0), (10.0, 12), (11.5, 12), (12.5, 0)),
    surprise=((0, 0), (4.0, 0), (4.5, 1), (7.0, 1), (7.6, 0)),
)
_SECOND = _Role(
    x=((0, 800), (2.5, 800), (5.0, 430), (13.5, 430), (16.5, -160), (20, -160)),
    roll=((0, 0), (13.0, 0), (13.5, -4), (16.5, -4)),
)
_NECK = 110
"""Distance of the point that a person tilts about below the middle of the face, pixels."""
_HIDDEN = 0.1
"""Share of a face that the other person may cover without hiding it."""


class SyntheticScene:
    """The scene in one image size.

    Args:
        width: pixels.
        height: pixels.

    Raises:
        ModuleNotFoundError: scikit-image is not installed; the message says how to get it.
    """

    def __init__(self, width: int = 640, height: int = 480):
        self.width, self.height = width, height
        self._people = (Portrait(), _FIRST), (Portrait(other=True), _SECOND)  # the second is in front
        # It is too far away and too blurred for the camera's movements to be seen in it.
        camera = self._camera(0.0)[:2]
        self._wall = cv2.warpAffine(wall(), camera, (width, height), borderMode=cv2.BORDER_REFLECT_101)

    def image(self, time: float) -> np.ndarray:
        """Return the image at a time (s): (height, width, 3) uint8, BGR."""
        image: np.ndarray = self._wall.copy()
        for portrait, role in self._people:
            place = self._place(role, time)
            part = self._covered(portrait, place)
            if part.area:  # the rest of the image is not computed
                region = image[part.y : part.bottom, part.x : part.right]
                colors = _warped(portrait.image(_at(role.surprise, time)), place, part)
                alpha = _warped(portrait.alpha, place, part)
                region[:] = cv2.blendLinear(colors, region, alpha, 1 - alpha)
        lit: np.ndarray = cv2.convertScaleAbs(image, alpha=0.95 + 0.1 * _wave(time, 5))
        return lit

    def faces(self, time: float) -> list[Box]:
        """Return the boxes of the faces in the image at a time (s) that are wholly in view."""
        places = [self._place(role, time) for _, role in self._people]
        boxes = [_face(place) for place in places]
        in_front = self._people[1][0]
        if _warped(in_front.alpha, places[1], boxes[0]).mean() > _HIDDEN:
            del boxes[0]
        return [box for box in boxes if box == box.clipped(self.width, self.height)]

    def _camera(self, time: float) -> np.ndarray:
        """Return the (3, 3) matrix from pixels of the photograph to pixels of the image."""
        scale = max(self.width / _VIEW[0], self.height / _VIEW[1])
        # A narrow image does not fit both: it follows the first.
        narrow = min(2 * (1 - self.width / scale / _VIEW[0]), 1.0)
        x = _VIEW_CENTER[0] + narrow * (_at(_FIRST.x, time) - _VIEW_CENTER[0]) + 8 * _wave(time, 2)
        y = _VIEW_CENTER[1] + 6 * _wave(time, 6)
        return _similarity(
            (x, y), (self.width / 2, self.height / 2), scale * (1.03 + 0.03 * _wave(time, 3)), 2 * _wave(time, 4)
        )

    def _place(self, role: _Role, time: float) -> np.ndarray:
        """Return the (2, 3) matrix from pixels of a person's portrait to pixels of the image."""
        x, y = FACE.center
        standing = _similarity((x, y + _NECK), (_at(role.x, time), y + _NECK), 1.0, _at(role.roll, time))
        place: np.ndarray = (self._camera(time) @ standing)[:2]
        return place

    def _covered(self, portrait: Portrait, place: np.ndarray) -> Box:
        """Return the part of the image that a person may cover."""
        height, width = portrait.alpha.shape
        corners = place @ np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]]).T
        left, top = np.floor(corners.min(axis=1)).astype(int).tolist()
        right, bottom = np.ceil(corners.max(axis=1)).astype(int).tolist()
        return Box(left, top, right - left, bottom - top).clipped(self.width, self.height)


def _face(place: np.ndarray) -> Box:
    x, y = place @ (*FACE.center, 1)
    side = FACE.width * math.hypot(*place[:, 0])
    return Box(round(x - side / 2), round(y - side / 2), round(side), round(side))


def _similarity(source: tuple[float, float], target: tuple[float, float], scale: float, roll: float) -> np.ndarray:
    """Return the (3, 3) matrix that scales, turns by `roll` degrees, and takes the point `source` to `target`."""
    cosine, sine = scale * math.cos(math.radians(roll)), scale * math.sin(math.radians(roll))
    rotation = np.array([[cosine, -sine], [sine, cosine]])
    shift = np.array(target) - rotation @ source
    return np.vstack([np.column_stack([rotation, shift]), (0, 0, 1)])


def _warped(image: np.ndarray, place: np.ndarray, part: Box) -> np.ndarray:
    """Return what lies in a part of the result when `place` takes an image there; outside of the image is 0."""
    shifted = place - np.array([[0, 0, part.x], [0, 0, part.y]])
    return cv2.warpAffine(image, shifted, (part.width, part.height))


def _at(keys: _Keys, time: float) -> float:
    """Return the value at a time (s)."""
    time %= PERIOD
    value = keys[-1][1]
    for (start, before), (end, after) in pairwise(keys):
        if start <= time < end:
            part = (time - start) / (end - start)
            value = before + part * part * (3 - 2 * part) * (after - before)
    return float(value)


def _wave(time: float, per_period: int) -> float:
    """Return a sine, -1..1, with `per_period` cycles per period."""
    return math.sin(2 * math.pi * per_period * time / PERIOD)
