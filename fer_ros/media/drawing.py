# SPDX-License-Identifier: Apache-2.0
"""Draw results onto an image: a box, a plate with the emotion, and a bar for each class.

All sizes are proportional to the image, so that it reads the same at 320x240 and at 8K. The colors are those of Okabe
and Ito, "Color Universal Design" (2008), which color-blind people can distinguish, with two grays and a dark red added.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple
from functools import lru_cache

import cv2
import numpy as np

from fer_ros.types import Box, Detection, FaceResult

COLORS = {
    "angry": (0, 94, 213),
    "disgust": (115, 158, 0),
    "fear": (167, 121, 204),
    "happy": (66, 228, 240),
    "sad": (178, 114, 0),
    "surprise": (233, 180, 86),
    "neutral": (190, 190, 190),
    "contempt": (85, 34, 136),
    "calm": (0, 159, 230),
    "unknown": (120, 120, 120),
}
"""BGR color of each label in FaceEmotion.msg."""
_SHOWN_BY = {
    "frowning": "angry",
    "nose wrinkled": "disgust",
    "eyes widened": "fear",
    "smiling": "happy",
    "mouth corners down": "sad",
    "mouth open": "surprise",
    "smirking": "contempt",
    "relaxed": "calm",
}
"""The emotion whose color an expression has."""

_PANEL_GRAY = 24
_PANEL_OPACITY = 0.72
_TRACK = (70, 70, 70)
_WHITE = (255, 255, 255)
_PALE = (195, 195, 195)
_BLACK = (0, 0, 0)

_FONT = cv2.FONT_HERSHEY_DUPLEX
_FONT_HEIGHT = 30
"""Pixels from the top of a capital to the bottom of a descender at OpenCV's font scale 1."""
_MIN_TEXT_HEIGHT = 7
"""Pixels of height below which text is illegible."""
_SCORE_ROWS = 4
"""Rows of detection scores above and below a box."""
_SAME_FACE = 0.2
"""Intersection over union from which two detections are of one face."""
_MAX_ID_LENGTH = 8
"""Characters of a face's id that are drawn."""


def draw(image: np.ndarray, faces: Sequence[FaceResult], dominant_id: str = "") -> np.ndarray:
    """Return a BGR copy of `image` with the box, the id, the emotion and the class scores of each face drawn onto it.

    The bars of the class scores touch the box or the emotion of their face, with a seam of its color. They are left out
    where they would cover another face, its emotion or its bars, or do not fit into the image.

    Args:
        image: (height, width, 3) BGR or (height, width) gray, uint8, from 1x1 pixel. Not modified.
        faces: with boxes in pixels of `image`; what lies outside is cut off.
        dominant_id: id of the face whose box is drawn bolder; empty for none.

    Returns:
        (height, width, 3) uint8, BGR.

    >>> draw(np.zeros((480, 640), np.uint8), []).shape
    (480, 640, 3)
    """
    drawn = image.copy() if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    boxes = [face.box for face in faces]
    for face in faces:
        _draw_box(drawn, face, bold=face.id == dominant_id != "")
    # All plates before the first panel: the emotion matters more than the scores, so it gets the better place.
    plates: list[Box] = []
    for face in faces:
        others = [box for box in boxes if box != face.box]
        plates.append(_draw_plate(drawn, face, others + plates))
    panels: list[Box] = []
    for face, plate in zip(faces, plates, strict=True):
        others = [box for box in boxes if box != face.box]
        for row_height in _row_heights(drawn, face.box, len(face.labels)):
            panel = _Panel(drawn, face.box, plate, face.labels, row_height, others + plates + panels)
            if panel.place:
                panel.draw(drawn, face)
                panels.append(panel.place)
                break
    return drawn


