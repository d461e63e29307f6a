# SPDX-License-Identifier: Apache-2.0
"""Check the file of a cascade classifier before OpenCV reads it.

OpenCV takes the numbers in the file as they are: a changed digit makes it read outside its arrays, divide by zero, or
follow a tree without end. Here each number is checked, and OpenCV gets a file that is written from the checked ones.
Format: `CascadeClassifierImpl::Data::read` in OpenCV's modules/objdetect/src/cascadedetect.cpp.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from fer_ros.files import read_regular_file
from fer_ros.text import printable

_MAX_BYTES = 16 << 20
"""The largest cascade of OpenCV has 3.6 MB."""
_MAX_STAGES, _MAX_TREES, _MAX_FEATURES = 100, 5000, 100_000
_MAX_SIDE = 256
"""Of the window, pixels."""
_MAX_NUMBER = 1e9
_NUMBER = re.compile(r"[+-]?(\d{1,40}\.?\d{0,40}|\.\d{1,40})([eE][+-]?\d{1,3})?")
_LBP_CELLS = 3
_LBP_SUBSETS = 8
"""Numbers of 32 bits that a node of an LBP cascade has instead of a threshold."""


class _Window(NamedTuple):
    width: int
    height: int
    is_lbp: bool


def checked(path: Path) -> str:
    """Return the content of a cascade's file, checked and rewritten.

    Raises:
        ValueError: the file cannot be read, or is not a cascade of Haar or LBP features.
    """
    try:
        content = read_regular_file(path, _MAX_BYTES)
        if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
            raise ValueError("it defines entities")
        return _rewritten(ElementTree.fromstring(content))
    except (OSError, ValueError, LookupError, ElementTree.ParseError, RecursionError) as error:
        reason = printable(str(error).replace(f"{path}: ", ""), 200)
        raise ValueError(f"{path} is not a cascade of OpenCV ({reason})") from error


def _rewritten(root: ElementTree.Element) -> str:
    cascade = root.find("cascade")
    if cascade is None:
        raise ValueError("it has no element 'cascade'; files from before OpenCV 2.4.2 are not supported")
    kind = _text(cascade, "featureType")
    if _text(cascade, "stageType") != "BOOST" or kind not in ("HAAR", "LBP"):
        raise ValueError(f"its features are {printable(kind)}; expected HAAR or LBP")
    width, height = _whole(_text(cascade, "width"), 4, _MAX_SIDE), _whole(_text(cascade, "height"), 4, _MAX_SIDE)
    window = _Window(width, height, kind == "LBP")
    categories = _whole(_text(_element(cascade, "featureParams"), "maxCatCount"), 0, 256)
    if categories != (256 if window.is_lbp else 0):
        raise ValueError(f"maxCatCount is {categories}")
    features = list(_features(_items(cascade, "features", _MAX_FEATURES), window))
    stages = list(_stages(_items(cascade, "stages", _MAX_STAGES), len(features), window))
    return (
        '<?xml version="1.0"?>\n<opencv_storage>\n<cascade><stageType>BOOST</stageType>'
        f"<featureType>{kind}</featureType><height>{height}</height><width>{width}</width>"
        "<stageParams><maxWeakCount>1</maxWeakCount></stageParams>"
        f"<featureParams><maxCatCount>{categories}</maxCatCount></featureParams>"
        f"<stageNum>{len(stages)}</stageNum>\n<stages>\n{''.join(stages)}</stages>\n"
        f"<features>\n{''.join(features)}</features></cascade>\n</opencv_storage>\n"
    )


def _stages(stages: Sequence[ElementTree.Element], features: int, window: _Window) -> Iterator[str]:
    for stage in stages:
        threshold = _number(_text(stage, "stageThreshold"))
        trees = [_tree(tree, features, window) for tree in _items(stage, "weakClassifiers", _MAX_TREES)]
        yield (
            f"<_><maxWeakCount>{len(trees)}</maxWeakCount><stageThreshold>{threshold}</stageThreshold>"
            f"<weakClassifiers>{''.join(trees)}</weakClassifiers></_>\n"
        )


def _tree(tree: ElementTree.Element, features: int, window: _Window) -> str:
    numbers, leaves = _text(tree, "internalNodes").split(), _text(tree, "leafValues").split()
    step = 3 + (_LBP_SUBSETS if window.is_lbp else 1)
    count = len(numbers) // step
    if not 1 <= count <= 100 or len(numbers) != count * step or len(leaves) != count + 1:
        raise ValueError(f"a tree has {len(numbers)} numbers and {len(leaves)} leaves")
    nodes: list[str] = []
    for index in range(count):
        left, right, feature, *rest = numbers[index * step : (index + 1) * step]
        # A node leads to later ones or to leaves, so that no path is endless.
        below = [_whole(child, -count, count - 1) for child in (left, right)]
        if any(0 < child <= index for child in below):
            raise ValueError(f"node {index} of a tree leads back to node {max(below)}")
        thresholds = [_whole(one, -(1 << 31), (1 << 31) - 1) if window.is_lbp else _number(one) for one in rest]
        nodes += map(str, [*below, _whole(feature, 0, features - 1), *thresholds])
    return (
        f"<_><internalNodes>{' '.join(nodes)}</internalNodes>"
        f"<leafValues>{' '.join(str(_number(leaf)) for leaf in leaves)}</leafValues></_>\n"
    )


def _features(features: Sequence[ElementTree.Element], window: _Window) -> Iterator[str]:
    for feature in features:
        if window.is_lbp:
            x, y, width, height = (_whole(one, 0, _MAX_SIDE) for one in _text(feature, "rect").split())
            _check_inside(x, y, _LBP_CELLS * width, _LBP_CELLS * height, window)
            yield f"<_><rect>{x} {y} {width} {height}</rect></_>\n"
            continue
        tilted = _whole(feature.findtext("tilted", "0"), 0, 1)
        rectangles = []
        for rectangle in _items(feature, "rects", 3):
            *corners, weight = (rectangle.text or "").split()
            x, y, width, height = (_whole(one, 0, _MAX_SIDE) for one in corners)
            if tilted:
                _check_inside(x - height, y, width + height, width + height, window)
            else:
                _check_inside(x, y, width, height, window)
            rectangles.append(f"<_>{x} {y} {width} {height} {_number(weight)}</_>")
        yield f"<_><rects>{''.join(rectangles)}</rects><tilted>{tilted}</tilted></_>\n"


def _check_inside(x: int, y: int, width: int, height: int, window: _Window) -> None:
    inside = x >= 0 and width > 0 and height > 0 and x + width <= window.width and y + height <= window.height
    if not inside:
        raise ValueError(f"a feature of {width}x{height} pixels at {x}, {y} is outside the window")


def _element(parent: ElementTree.Element, name: str) -> ElementTree.Element:
    found = parent.find(name)
    if found is None:
        raise ValueError(f"it has no element '{name}'")
    return found


def _text(parent: ElementTree.Element, name: str) -> str:
    return (_element(parent, name).text or "").strip()


def _items(parent: ElementTree.Element, name: str, most: int) -> list[ElementTree.Element]:
    items = list(_element(parent, name))
    if not 1 <= len(items) <= most:
        raise ValueError(f"'{name}' has {len(items)} items; expected 1 to {most}")
    return items


def _whole(text: str, lowest: int, highest: int) -> int:
    if not re.fullmatch(r"-?\d{1,10}\.?", text.strip(), re.ASCII):
        raise ValueError(f"'{printable(text)}' is not a whole number")
    number = int(text.strip().rstrip("."))
    if not lowest <= number <= highest:
        raise ValueError(f"{number} is not from {lowest} to {highest}")
    return number


def _number(text: str) -> float:
    if not _NUMBER.fullmatch(text) or not abs(float(text)) < _MAX_NUMBER:
        raise ValueError(f"'{printable(text)}' is not a number")
    return float(text)
