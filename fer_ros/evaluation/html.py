# SPDX-License-Identifier: Apache-2.0
"""Self-contained HTML pages: plots are embedded, so a page opens offline and loads nothing."""

from __future__ import annotations

import base64
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from fer_ros.files import atomic_write

_TEMPLATE = Path(__file__).with_name("page.html")


@dataclass(frozen=True)
class Section:
    """A heading and its content; every part of the content is optional."""

    title: str
    note: str = ""
    plot: Path | None = None
    """PNG file to embed."""
    head: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    """Cells of a table; the first of each row is its heading."""
    text: str = ""
    """Preformatted, collapsed until it is opened."""


def facts(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return table rows of names and values; None values are left out, and a command is quoted for the shell."""
    quoted = {name: shlex.join(value) if name == "command" else value for name, value in values.items()}
    return [(name.replace("_", " "), _format(value)) for name, value in quoted.items() if value is not None]


def _format(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {each}" for name, each in value.items())
    return " ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def write(path: Path, title: str, sections: Sequence[Section]) -> None:
    """Write a page atomically.

    Raises:
        OSError: a plot cannot be read, or the page cannot be written.
    """
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["embedded"] = _data_url
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    page = template.render(title=title, sections=sections)
    with atomic_write(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _data_url(plot: Path) -> str:
    return f"data:image/png;base64,{base64.b64encode(plot.read_bytes()).decode()}"
