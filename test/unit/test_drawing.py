# SPDX-License-Identifier: Apache-2.0
"""Results drawn onto images of all sizes, with faces anywhere."""

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest

from fer_ros.emotion.labels import EXPRESSIONS, FER2013, KNOWN
from fer_ros.media import drawing
from fer_ros.types import Box, Detection, FaceResult

BACKGROUND = 100


def _image(width: int = 640, height: int = 480) -> np.ndarray:
    return np.full((height, width, 3), BACKGROUND, np.uint8)


def _face(box: Box, emotion: str = "happy", share: float = 0.9, face_id: str = "1") -> FaceResult:
    scores = np.full(len(FER2013), (1 - share) / (len(FER2013) - 1), np.float32)
    if emotion in FER2013:
        scores[FER2013.index(emotion)] = share
    return FaceResult(
        box=box, id=face_id, labels=FER2013, scores=scores, smoothed_scores=scores, emotion=emotion, confidence=share
    )


def _count(image: np.ndarray, color: tuple[int, int, int]) -> int:
    return int((image == color).all(axis=2).sum())


def _is_changed(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    return (before != after).any(axis=2)


def test_draw_without_faces_changes_nothing(astronaut):
    image = cv2.cvtColor(astronaut, cv2.COLOR_GRAY2BGR)
    assert np.array_equal(drawing.draw(image, []), image)


def test_draw_does_not_modify_its_input():
    image = _image()
    image.flags.writeable = False
    drawn = drawing.draw(image, [_face(Box(200, 150, 120, 120))])
    assert (image == BACKGROUND).all()
    assert (drawn != BACKGROUND).any()


@pytest.mark.parametrize("emotion", KNOWN)
def test_box_has_color_of_emotion(emotion):
    box = Box(200, 150, 120, 110)
    drawn = drawing.draw(_image(), [_face(box, emotion)])
    for x, y in [(200, 205), (319, 205), (260, 150), (260, 259)]:
        assert tuple(drawn[y, x]) == drawing.color_of(emotion)
    assert (drawn[180:230, 230:290] == BACKGROUND).all(), "the face is not covered"


def test_each_emotion_has_its_own_color():
    assert len({drawing.color_of(label) for label in (*KNOWN, "unknown")}) == len(KNOWN) + 1
    assert drawing.color_of("no such label") == drawing.color_of("unknown")


def test_draw_changes_only_surroundings_of_face():
    image = _image()
    changed = _is_changed(image, drawing.draw(image, [_face(Box(200, 150, 120, 120))]))
    assert changed.any()
    assert not changed[350:].any()
    assert not changed[:, 550:].any()


def test_bar_length_is_proportional_to_score():
    lengths = {}
    for share in (0.4, 0.8):
        drawn = drawing.draw(_image(), [_face(Box(200, 150, 120, 120), share=share)])
        beside = drawn[150:300, 330:]
        lengths[share] = (beside == drawing.color_of("happy")).all(axis=2).sum(axis=1).max()
    assert lengths[0.8] == pytest.approx(2 * lengths[0.4], abs=1)


def test_each_class_has_a_bar():
    scores = np.full(len(FER2013), 1 / len(FER2013), np.float32)
    face = replace(_face(Box(200, 150, 120, 120), "unknown"), smoothed_scores=scores)
    drawn = drawing.draw(_image(), [face])
    assert all(_count(drawn, drawing.color_of(label)) > 0 for label in FER2013)


def test_dominant_face_is_bolder():
    left, right = _face(Box(60, 150, 100, 100), face_id="a"), _face(Box(360, 150, 100, 100), face_id="b")
    equal = drawing.draw(_image(), [left, right])
    bold = drawing.draw(_image(), [left, right], dominant_id="b")
    changed = _is_changed(equal, bold)
    assert changed[:, 360:460].any()
    assert not changed[:, :350].any()


@pytest.mark.parametrize("x", [0, 560, -40])
@pytest.mark.parametrize("y", [0, 400, -40])
def test_plate_and_bars_stay_inside_image(x, y):
    middle = drawing.draw(_image(), [_face(Box(280, 200, 80, 80))])
    drawn = drawing.draw(_image(), [_face(Box(x, y, 80, 80))])
    whole = np.count_nonzero(_is_changed(_image(), middle))
    edge = 80 * 80 - 60 * 60  # more than the box's own lines, which may be cut off
    assert np.count_nonzero(_is_changed(_image(), drawn)) > whole - edge


def test_bars_do_not_cover_faces_of_crowd():
    boxes = [Box(100 * column, 120 * row, 70, 70) for row in range(4) for column in range(6)]
    drawn = drawing.draw(_image(), [_face(box, face_id=str(box)) for box in boxes])
    for box in boxes:
        # Plates may cover the upper or lower part of a face where there is no other space.
        assert (drawn[box.y + 30 : box.bottom - 30, box.x + 12 : box.right - 12] == BACKGROUND).all()


@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 90), (90, 1), (7, 5), (64, 48), (320, 240), (7680, 4320)])
def test_draw_works_on_all_image_sizes(width, height):
    for box in (Box(0, 0, width, height), Box(width // 3, height // 3, width // 3 + 1, height // 3 + 1)):
        drawn = drawing.draw(_image(width, height), [_face(box)], dominant_id="1")
        assert drawn.shape == (height, width, 3)
        assert drawn.dtype == np.uint8
        if (width, height) != (7, 5):  # there letters cover the corner
            assert tuple(drawn[min(box.bottom, height) - 1, min(box.right, width) - 1]) == drawing.color_of("happy")


def test_id_is_drawn():
    named, single = (
        drawing.draw(_image(), [_face(Box(200, 150, 120, 120), face_id=face_id)]) for face_id in ("f12", "")
    )
    assert _count(named, drawing.color_of("happy")) > _count(single, drawing.color_of("happy")), "a wider plate"


def test_face_that_fills_image_has_bars():
    drawn = drawing.draw(_image(), [_face(Box(0, 0, 640, 480))])
    assert _count(drawn, drawing.color_of("sad")) > 0


def test_text_is_proportional_to_image():
    plates = []
    for scale in (1, 4):
        box = Box(200 * scale, 150 * scale, 120 * scale, 120 * scale)
        drawn = drawing.draw(_image(640 * scale, 480 * scale), [_face(box)])
        rows = np.flatnonzero((drawn[: box.y - 1, box.x + 2] == drawing.color_of("happy")).all(axis=1))
        plates.append(len(rows))
    assert plates[1] == pytest.approx(4 * plates[0], rel=0.1)


def test_unknown_confidence_is_not_drawn():
    certain, unsure = (replace(_face(Box(200, 150, 120, 120)), confidence=confidence) for confidence in (0.9, math.nan))
    with_number, without = (drawing.draw(_image(), [face]) for face in (certain, unsure))
    assert _count(without, drawing.color_of("happy")) < _count(with_number, drawing.color_of("happy"))


def touches(place, box, slack):
    """Return whether two boxes are at most `slack` pixels apart."""
    across = max(place.x - box.right, box.x - place.right)
    down = max(place.y - box.bottom, box.y - place.bottom)
    return max(across, down) <= slack


@pytest.mark.parametrize("count", [1, 4, 12, 30])
def test_panel_touches_its_face_and_covers_no_other(count, monkeypatch):
    random = np.random.default_rng(count)
    boxes = []
    while len(boxes) < count:
        box = Box(
            *(int(value) for value in random.integers((-20, -20), (900, 650))), *[int(random.integers(30, 110))] * 2
        )
        if all(box.iou(other) == 0 for other in boxes):
            boxes.append(box)
    plates, panels, draw_plate, draw_panel = {}, {}, drawing._draw_plate, drawing._Panel.draw

    def record_plate(image, face, taken):
        plates[face.id] = draw_plate(image, face, taken)
        return plates[face.id]

    def record_panel(panel, image, face):
        panels[face.id] = panel.place
        draw_panel(panel, image, face)

    monkeypatch.setattr(drawing, "_draw_plate", record_plate)
    monkeypatch.setattr(drawing._Panel, "draw", record_panel)
    drawing.draw(_image(960, 720), [_face(box, face_id=str(number)) for number, box in enumerate(boxes)])
    assert len(panels) >= min(count, 4)
    for number, panel in panels.items():
        own = boxes[int(number)]
        assert touches(panel, own, 6) or touches(panel, plates[number], 6)
        others = [box for box in boxes if box != own] + list(plates.values())
        others += [other for key, other in panels.items() if key != number]
        assert all(panel.iou(other) == 0 for other in others)
        assert panel == panel.clipped(960, 720)


def test_seam_between_panel_and_face_has_the_color_of_the_box():
    drawn = drawing.draw(_image(), [_face(Box(200, 150, 120, 120))])
    assert (drawn[155:265, 320:322] == drawing.color_of("happy")).all()


def test_legend_and_scores_of_detectors_have_their_colors():
    image, colors = _image(), [(66, 228, 240), (233, 180, 86)]
    found = [(Detection(Box(200, 150, 120, 120), 0.5), color) for color in colors]
    drawing.draw_detections(image, found)
    assert not _is_changed(image, _image())[:40, :150].any()
    drawing.draw_detections(image, [], [("viola_jones", colors[0]), ("mtcnn", colors[1])])
    assert _is_changed(image, _image())[:40, :100].any()
    assert all(_count(image[130:150, x : x + 60], color) > 5 for x, color in zip((200, 260), colors, strict=True))


@pytest.mark.parametrize("faces", [1, 4, 12])
def test_scores_of_four_detectors_do_not_lie_on_each_other(faces, monkeypatch):
    plates = []
    write = drawing._write_on_plate

    def record(image, text, plate, color):
        plates.append(plate)
        write(image, text, plate, color)

    monkeypatch.setattr(drawing, "_write_on_plate", record)
    colors = [(66, 228, 240), (233, 180, 86), (167, 121, 204), (115, 158, 0)]
    places = [(100 + 120 * (number % 4), 80 + 140 * (number // 4)) for number in range(faces)]
    found = [
        (Detection(Box(x + 2 * shift, y - shift, 40, 40), 12.34), color)
        for shift, color in enumerate(colors)
        for x, y in places
    ]
    image = _image()
    drawing.draw_detections(image, found, [(f"detector_{number}", color) for number, color in enumerate(colors)])
    assert len(plates) == 4 + 4 * faces
    for number, plate in enumerate(plates):
        assert plate == plate.clipped(640, 480)
        assert not drawing._shared_area(plate, plates[number + 1 :])


def test_expression_has_the_color_of_its_emotion():
    for emotion, expression in EXPRESSIONS.items():
        assert drawing.color_of(expression) == drawing.color_of(emotion), expression
