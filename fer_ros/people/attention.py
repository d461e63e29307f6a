# SPDX-License-Identifier: Apache-2.0
"""The dominant face: the one of all faces in view that a robot should attend to."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from fer_ros.people.hysteresis import Hysteresis, best
from fer_ros.types import FaceResult

_HOLD = 0.5
"""Seconds that another face must be clearly ahead before the robot turns to it."""
_SIZE_MARGIN = math.log(1.2)
"""20 % in width or in distance; the box of a resting face varies by about 10 %."""
_CENTER_MARGIN = 0.1
"""Of the distance from the image's center to its corner."""


class DominantFace:
    """Keeps attention on one face until another has been clearly ahead for half a second.

    Args:
        rule: what makes a face dominant: "largest", "nearest" (like "largest" unless all positions are known),
            "most_central" or "longest_seen".

    Raises:
        ValueError: there is no such rule.
    """

    def __init__(self, rule: str):
        check_rule(rule)
        self._merits, self._margin = _RULES[rule]
        self._choice = Hysteresis()

    @property
    def id(self) -> str:
        """Id of the dominant face; empty when there is none."""
        return self._choice.current

    def set(self, face_id: str) -> None:
        """Make a face dominant at once; an empty id stands for none."""
        self._choice.set(face_id)

    def update(self, faces: Mapping[str, FaceResult], stamp: float, image_size: tuple[int, int]) -> None:
        """Choose among `faces`, by id, in an image taken at `stamp` (s); a missing dominant face is replaced at once.

        Args:
            faces: by id.
            stamp: seconds.
            image_size: width and height, pixels.
        """
        merits = self._merits(faces, image_size)
        challenger = next(iter(best(merits, {self.id}, self._margin)), "")
        if self.id in merits:
            self._choice.update(challenger, stamp, _HOLD)
        else:
            self.set(challenger)


def check_rule(rule: str) -> None:
    """Check the name of a dominance rule.

    Raises:
        ValueError: there is no such rule; names those that exist.
    """
    if rule not in _RULES:
        raise ValueError(f"dominant_rule must be one of {', '.join(_RULES)}, not '{rule}'")


_Merits = Callable[[Mapping[str, FaceResult], tuple[int, int]], dict[str, float]]
"""From faces by id and the image's width and height to the merit of each face."""


def _size(faces: Mapping[str, FaceResult], image_size: tuple[int, int]) -> dict[str, float]:
    return {face_id: math.log(max(face.box.area, 1)) / 2 for face_id, face in faces.items()}


def _nearness(faces: Mapping[str, FaceResult], image_size: tuple[int, int]) -> dict[str, float]:
    positions = {face_id: face.position for face_id, face in faces.items() if face.position}
    if len(positions) < len(faces):
        return _size(faces, image_size)
    return {face_id: -math.log(max(math.hypot(*position), 1e-3)) for face_id, position in positions.items()}


def _centrality(faces: Mapping[str, FaceResult], image_size: tuple[int, int]) -> dict[str, float]:
    center = image_size[0] / 2, image_size[1] / 2
    return {face_id: -math.dist(face.box.center, center) / math.hypot(*center) for face_id, face in faces.items()}


def _time_in_view(faces: Mapping[str, FaceResult], image_size: tuple[int, int]) -> dict[str, float]:
    return {face_id: face.tracked_for for face_id, face in faces.items()}


_RULES: dict[str, tuple[_Merits, float]] = {
    "largest": (_size, _SIZE_MARGIN),
    "nearest": (_nearness, _SIZE_MARGIN),
    "most_central": (_centrality, _CENTER_MARGIN),
    "longest_seen": (_time_in_view, 0.0),
}
"""By name: the merit of a face, and by how much another must exceed it."""

DOMINANT_RULES = tuple(_RULES)
"""Names of the dominance rules."""
