# SPDX-License-Identifier: Apache-2.0
"""Read protobuf messages of unknown origin, and write fields.

A reader of protobuf takes unknown fields, and of fields that occur twice the last; two readers can so see two contents.
Here a message has exactly the fields of its schema, or is refused.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from fer_ros.text import printable

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MAX_TEXT = 100_000
"""Bytes of a text field; documentation of a network is the longest."""
_MAX_FIELDS = 100_000
"""Of one message. Each becomes an object of 200 bytes, which in the file takes two."""


class Field(NamedTuple):
    """A field of a message."""

    name: str
    kind: str
    """"int", "float", "text", or "bytes", also for an inner message."""
    repeated: bool = False


def parse(message: bytes | memoryview, schema: Mapping[int, Field]) -> dict[str, Any]:
    """Return the fields of a message by name; absent ones are missing, repeated ones are lists.

    Args:
        message: its content.
        schema: its fields by number.

    Raises:
        ValueError: this is not such a message, or is truncated.
    """
    values: dict[str, Any] = {field.name: [] for field in schema.values() if field.repeated}
    for number, kind, value in fields(message):
        field = schema.get(number)
        if field is None:
            raise ValueError(f"it has a field {number} that is not expected")
        if field.repeated:
            values[field.name] += _values(field, kind, value)
        elif field.name in values:
            raise ValueError(f"it has the field {field.name} twice")
        else:
            (values[field.name],) = _values(field, kind, value)
    return values


def fields(message: bytes | memoryview) -> Iterator[tuple[int, int, int | memoryview]]:
    """Yield number, wire type and value of each field: an int of a varint, else bytes.

    Raises:
        ValueError: this is not a protobuf message, or is truncated.
    """
    view, offset = memoryview(message), 0
    count = 0
    while offset < len(view):
        count += 1
        if count > _MAX_FIELDS:
            raise ValueError(f"it has a message of more than {_MAX_FIELDS} fields")
        tag, offset = _varint(view, offset)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            value, offset = _varint(view, offset)
            yield number, kind, value
            continue
        if kind not in (_FIXED64, _BYTES, _FIXED32):
            raise ValueError(f"not a protobuf message (wire type {kind} at byte {offset})")
        length, offset = _varint(view, offset) if kind == _BYTES else ({_FIXED64: 8, _FIXED32: 4}[kind], offset)
        if offset + length > len(view):
            raise ValueError(f"truncated: {offset + length - len(view)} bytes are missing at the end")
        yield number, kind, view[offset : offset + length]
        offset += length


def encode(number: int, content: bytes | memoryview | int) -> bytes:
    """Return a field whose value is bytes, or an int of a varint."""
    if isinstance(content, int):
        return _encoded_varint(number << 3 | _VARINT) + _encoded_varint(content)
    return _encoded_varint(number << 3 | _BYTES) + _encoded_varint(len(content)) + content


def _values(field: Field, kind: int, value: int | memoryview) -> list[Any]:
    if field.kind == "int" and isinstance(value, int):
        return [_signed(value)]
    if field.kind == "float" and kind == _FIXED32 and isinstance(value, memoryview):
        return list(struct.unpack("<f", value))
    if kind == _BYTES and isinstance(value, memoryview):
        if field.kind == "bytes":
            return [value]
        if field.kind == "text":
            return [_text(value)]
        if field.repeated and len(value) > _MAX_FIELDS:
            raise ValueError(f"the field {field.name} has {len(value)} bytes; the limit is {_MAX_FIELDS}")
        if field.repeated and field.kind == "int":  # packed
            return list(_packed(value))
        if field.repeated and field.kind == "float" and len(value) % 4 == 0:
            return list(struct.unpack(f"<{len(value) // 4}f", value))
    raise ValueError(f"the field {field.name} has another type")


def _text(value: memoryview) -> str:
    if len(value) > _MAX_TEXT:
        raise ValueError(f"it has a text of {len(value)} bytes; the limit is {_MAX_TEXT}")
    try:
        return bytes(value).decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"it has a text that is not UTF-8: {printable(bytes(value), 40)}") from error


def _packed(value: memoryview) -> Iterator[int]:
    offset = 0
    while offset < len(value):
        number, offset = _varint(value, offset)
        yield _signed(number)


def _signed(number: int) -> int:
    """Return an int64 that is written as uint64."""
    return number - (1 << 64) if number >> 63 else number


def _varint(message: memoryview, offset: int) -> tuple[int, int]:
    """Decode a varint (7 bits per byte, least significant first); return it and the offset after it."""
    number = shift = 0
    while offset < len(message) and shift < 64:
        byte = message[offset]
        number |= (byte & 0x7F) << shift
        offset, shift = offset + 1, shift + 7
        if byte < 0x80:
            if number >> 64:
                break
            return number, offset
    raise ValueError("not a protobuf message, or truncated")


def _encoded_varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded, number])
