# SPDX-License-Identifier: Apache-2.0
"""Registries of named plug-ins: detectors, backends, data sets, networks and publishers.

A plug-in is added without touching the package:

>>> from fer_ros.registry import Entry, Registry
>>> greetings = Registry[str]("greeting")
>>> greetings.register("hello", Entry(lambda options: "Hello!", description="a short one"))
>>> greetings.create("hello")
'Hello!'
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class UnknownNameError(ValueError):
    """No plug-in has this name; the message lists those that exist."""


@dataclass(frozen=True)
class NoOptions:
    """Options of a plug-in that has none."""


@dataclass(frozen=True)
class Entry(Generic[T]):
    """One plug-in.

    Args:
        loader: creates the object from an instance of `options`, and from whatever else the kind of plug-in needs.
            Imports optional packages when called, so that listing the names works without them.
        options: frozen dataclass whose fields all have defaults; see `option`.
        install: shell command that installs what `loader` imports, such as "pip install dlib-bin"; empty where the
            package's own dependencies suffice.
        description: one line for help texts and tables.
    """

    loader: Callable[..., T]
    options: type[Any] = NoOptions
    install: str = ""
    description: str = ""


class Registry(Generic[T]):
    """Plug-ins of one kind by name, in the order of registration. Iterates over the names.

    Args:
        kind: what an entry is, for error messages: "detector".
    """

    def __init__(self, kind: str):
        self.kind = kind
        self._entries: dict[str, Entry[T]] = {}

    def register(self, name: str, entry: Entry[T]) -> None:
        """Add an entry.

        Raises:
            ValueError: the name is taken.
        """
        if name in self._entries:
            raise ValueError(f"{self.kind} '{name}' is registered already; choose another name")
        self._entries[name] = entry

    def unregister(self, name: str) -> None:
        """Remove an entry; a test that registers one removes it again."""
        del self._entries[name]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._entries)

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __getitem__(self, name: str) -> Entry[T]:
        """Return the entry called `name`.

        Raises:
            UnknownNameError: there is none; the message names the nearest and all names.
        """
        if name not in self._entries:
            raise UnknownNameError(
                f"unknown {self.kind} '{name}'{did_you_mean(name, self.names)}; available: {', '.join(self.names)}"
            )
        return self._entries[name]

    def create(self, name: str, options: Any = None, *arguments: Any, **keywords: Any) -> T:
        """Return what the entry's loader creates.

        Args:
            name: of the entry.
            options: instance of the entry's options dataclass; None takes its defaults.
            *arguments: passed on to the loader.
            **keywords: passed on to the loader.

        Raises:
            UnknownNameError: there is no such entry.
            TypeError: `options` are those of another entry.
            ImportError: a package is not installed; the message names the command that installs it.
        """
        entry = self[name]
        options = entry.options() if options is None else options
        if not isinstance(options, entry.options):
            raise TypeError(
                f"{self.kind} '{name}' takes {entry.options.__name__} as its options, not {type(options).__name__}"
            )
        try:
            return entry.loader(options, *arguments, **keywords)
        except ImportError as error:
            remedy = f"; install it with: {entry.install}" if entry.install else ""
            raise ImportError(f"{self.kind} '{name}' needs a package that is missing ({error}){remedy}") from error

    def select_options(self, name: str, values: Mapping[str, Any]) -> Any:
        """Return the options of `name`, filled with those of `values` that it has fields for; the rest is ignored.

        A command or a node has one flat set of values for all entries.
        """
        known = {row.name for row in fields(self[name].options)}
        return self[name].options(**{key: value for key, value in values.items() if key in known})


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """Return ", did you mean '...'" with the nearest of `names`, or an empty string."""
    nearest = get_close_matches(name.lower(), list(names), n=1)
    return f", did you mean '{nearest[0]}'" if nearest else ""


def option(default: Any, description: str) -> Any:
    """Return a dataclass field with a description, for the options of an `Entry`; commands show it as help."""
    return field(default=default, metadata={"help": description})
