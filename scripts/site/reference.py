# SPDX-License-Identifier: Apache-2.0
"""Writes the generated parts of the reference pages: interfaces, commands and the Python API, as Markdown."""

from __future__ import annotations

import argparse
import importlib
import re
from collections.abc import Callable, Iterable
from pathlib import Path

import fer_ros

ROOT = Path(__file__).parents[2]

_FIELD = re.compile(r"(?P<type>[\w/]+(\[\d*\])?) +(?P<name>\w+)\s*(?P<value>=[^#]*)?(#\s*(?P<meaning>.*))?$")
_COMMENT = re.compile(r"(?P<indentation>\s*)#\s*(?P<text>.*)$")


def interfaces() -> str:
    """Return a section for each message, service and action: what it is, its constants, and its fields."""
    files = [file for kind in ("msg", "srv", "action") for file in sorted((ROOT / kind).glob(f"*.{kind}"))]
    return "\n\n".join(_interface(file) for file in files)


def _interface(file: Path) -> str:
    kind = file.suffix.lstrip(".")
    names = {"msg": ("",), "srv": ("Request", "Response"), "action": ("Goal", "Result", "Feedback")}[kind]
    lines = [f"## {file.stem}", f"`fer_ros/{kind}/{file.stem}`"]
    for name, text in zip(names, re.split(r"^---$", file.read_text(), flags=re.MULTILINE), strict=True):
        lines += [f"**{name}**"] if name else []
        lines += _part(text)
    return "\n\n".join(lines)


def _part(text: str) -> list[str]:
    """Return the paragraphs and tables of one part of an interface, in its order."""
    blocks: list[tuple[str, list]] = []

    def add(kind: str, item) -> None:
        if not blocks or blocks[-1][0] != kind:
            blocks.append((kind, []))
        blocks[-1][1].append(item)

    for line in text.strip().splitlines():
        if field := _FIELD.match(line):
            value, meaning = (field["value"] or "").strip("= "), field["meaning"] or ""
            if value:
                add("constant", [f"`{field['name']}`", f"`{value}`", meaning])
            else:
                add("field", [f"`{field['name']}`", f"`{field['type']}`", meaning])
        elif comment := _COMMENT.match(line):
            if comment["indentation"]:  # continues the comment of a field
                blocks[-1][1][-1][-1] += f" {comment['text']}"
            else:
                add("text", comment["text"])
        else:
            add("text", "")
    return [paragraph for kind, items in blocks if (paragraph := _block(kind, items))]


def _block(kind: str, items: list) -> str:
    if kind == "text":
        return "\n".join(items).strip()
    head = (kind, "value" if kind == "constant" else "type", "meaning")
    if not any(meaning for *_, meaning in items):
        head, items = head[:2], [row[:2] for row in items]
    return _table(head, items)


def commands() -> dict[str, Callable[[], argparse.ArgumentParser]]:
    """Return what makes the parser of each command, by the command's name."""
    installed = (ROOT / "CMakeLists.txt").read_text("utf-8")
    scripts = re.findall(r"^install_program\((fer-\S+) (\S+)", installed, re.M)
    return {name: importlib.import_module(module).parser for name, module in sorted(scripts)}


def command_sections() -> str:
    """Return a section for each command: what it does, its options, and examples."""
    return "\n\n".join(_command(name, create()) for name, create in commands().items())


def _command(name: str, parser: argparse.ArgumentParser) -> str:
    rows = []
    for action in parser._actions:
        if action.help is argparse.SUPPRESS or action.dest in ("help", "version"):
            continue
        value = action.metavar or (", ".join(map(str, action.choices)) if action.choices else action.dest.upper())
        rows.append(
            (
                ", ".join(f"`{option}`" for option in action.option_strings) or f"`{value}`",
                "" if action.nargs == 0 or not action.option_strings else value,
                parser._get_formatter()._expand_help(action) if action.help else "",
            )
        )
    table = _table(("option", "value", "meaning"), rows)
    return f"## {name}\n\n{parser.description}\n\n{table}\n\n```text\n{parser.epilog}\n```"


def api() -> str:
    """Return the directive of mkdocstrings for each public name of the library."""
    modules = {name: f"fer_ros.{module}" for name, module in fer_ros._MODULES.items()}
    order = sorted(modules, key=lambda name: (name != "EmotionRecognizer", name.isupper(), name.lower()))
    return "\n\n".join(f"::: {modules[name]}.{name}" for name in order)


GENERATED = {"interfaces": interfaces, "commands": command_sections, "api": api}
"""What replaces the line `<!-- generated: name -->` of a page."""


def fill(markdown: str) -> str:
    """Replace the lines that stand for generated parts. On GitHub they are invisible."""
    return re.sub(r"^<!-- generated: (\w+).* -->$", lambda line: GENERATED[line[1]](), markdown, flags=re.MULTILINE)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    cells = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(map(_escaped, row)) + " |" for row in cells)


def _escaped(cell: str) -> str:
    """Escape what ends a cell, and, outside of code, what Markdown takes for a tag."""
    return re.sub(r"(`[^`]*`)|<", lambda found: found[1] or "&lt;", cell.replace("|", "\\|"))
