"""One HTML page with everything in it: it opens offline, on a phone too, and loads nothing from anywhere."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from fer_ros.files import atomic_write

_TEMPLATE = Path(__file__).with_name("page.html")


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it, of which any part may be left out."""

    title: str
    note: str = ""
    picture: Path | None = None
    """A PNG file, which is copied into the page."""
    head: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    """The cells of a table; the first of each row says what the others are."""
    text: str = ""
    """Shown as it is, when asked for."""


def facts(known: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Rows that say what is known; None is left out."""
    return [(name.replace("_", " "), _said(value)) for name, value in known.items() if value is not None]


def _said(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {one}" for name, one in value.items())
    return " ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def write(path: Path, title: str, sections: Sequence[Section]) -> None:
    """Writes the page, whole or not at all.

    Raises:
        OSError: a picture cannot be read, or the page not written.
    """
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["embedded"] = _embedded
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    with atomic_write(path) as temporary:
        temporary.write_text(template.render(title=title, sections=sections), encoding="utf-8")


def _embedded(picture: Path) -> str:
    return f"data:image/png;base64,{base64.b64encode(picture.read_bytes()).decode()}"
