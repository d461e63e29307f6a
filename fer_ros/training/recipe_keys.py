# SPDX-License-Identifier: Apache-2.0
"""Keys and values of a recipe: build dataclasses from a mapping of unknown origin, with errors that name the key."""

from __future__ import annotations

import reprlib
import typing
from collections.abc import Iterable
from dataclasses import MISSING, fields, is_dataclass
from difflib import get_close_matches
from typing import Any

from fer_ros.text import printable


class RecipeError(ValueError):
    """A recipe with an unusable key or value; the message names the file and the key."""


def build(kind: type[Any], keys: Any, prefix: str = "") -> Any:
    """Return an instance of the dataclass `kind` from a mapping.

    Args:
        kind: a dataclass; a field that is a dataclass itself takes a nested mapping.
        keys: as YAML gives them.
        prefix: dotted path of the mapping, with a dot at its end.

    Raises:
        RecipeError: an unknown or missing key, a wrong type, or a value out of range.
    """
    if not isinstance(keys, dict):
        raise RecipeError(f"{f'{prefix[:-1]!r}' if prefix else 'a recipe'} must be a mapping of keys to values")
    types = typing.get_type_hints(kind)
    values = {}
    for key, value in keys.items():
        if key not in types:
            raise RecipeError(f"unknown key '{prefix}{printable(key)}'{nearest(str(key), types)}")
        values[key] = _value(types[key], value, f"{prefix}{key}")
    for entry in fields(kind):
        if entry.name not in values and entry.default is MISSING and entry.default_factory is MISSING:
            raise RecipeError(f"the key '{prefix}{entry.name}' is missing")
    try:
        return kind(**values)
    except RecipeError:
        raise
    except ValueError as error:
        raise RecipeError(str(error)) from error


def _value(kind: Any, value: Any, key: str) -> Any:
    if is_dataclass(kind):
        return build(typing.cast("type[Any]", kind), value, f"{key}.")
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    # YAML reads 5e-4, which has no decimal point, as text.
    if kind is float and isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            pass
    if kind == list[str]:
        if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
            raise RecipeError(f"'{key}' must be a list of texts, as in [one, two], not {shown(value)}")
        return value
    expected = typing.get_origin(kind) or kind
    if type(value) is not expected:
        raise RecipeError(f"'{key}' must be {_TYPE_NAMES[expected]}, not {shown(value)}")
    return value


def shown(value: Any) -> str:
    """Return a value for an error. A few aliases in YAML can stand for gigabytes of text."""
    return printable(reprlib.repr(value))


_TYPE_NAMES = {dict: "a mapping", int: "a whole number", float: "a number", bool: "true or false", str: "text"}


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the end of an error about an unknown word: the nearest known one, or all of them."""
    names = list(known)
    near = get_close_matches(word[:100], names, n=1, cutoff=0.5)
    return f", did you mean '{near[0]}'?" if near else f"; available: {', '.join(names)}"
