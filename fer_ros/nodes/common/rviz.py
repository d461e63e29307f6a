# SPDX-License-Identifier: Apache-2.0
"""Writes RViz configurations for the topics of one or several cameras, from that for a single one."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import yaml

_STATE = "QMainWindow State"
_DISPLAYS = "Displays"
"""The panel that lists the displays."""
_GAP = 6
"""Pixels between two docks."""


@dataclass(frozen=True)
class CameraTopics:
    """Resolved topics of a camera."""

    name: str
    """Appended to the names of its displays; empty for a single camera."""
    annotated: str
    """`emotions/image`, raw."""
    image: str
    """The camera's own images; a topic that ends in /compressed is read with that transport."""
    markers: str
    """`emotions/markers`."""


def configuration(template: str, cameras: Sequence[CameraTopics]) -> str:
    """Return the configuration for these cameras, in YAML.

    Args:
        template: the configuration for one camera, with displays called "Emotions", "Camera" and "Faces".
        cameras: at least one.
    """
    config = yaml.safe_load(template)
    displays = config["Visualization Manager"]["Displays"]
    by_name = {display["Name"]: display for display in displays}
    of_cameras = [
        _display(by_name[name], camera, topic)
        for camera in cameras
        for name, topic in (("Emotions", camera.annotated), ("Camera", camera.image), ("Faces", camera.markers))
    ]
    others = [display for name, display in by_name.items() if name not in ("Emotions", "Camera", "Faces")]
    config["Visualization Manager"]["Displays"] = of_cameras + others
    geometry = config["Window Geometry"]
    images = [(_title(name, camera), name == "Emotions") for camera in cameras for name in ("Emotions", "Camera")]
    geometry.update({title: {"collapsed": False} for title, _ in images})
    geometry[_STATE] = window_state(images)
    return yaml.safe_dump(config, sort_keys=False)


def window_state(images: Sequence[tuple[str, bool]]) -> str:
    """Return the layout of RViz's window in the form of QMainWindow::saveState (Qt 5), hexadecimal.

    The images lie above the list of displays in the dock on the left, which without this would leave them no space.

    Args:
        images: titles of the image displays, from top to bottom, and whether each is shown.
    """
    width, height, list_height = 560, 652, 205
    shown = sum(visible for _, visible in images)
    image_height = (height - list_height) // max(shown, 1) - _GAP
    docks, y = b"", 62
    for title, visible in images:
        docks += _dock(title, y, image_height) if visible else _dock(title)
        y += image_height + _GAP if visible else 0
    docks += _dock(_DISPLAYS, y, list_height)
    left_area = b"\xfc\x02" + _int(len(images) + 1) + docks  # below one another
    tool_bar = _int(2) + _int(1) + _text("Tools") + b"\x01" + _int(0) + _int(-1) + _int(0) + _int(0)
    return (
        (_int(0xFF) + _int(0))
        + (b"\xfd" + _int(1) + _int(0) + _int(width) + _int(height) + left_area)
        + (_int(634) + _int(height))  # the 3-D view
        + (_int(4) + _int(4) + _int(8) + _int(8))  # which docks have the corners
        + (b"\xfc" + _int(1) + tool_bar)
    ).hex()


def _display(display: dict[str, Any], camera: CameraTopics, topic: str) -> dict[str, Any]:
    display = copy.deepcopy(display)
    display["Name"] = _title(display["Name"], camera)
    display["Topic"]["Value"] = topic
    return display


def _title(name: str, camera: CameraTopics) -> str:
    return f"{name} {camera.name}".rstrip()


def _dock(title: str, y: int = 0, height: int = -1) -> bytes:
    """Return a dock; without a height, a hidden one."""
    flags = b"\x01" if height >= 0 else b"\x00"
    smallest, largest = 0x35, 0xFFFFFF
    return b"\xfb" + _text(title) + flags + _int(y) + _int(height) + _int(smallest) + _int(largest)


def _text(text: str) -> bytes:
    encoded = text.encode("utf-16-be")
    return _int(len(encoded)) + encoded


def _int(number: int) -> bytes:
    return number.to_bytes(4, "big", signed=number < 0)
