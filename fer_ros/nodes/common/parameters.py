# SPDX-License-Identifier: Apache-2.0
"""ROS parameters as the fields of a frozen dataclass: declared, checked, read and documented from one table.

A field of a table is a parameter (see `parameter`) or a group of them: another such dataclass, as
`field(default_factory=...)`. The field `cascade` of the group `detector` is the ROS parameter `detector.cascade`.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeVar

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException

from fer_ros.nodes.common import parameter_overrides
from fer_ros.text import printable

if TYPE_CHECKING:
    from rclpy.node import Node
    from rclpy.parameter import Parameter

Table = TypeVar("Table")
_BOOLEAN_WORDS = {"on": True, "yes": True, "true": True, "off": False, "no": False, "false": False}
"""Words that YAML, and therefore `-p`, `ros2 param set` and parameter files, take for booleans."""
_ROS_TYPES = {bool: "bool", int: "integer", float: "double", str: "string"}


class ParameterError(ValueError):
    """A parameter has a value the node cannot use; the message has the name, the value and what is allowed."""


@dataclass(frozen=True)
class Row:
    """One parameter of a table."""

    name: str
    """With its group, as in "detector.cascade"."""
    default: Any
    """Its type is the parameter's type; a tuple stands for an array of its elements' type."""
    description: str
    range: tuple[float, float] | None
    """Lowest and highest value, both allowed."""
    choices: tuple[str, ...]
    dynamic: bool
    """Whether it can be set while the node runs."""
    any_type: bool

    @property
    def ros_type(self) -> str:
        """Name of the type, as in "string_array"."""
        if isinstance(self.default, tuple):
            return f"{_ROS_TYPES[type(self.default[0])]}_array"
        return _ROS_TYPES[type(self.default)]

    @property
    def _takes_one_integer(self) -> bool:
        return self.ros_type == "integer_array"

    @property
    def allowed(self) -> str:
        """The range or the choices as text; empty if every value of the type is allowed."""
        if self.range:
            return "{} to {}".format(*self.range)
        return ", ".join(self.choices)

    @property
    def dynamically_typed(self) -> bool:
        """Whether ROS lets values of other types pass, for `converted`."""
        named_as_boolean = any(word in _BOOLEAN_WORDS for word in self.choices)
        return self.any_type or isinstance(self.default, float) or named_as_boolean or self._takes_one_integer

    def converted(self, value: Any) -> Any:
        """Return a value from ROS as this parameter's type.

        Takes an integer for a double, and a boolean for a choice such as "off", which YAML takes for one.

        Raises:
            ParameterError: the value has another type or is out of range.
        """
        wanted = type(self.default)
        if self._takes_one_integer:
            return self._integers(value)
        if value is not None and (self.any_type or wanted is tuple):
            return wanted(value)
        if wanted is float and type(value) is int:
            value = float(value)
        if wanted is str and isinstance(value, bool):
            value = next((word for word in self.choices if _BOOLEAN_WORDS.get(word) is value), value)
        if type(value) is not wanted or (self.range and not self.range[0] <= value <= self.range[1]):
            raise ParameterError(f"parameter {self.name} must be {self.expectation}, not {printable(repr(value))}")
        return value

    def _integers(self, value: Any) -> tuple[int, ...]:
        """Return an array of integers, for which one integer is taken, too."""
        values = (value,) if type(value) is int else tuple(value) if isinstance(value, Sequence | array) else ()
        if not values or any(type(one) is not int for one in values):
            raise ParameterError(f"parameter {self.name} must be {self.expectation}, not {printable(repr(value))}")
        return values

    @property
    def expectation(self) -> str:
        """Type and allowed values, for an error message."""
        article = "an" if self.ros_type.startswith("integer") else "a"
        allowed = f", {self.allowed}" if self.allowed else ""
        needs_quotes = self.ros_type == "string" and not self.choices
        hint = """ (a number or a boolean needs quotes: "'1'")""" if needs_quotes else ""
        return f"{article} {self.ros_type}{allowed}{hint}"


def parameter(
    default: Any,
    description: str,
    range: tuple[float, float] | None = None,
    choices: Iterable[str] = (),
    dynamic: bool = False,
    any_type: bool = False,
) -> Any:
    """Return a dataclass field that is one parameter.

    Args:
        default: its type is the parameter's type; a tuple makes an array and must not be empty, because ROS
            could not infer the type of the elements.
        description: with the unit and the meaning of special values.
        range: lowest and highest value, both allowed.
        choices: all allowed values.
        dynamic: whether it can be set while the node runs.
        any_type: whether a value of another type is accepted as text: 0 on the command line is an integer, not "0".
    """
    row = Row("", default, description, range, tuple(choices), dynamic, any_type)
    return field(default=default, metadata={"row": row})


def rows(table: type, prefix: str = "") -> Iterator[Row]:
    """Yield the parameters of `table`, those of its groups in place, with `prefix` before their names."""
    for one in fields(table):
        if "row" in one.metadata:
            yield replace(one.metadata["row"], name=prefix + one.name)
        else:
            yield from rows(one.default_factory, f"{prefix}{one.name}.")  # type: ignore[arg-type]


def check_choices(settings: Any) -> None:
    """Check the values of `settings`, a table's object, against their choices; for its `__post_init__`.

    Raises:
        ParameterError: with the value and the choices.
    """
    for row in rows(type(settings)):
        value = attrgetter(row.name)(settings)
        if row.choices and value not in row.choices:
            raise ParameterError(f"{row.name} is '{value}', expected one of: {row.allowed}")


def declare(node: Node, table: type, arguments: Sequence[str] | None = None) -> None:
    """Declare every parameter of `table` on `node`, which applies the values the node was started with.

    Args:
        node: just created.
        table: of its parameters.
        arguments: `cli_args` of the node.

    Raises:
        ParameterError: one of these values has the wrong type or is out of range, or there is no such parameter.
    """
    errors = parameter_overrides.check(node, {row.name for row in rows(table)}, arguments or ())
    if errors:
        raise ParameterError("; ".join(errors))
    for row in rows(table):
        _declare_row(node, row)


def read(node: Node, table: type[Table], changes: Iterable[Parameter] = ()) -> Table:
    """Return the values of the parameters declared on `node`, overridden by `changes` that are about to be applied.

    Raises:
        ParameterError: the values are inconsistent.
    """
    values = {row.name: node.get_parameter(row.name).value for row in rows(table)}
    values |= {change.name: change.value for change in changes if change.name in values}
    for row in rows(table):
        values[row.name] = row.converted(values[row.name])
    return _create(table, values)


def _declare_row(node: Node, row: Row) -> None:
    try:
        declared = node.declare_parameter(row.name, row.default, _descriptor(row))
    except (InvalidParameterTypeException, InvalidParameterValueException) as error:
        raise ParameterError(f"parameter {row.name} must be {row.expectation}: {error}") from error
    row.converted(declared.value)


def _create(table: type[Table], values: Mapping[str, Any], prefix: str = "") -> Table:
    return table(
        **{
            one.name: values[prefix + one.name]
            if "row" in one.metadata
            else _create(one.default_factory, values, f"{prefix}{one.name}.")  # type: ignore[arg-type]
            for one in fields(table)  # type: ignore[arg-type]
        }
    )


def _descriptor(row: Row) -> ParameterDescriptor:
    descriptor = ParameterDescriptor(
        name=row.name,
        description=row.description,
        read_only=not row.dynamic,
        dynamic_typing=row.dynamically_typed,
    )
    if row.choices:
        descriptor.additional_constraints = f"one of: {row.allowed}"
    if row.range:
        low, high = row.range
        if isinstance(row.default, int):
            descriptor.integer_range = [IntegerRange(from_value=low, to_value=high)]
        else:
            descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
    return descriptor
