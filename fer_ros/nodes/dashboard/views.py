# SPDX-License-Identifier: Apache-2.0
"""Turns the state into the HTML of the page's parts; all texts are escaped, because they come from other nodes."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from fer_ros.nodes.dashboard import timeline
from fer_ros.nodes.dashboard.state import Camera, EventLine, Person, Status, Training

_CARDS: Any = (
    jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    .get_template("cards.html")
    .module
)
_LEVELS = ("ok", "warn", "error", "stale")
_STATUS_TIMEOUT = 4.0
"""Seconds without a status after which its node does not run."""
_HERE = 1.0
"""Seconds for which a person counts as present after an image without the face."""
_MIN_SAMPLES = 3
"""Samples of a person who has left; shorter histories are mostly false detections, and too narrow to be seen."""
_FIGURES = {
    "images in /s": "images/s",
    "processed /s": "processed/s",
    "faces": "faces",
    "skipped": "images skipped",
}
"""Name on the page, and key of emotion_node's status."""


@dataclass(frozen=True)
class _Stage:
    """Times of a stage of processing, in milliseconds and in percent of the longest bar."""

    name: str
    p50: str
    p50_percent: float
    p95_percent: float


def people(camera: Camera, now: float, history: float) -> str:
    """Return each person's emotions over time, first of those who are there."""
    shown = [person for person in camera.people if _is_here(person, now) or len(person.samples) >= _MIN_SAMPLES]
    rows = [
        {
            "id": person.face_id,
            "dominant": person.face_id == camera.dominant_id,
            "is_here": _is_here(person, now),
            "emotion": person.emotion,
            "percent": f"{person.confidence:.0%}" if math.isfinite(person.confidence) else "",
            "color": timeline.css_color(person.emotion),
            "areas": timeline.areas(person, camera.labels, now, history),
            "spans": timeline.spans(person, now, history),
        }
        for person in sorted(shown, key=lambda person: not _is_here(person, now))
    ]
    return str(_CARDS.people(rows, f"{history:g}"))


def _is_here(person: Person, now: float) -> bool:
    return now - person.seen <= _HERE


def legend(camera: Camera) -> str:
    """Return the colors of the labels."""
    return str(_CARDS.legend([(label, timeline.css_color(label)) for label in camera.labels]))


def events(lines: Iterable[EventLine], with_camera: bool) -> str:
    """Return the lines of the events; `with_camera`: with the camera's name."""
    rows = [
        {**vars(line), "color": timeline.css_color(line.emotion) if line.emotion else "transparent"} for line in lines
    ]
    return str(_CARDS.events(rows, with_camera))


def health(status: Status | None, node: str, now: float) -> str:
    """Return the health of a camera; `node` is the name of the emotion node."""
    return str(
        _CARDS.health(
            {
                "level": level(status, now),
                "message": summary(status, node, now),
                "figures": [
                    (name, _rounded(status.values[key])) for name, key in _FIGURES.items() if key in status.values
                ]
                if status
                else [],
                "stages": _stages(status.values) if status else [],
            }
        )
    )


def level(status: Status | None, now: float) -> str:
    """Return "ok", "warn", "error" or "stale"."""
    if status is None or now - status.time > _STATUS_TIMEOUT:
        return "stale"
    return _LEVELS[status.level] if status.level < len(_LEVELS) else "error"


def summary(status: Status | None, node: str, now: float) -> str:
    """Return the message of a status, or that its node does not report."""
    if status is None or now - status.time > _STATUS_TIMEOUT:
        return f"no diagnostics from {node}: does it run, and is it active?"
    if status.message == "idle":  # it has a subscriber: this page
        return "idle: the node is disabled"
    return status.message


def training(run: Training, trainer: Status | None) -> str:
    """Return name, state and progress of a training run."""
    figures, percent = [], 0.0
    if run.epochs:
        last = run.epochs[-1]
        percent = 100 * min(last.number / max(run.planned, 1), 1)
        figures = [
            (f"of {run.planned} epochs", str(last.number)),
            ("best accuracy", f"{last.best_validation_accuracy:.1%}"),
            ("images/s", f"{run.images_per_second:.0f}"),
            ("left", _duration(run.eta)),
        ]
    return str(
        _CARDS.training(
            {
                "name": run.run_id,
                "stage": run.stage,
                "level": _LEVELS[min(trainer.level, 3)] if trainer else "stale",
                "message": trainer.message if trainer else "",
                "percent": round(percent, 1),
                "figures": figures,
            }
        )
    )


def _stages(values: Mapping[str, str]) -> list[_Stage]:
    """Return the stages of processing that took at least 0.1 ms, with bars in proportion to their times."""
    found = {}
    for key, value in values.items():
        match = re.fullmatch(r"(.+) p50 \(ms\)", key)
        other = values.get(f"{match[1]} p95 (ms)", "") if match else ""
        if match and _is_number(value) and _is_number(other) and float(other) >= 0.1:
            found[match[1]] = float(value), float(other)
    longest = max((p95 for _, p95 in found.values()), default=1.0)
    return [
        _Stage(name, f"{p50:.1f}", round(100 * p50 / longest, 1), round(100 * p95 / longest, 1))
        for name, (p50, p95) in found.items()
    ]


def _is_number(text: str) -> bool:
    return bool(re.fullmatch(r"\d+(\.\d+)?", text))


def _rounded(text: str) -> str:
    return f"{float(text):g}" if _is_number(text) else text


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(max(seconds, 0)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