def draw_detections(
    image: np.ndarray,
    detections: Sequence[tuple[Detection, tuple[int, int, int]]],
    legend: Sequence[tuple[str, tuple[int, int, int]]] = (),
    plain: Sequence[tuple[Box, tuple[int, int, int]]] = (),
) -> None:
    """Draw boxes, landmarks and scores of detections onto `image`, in place, so that all scores can be read.

    Args:
        image: (height, width, 3) uint8, BGR.
        detections: in pixels of `image`, and the BGR color of each. A score that does not fit is left out.
        legend: names and their BGR colors, for the upper left corner.
        plain: boxes without a score, below the detections, and the BGR color of each.
    """
    letters = _text_height(image)
    thin = max(letters // 8, 1)
    for box, color in (*plain, *((detection.box, color) for detection, color in detections)):
        for stroke in _strokes(box, min(thin, box.width, box.height), max(box.width, box.height)):
            _fill(image, stroke, color)
    for detection, color in detections:
        for x, y in filter(None, astuple(detection.landmarks) if detection.landmarks else ()):
            _fill(image, Box(round(x) - thin, round(y) - thin, 2 * thin + 1, 2 * thin + 1), color)
    plates: list[Box] = []
    for name, color in legend:
        text = _render(name, letters)
        plates.append(_plate_at(text, 0, plates[-1].bottom if plates else 0))
        _write_on_plate(image, text, plates[-1], color)
    faces = [detection.box for detection, _ in detections]
    for detection, color in detections:
        text = _render(f"{detection.score:.2f}", letters)
        places = list(_score_places(text, detection.box, image))
        # Other detectors' boxes of this face are no obstacle.
        others = [box for box in faces if box.iou(detection.box) < _SAME_FACE]
        free = [place for place in places if not _shared_area(place, plates)]
        plate = min(free, key=lambda place: _shared_area(place, others), default=None)
        if plate:
            _write_on_plate(image, text, plate, color)
            plates.append(plate)


def write_caption(image: np.ndarray, text: str, color: tuple[int, int, int]) -> None:
    """Write one line of text onto `image`, in place; its middle is left out if it does not fit.

    Args:
        image: (height, width, 3) uint8, BGR; the text is as high as it, with a border.
        text: characters that OpenCV's font lacks are written as "?".
        color: BGR, 0..255.
    """
    text = "".join(character if " " <= character <= "~" else "?" for character in text)
    height = max(round(0.7 * image.shape[0]), _MIN_TEXT_HEIGHT)
    rendered, length = _render(text, height), len(text)
    while rendered.shape[1] > image.shape[1] and length > 4:
        length -= 1
        rendered = _render(f"{text[: (length - 3 + 1) // 2]}...{text[len(text) - (length - 3) // 2 :]}", height)
    _write(image, rendered, 0, (image.shape[0] - rendered.shape[0]) // 2, color)


def color_of(emotion: str) -> tuple[int, int, int]:
    """Return the BGR color of an emotion or expression; other names have that of "unknown"."""
    return COLORS.get(_SHOWN_BY.get(emotion, emotion), COLORS["unknown"])


class _Panel:
    """A bar for each class, beside the face's box or plate; labels are left out where they would be illegible.

    The side at which the panel touches them has their color.

    Args:
        image: that it must fit into.
        box: of the face.
        plate: box of its emotion.
        labels: of the classes.
        row: height of a row, pixels.
        taken: boxes that it must not cover: other faces, plates and panels.
    """

    def __init__(self, image: np.ndarray, box: Box, plate: Box, labels: Sequence[str], row: int, taken: Sequence[Box]):
        self._labels = labels
        self._row = row
        self._gap = max(row // 3, 2)
        self._bar_width = 4 * row
        self._seam_width = max(row // 5, 2)
        letters = round(0.68 * row)
        self._texts = [_render(label, letters) for label in labels] if letters >= _MIN_TEXT_HEIGHT else []
        labels_width = max((text.shape[1] + self._gap for text in self._texts), default=0)
        width, height = labels_width + self._bar_width + 2 * self._gap, row * len(labels) + 2 * self._gap
        free = (
            (place, seam)
            for anchor, kept in ((box, taken), (plate, [*taken, box]))
            for place, seam in self._candidates(anchor, width, height, image.shape[1], image.shape[0])
            if not _shared_area(place, kept)
        )
        self.place: Box | None
        self._seam: Box | None
        self.place, self._seam = next(free, (None, None))

    def _candidates(
        self, box: Box, width: int, height: int, image_width: int, image_height: int
    ) -> Iterator[tuple[Box, Box]]:
        """Yield places inside the image that touch the box, with the seam between both, the best first."""
        seam, visible = self._seam_width, box.clipped(image_width, image_height)
        if width + seam > image_width or height + seam > image_height or not visible.area:
            return
        lowest, rightmost = image_height - height, image_width - width
        for y in (box.y, box.bottom - height):
            y = max(min(y, lowest), 0)
            contact = min(y + height, visible.bottom) - max(y, visible.y)
            if 2 * contact >= min(height, visible.height):
                if box.right >= 0 and box.right + seam + width <= image_width:
                    yield Box(box.right + seam, y, width, height), Box(box.right, y, seam, height)
                if box.x <= image_width and box.x - seam - width >= 0:
                    yield Box(box.x - seam - width, y, width, height), Box(box.x - seam, y, seam, height)
        for x in (box.x, box.right - width):
            x = max(min(x, rightmost), 0)
            contact = min(x + width, visible.right) - max(x, visible.x)
            if 2 * contact >= min(width, visible.width):
                if box.bottom >= 0 and box.bottom + seam + height <= image_height:
                    yield Box(x, box.bottom + seam, width, height), Box(x, box.bottom, width, seam)
                if box.y <= image_height and box.y - seam - height >= 0:
                    yield Box(x, box.y - seam - height, width, height), Box(x, box.y - seam, width, seam)
        if 4 * width * height <= visible.area:  # a face that fills the image: at its lower corners
            for x in (visible.x, visible.right - width):
                yield (
                    Box(x, visible.bottom - height, width, height),
                    Box(x, visible.bottom - height - seam, width, seam),
                )

    def draw(self, image: np.ndarray, face: FaceResult) -> None:
        """Draw the panel; only if there is a place for it."""
        if self.place is None or self._seam is None:
            return
        _darken(image, self.place)
        _fill(image, self._seam, color_of(face.emotion))
        for index, (label, score) in enumerate(zip(self._labels, face.smoothed_scores, strict=True)):
            y = self.place.y + self._gap + index * self._row
            if self._texts:
                text = self._texts[index]
                ink = _WHITE if label == face.emotion else _PALE
                _write(image, text, self.place.x + self._gap, y + (self._row - text.shape[0]) // 2, ink)
            inset = self._row // 5
            track = Box(
                self.place.right - self._gap - self._bar_width, y + inset, self._bar_width, self._row - 2 * inset
            )
            _fill(image, track, _TRACK)
            _fill(image, Box(track.x, track.y, round(float(score) * track.width), track.height), color_of(label))


def _text_height(image: np.ndarray) -> int:
    """Return the height of text in pixels, proportional to the image."""
    height, width = image.shape[:2]
    return int(max(round(min(height, 0.75 * width) / 32), 10))


def _row_heights(image: np.ndarray, box: Box, rows: int) -> list[int]:
    """Return heights in pixels of a panel's rows, to be tried in turn: proportional to the face, and the minimum."""
    full = round(1.2 * _text_height(image))
    smallest = full // 2
    preferred = max(min(full, round(1.2 * box.height / max(rows, 1))), smallest)
    return list(dict.fromkeys((preferred, max(round(0.75 * preferred), smallest), smallest)))


def _draw_box(image: np.ndarray, face: FaceResult, bold: bool) -> None:
    """Draw the border of a box, with thicker corners, inside the box."""
    box, color = face.box, color_of(face.emotion)
    thin = max(round(_text_height(image) / 10), 1) * (2 if bold else 1)
    arm = min(box.width, box.height) // 5
    for thickness, length in ((thin, max(box.width, box.height)), (2 * thin, arm)):
        for stroke in _strokes(box, min(thickness, box.width, box.height), length):
            _fill(image, stroke, color)


def _strokes(box: Box, thickness: int, length: int) -> Iterator[Box]:
    """Yield strokes of a length from each corner of a box along both edges."""
    for width, height in ((min(length, box.width), thickness), (thickness, min(length, box.height))):
        for x in (box.x, box.right - width):
            for y in (box.y, box.bottom - height):
                yield Box(x, y, width, height)


def _draw_plate(image: np.ndarray, face: FaceResult, taken: Sequence[Box]) -> Box:
    """Draw the id, the emotion and its percentage on a plate in the emotion's color; return its box."""
    box, color = face.box, color_of(face.emotion)
    words = f"{face.id[:_MAX_ID_LENGTH]} {face.emotion} {_percent(face.confidence)}".strip()
    text = _render(words, _text_height(image))
    padding = text.shape[0] // 3
    height, width = text.shape[0] + 2 * padding, text.shape[1] + 2 * padding
    above, below = box.y - height, box.bottom
    corners = [(x, y) for y in (above, below, box.y) for x in (box.x, box.right - width)]
    # Its own face it covers only where that saves another one.
    plate = _best_place(width, height, corners, image, [*taken, *taken, box])
    _fill(image, plate, color)
    _write(image, text, plate.x + padding, plate.y + padding, _BLACK if _is_bright(color) else _WHITE)
    return plate


def _best_place(
    width: int, height: int, corners: Iterable[tuple[int, int]], image: np.ndarray, taken: Sequence[Box]
) -> Box:
    """Return, of the boxes with these top left corners, moved into the image, that which covers least of `taken`."""
    rightmost, lowest = image.shape[1] - width, image.shape[0] - height
    places = [Box(max(min(x, rightmost), 0), max(min(y, lowest), 0), width, height) for x, y in corners]
    return min(places, key=lambda place: _shared_area(place, taken))


def _shared_area(place: Box, others: Iterable[Box]) -> int:
    """Return the sum of the overlaps of `place` with `others`, in square pixels."""
    total = 0
    for other in others:
        width = min(place.right, other.right) - max(place.x, other.x)
        height = min(place.bottom, other.bottom) - max(place.y, other.y)
        total += max(width, 0) * max(height, 0)
    return total


def _fill(image: np.ndarray, box: Box, color: tuple[int, int, int]) -> None:
    inside = box.clipped(image.shape[1], image.shape[0])
    if inside.area:
        corners = (inside.x, inside.y), (inside.right - 1, inside.bottom - 1)
        cv2.rectangle(image, *corners, color, cv2.FILLED)


def _darken(image: np.ndarray, box: Box) -> None:
    region = image[box.y : box.bottom, box.x : box.right]
    region[:] = cv2.convertScaleAbs(region, alpha=1 - _PANEL_OPACITY, beta=_PANEL_OPACITY * _PANEL_GRAY)


def _write(image: np.ndarray, text: np.ndarray, x: int, y: int, color: tuple[int, int, int]) -> None:
    inside = Box(x, y, text.shape[1], text.shape[0]).clipped(image.shape[1], image.shape[0])
    if inside.area:
        cover = text[inside.y - y : inside.bottom - y, inside.x - x : inside.right - x, np.newaxis]
        region = image[inside.y : inside.bottom, inside.x : inside.right]
        region[:] = np.rint(region + cover * (np.array(color, np.float32) - region))


def _plate_at(text: np.ndarray, x: int, y: int) -> Box:
    """Return the box of a plate for a text, with this upper left corner."""
    padding = max(text.shape[0] // 8, 1)
    return Box(x, y, text.shape[1] + 2 * padding, text.shape[0] + 2 * padding)


def _score_places(text: np.ndarray, box: Box, image: np.ndarray) -> Iterator[Box]:
    """Yield plates for the score of a box, inside the image: above and below it in several rows, the nearest first."""
    width, height = (plate := _plate_at(text, 0, 0)).width, plate.height
    for row in range(_SCORE_ROWS):
        for y in (box.y - (row + 1) * height, box.bottom + row * height):
            for x in (box.x, box.right - width):
                x = max(min(x, image.shape[1] - width), 0)
                if 0 <= y <= image.shape[0] - height:
                    yield Box(x, y, width, height)


def _write_on_plate(image: np.ndarray, text: np.ndarray, plate: Box, color: tuple[int, int, int]) -> None:
    padding = (plate.height - text.shape[0]) // 2
    _darken(image, plate.clipped(image.shape[1], image.shape[0]))
    _write(image, text, plate.x + padding, plate.y + padding, color)


@lru_cache(maxsize=1024)
def _render(text: str, height: int) -> np.ndarray:
    """Return the coverage of each pixel by a text: (height, width) float32, 0..1.

    Text is drawn larger and reduced, because OpenCV's letters are uneven at small sizes.
    """
    canvas_height = max(min(4 * height, 100), height)
    scale = canvas_height / _FONT_HEIGHT
    thickness = max(round(1.6 * scale), 1)
    (width, above), _ = cv2.getTextSize(text, _FONT, scale, thickness)
    canvas = np.zeros((canvas_height, width + 2 * thickness), np.uint8)
    cv2.putText(canvas, text, (thickness, above + thickness // 2), _FONT, scale, 255, thickness, cv2.LINE_AA)
    reduced_width = max(round(canvas.shape[1] * height / canvas_height), 1)
    return cv2.resize(canvas, (reduced_width, height), interpolation=cv2.INTER_AREA).astype(np.float32) / 255


def _percent(share: float) -> str:
    return f"{share:.0%}" if math.isfinite(share) else ""


def _is_bright(color: tuple[int, int, int]) -> bool:
    blue, green, red = color
    return 0.114 * blue + 0.587 * green + 0.299 * red > 110
