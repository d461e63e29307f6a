"""A node's parameters as the fields of a frozen dataclass: declared, checked, read and documented from one table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import Field, field, fields
from typing import TYPE_CHECKING, Any, TypeVar

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException

if TYPE_CHECKING:
    from rclpy.node import Node
    from rclpy.parameter import Parameter

Table = TypeVar("Table")
ROS_TYPES = {bool: "bool", int: "integer", float: "double", str: "string", tuple: "string_array"}


class ParameterError(ValueError):
    """A parameter the node cannot work with; the message names it, its value and what is allowed."""


def parameter(default, description: str, range=None, choices=(), dynamic: bool = False, any_type: bool = False):
    """One row of a table.

    Args:
        default: its type is the parameter's type; a tuple makes a string array. It must not be empty, for ROS could not
            tell of what.
        description: with the unit, and what special values mean.
        range: lowest and highest value allowed.
        choices: all values allowed.
        dynamic: can be set while the node runs.
        any_type: a value of another type is taken too, as text: 0 on the command line is an integer, not "0".
    """
    metadata = {
        "description": description,
        "range": range,
        "choices": choices,
        "dynamic": dynamic,
        "any_type": any_type,
    }
    return field(default=default, metadata=metadata)


def check_choices(settings: Any) -> None:
    """Refuses values that are not among the choices of their row; for a table's `__post_init__`.

    Raises:
        ParameterError: names the value and the choices.
    """
    for row in fields(settings):
        value, choices = getattr(settings, row.name), row.metadata["choices"]
        if choices and value not in choices:
            raise ParameterError(f"{row.name} is '{value}'; it can be {' or '.join(choices)}")


def declare(node: Node, table: type) -> None:
    """Declares every row of `table` on `node`, with the values it was started with.

    Raises:
        ParameterError: one of these values has the wrong type or is out of range.
    """
    for row in fields(table):
        _declare_row(node, row)


def read(node: Node, table: type[Table], changes: Iterable[Parameter] = ()) -> Table:
    """The present values of what `declare` has declared on `node`, with `changes` that may be on their way.

    Raises:
        ParameterError: together they are not consistent.
    """
    values = {row.name: node.get_parameter(row.name).value for row in fields(table)}
    values |= {change.name: change.value for change in changes if change.name in values}
    for row in fields(table):
        if row.metadata["any_type"] or isinstance(row.default, tuple):
            values[row.name] = type(row.default)(values[row.name])
    return table(**values)


def allowed(row: Field) -> str:
    """What a row's value can be, in words; empty where anything of its type can."""
    if row.metadata["range"]:
        return "{} to {}".format(*row.metadata["range"])
    return ", ".join(row.metadata["choices"])


def _declare_row(node: Node, row: Field) -> None:
    try:
        node.declare_parameter(row.name, row.default, _descriptor(row))
    except (InvalidParameterTypeException, InvalidParameterValueException) as error:
        raise ParameterError(f"parameter {row.name} must be {_wanted(row)}: {error}") from error


def _descriptor(row: Field) -> ParameterDescriptor:
    descriptor = ParameterDescriptor(
        name=row.name,
        description=row.metadata["description"],
        read_only=not row.metadata["dynamic"],
        dynamic_typing=row.metadata["any_type"],
    )
    if row.metadata["choices"]:
        descriptor.additional_constraints = f"one of: {allowed(row)}"
    if row.metadata["range"]:
        low, high = row.metadata["range"]
        if isinstance(row.default, int):
            descriptor.integer_range = [IntegerRange(from_value=low, to_value=high)]
        else:
            descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
    return descriptor


def _wanted(row: Field) -> str:
    kind = ROS_TYPES[type(row.default)]
    limits = f", {allowed(row)}" if allowed(row) else ""
    return f"{'an' if kind == 'integer' else 'a'} {kind}{limits}" + (
        " (written with a decimal point)" if kind == "double" else ""
    )
