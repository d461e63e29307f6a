# SPDX-License-Identifier: Apache-2.0
"""Finds start-up parameters that would be ignored: mistyped names, and those for a node of another name.

ROS ignores both without a message, and the node then runs with its defaults.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from fer_ros.registry import did_you_mean
from fer_ros.text import printable

if TYPE_CHECKING:
    from rclpy.node import Node

EVERY_NODE = "/**"
"""Section of a parameter file that is for all nodes, and may have parameters that only some of them have."""
_SIMILAR = 0.8
"""Similarity of two node names, by `difflib`, from which one counts as a misspelling of the other."""
_MAX_KEYS = 1000
"""Sections of a parameter file that are looked at."""
_QOS = re.compile(
    r"qos_overrides\./.+\.(publisher|subscription)(_\w+)?\."
    r"(depth|history|reliability|durability|deadline|lifespan|liveliness|liveliness_lease_duration)"
)


@dataclass(frozen=True)
class Section:
    """Parameters for the nodes of one name, from one place of the command line."""

    origin: str
    """Path of the parameter file, or "-p"."""
    node: str
    """Name of the nodes with its namespace; `*` stands for one part of it, `**` for any number."""
    parameters: tuple[str, ...]
    """Names."""

    def is_for(self, name: str) -> bool:
        """Return whether a node of this fully qualified name takes the parameters, as rcl decides it."""
        parts = (r"(/\w+)*" if part == "**" else r"/\w+" if part == "*" else f"/{part}" for part in self.parts)
        return re.fullmatch("".join(parts), name) is not None

    @property
    def parts(self) -> list[str]:
        """Namespaces and name of the node."""
        return [part for part in self.node.split("/") if part]


def find_errors(names: Iterable[str], declared: Collection[str], sections: Sequence[Section], node: str) -> list[str]:
    """Return one sentence per parameter that is meant for this node, but that this node does not have.

    Args:
        names: of all parameters that the node was given.
        declared: names of the node's parameters.
        sections: of the command line; parameters that only sections for every node have are no errors.
        node: fully qualified name.
    """
    shared = _shared(sections, node)
    return [_describe(name, declared, node) for name in names if _is_unknown(name, declared) and name not in shared]


def find_warnings(declared: Collection[str], sections: Sequence[Section], node: str) -> list[str]:
    """Return one sentence per section or parameter of the command line that this node will probably miss.

    Args:
        declared: names of the node's parameters.
        sections: of the command line.
        node: fully qualified name.
    """
    unknown = [name for name in _shared(sections, node) if _is_unknown(name, declared)]
    return [
        *(f"{_describe(name, declared, node)}; it is ignored" for name in unknown),
        *_misaddressed(sections, node),
    ]


def read_sections(arguments: Sequence[str]) -> list[Section]:
    """Return the sections of a command line and of the parameter files that it names; unreadable files have none.

    Args:
        arguments: of the program; only what follows --ros-args counts, as for rcl.
    """
    sections = []
    for option, value in _options(arguments):
        if option == "--params-file":
            sections += _file_sections(value)
        else:
            rule, assigns, _ = value.partition(":=")
            node, is_for_one, name = rule.rpartition(":")
            if assigns:
                sections.append(Section("-p", f"/{node}" if is_for_one else "", (name,)))
    return sections


def check(node: Node, declared: Collection[str], arguments: Sequence[str]) -> list[str]:
    """Log a warning for parameters that this node will probably miss, and return the errors; see `find_errors`.

    Args:
        node: just created.
        declared: names of its parameters; those that rclpy declares by itself are added.
        arguments: of the node, beside those of the process.
    """
    overrides: Mapping[str, Any] = node._parameter_overrides
    declared = {*declared, *(name for name in overrides if node.has_parameter(name))}
    sections = read_sections([*sys.argv, *arguments])
    name = node.get_fully_qualified_name()
    for warning in find_warnings(declared, sections, name):
        node.get_logger().warning(warning)
    return find_errors(overrides, declared, sections, name)


def _shared(sections: Iterable[Section], node: str) -> list[str]:
    """Return the names of parameters that no section for this node has, but one for several nodes."""
    single = [one for one in sections if not one.node or (one.is_for(node) and "*" not in one.node)]
    several = [one for one in sections if "*" in one.node and one.is_for(node)]
    own = {name for section in single for name in section.parameters}
    return list(dict.fromkeys(name for section in several for name in section.parameters if name not in own))


def _misaddressed(sections: Sequence[Section], node: str) -> Iterator[str]:
    """Yield a sentence for each file, and each `-p`, whose sections are for nodes of other names."""
    for origin in dict.fromkeys(section.origin for section in sections if section.node):
        named = [section for section in sections if section.origin == origin and section.node]
        own = [section for section in named if section.is_for(node)]
        others = dict.fromkeys(section.node for section in named if not section.is_for(node))
        last_parts = {other: other.rpartition("/")[2] for other in others}
        is_shared = own and all(section.node == EVERY_NODE for section in own)
        similar = get_close_matches(node.rpartition("/")[2], last_parts.values(), n=1, cutoff=_SIMILAR)
        if others and (not own or (is_shared and similar)):
            wanted = similar[0] if similar else ""
            listed = [other for other in others if last_parts[other] == wanted] or list(others)
            names = ", ".join(printable(other) for other in listed[:5])
            yield (
                f"parameters of {origin} are for {names}, but this node is {node}: they are ignored; name their "
                f"section {node} or {EVERY_NODE}"
            )


def _is_unknown(name: str, declared: Collection[str]) -> bool:
    return name not in declared and not _QOS.fullmatch(name)


def _describe(name: str, declared: Collection[str], node: str) -> str:
    if name.startswith("qos_overrides"):
        return (
            f"{node} has no parameter '{printable(name)}': quality of service is "
            "qos_overrides.<resolved topic>.<publisher or subscription>.<policy>"
        )
    # A group that was left out is found by the last part: cascade is detector.cascade.
    last_parts = {known.rpartition(".")[2]: known for known in declared}
    within = last_parts.get(name.rpartition(".")[2], "")
    nearest = f", did you mean '{within}'" if within else did_you_mean(name, declared)
    return f"{node} has no parameter '{printable(name)}'{nearest}"


def _options(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the options about parameters with their values."""
    is_ros = False
    for argument, value in zip(arguments, [*arguments[1:], ""], strict=True):
        if argument in ("--ros-args", "--"):
            is_ros = argument == "--ros-args"
        elif is_ros and argument in ("-p", "--param", "--params-file"):
            yield argument, value


def _file_sections(path: str) -> list[Section]:
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError, RecursionError):
        return []  # rcl has read the file, or has failed with its own message
    found: list[Section] = []
    _collect(content, "", path, found)
    return found


def _collect(content: Any, node: str, path: str, found: list[Section]) -> None:
    """Append the sections below the name or namespace `node`."""
    if not isinstance(content, dict) or len(found) >= _MAX_KEYS:
        return
    for key, value in content.items():
        if key == "ros__parameters":
            found.append(Section(path, node, tuple(_names(value))))
        else:
            _collect(value, f"{node}/{str(key).strip('/')}", path, found)


def _names(group: Any, prefix: str = "") -> Iterator[str]:
    """Yield the names of the parameters in nested mappings, as in "detector.name"."""
    for key, value in group.items() if isinstance(group, dict) else ():
        if isinstance(value, dict):
            yield from _names(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"
