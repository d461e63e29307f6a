"""The metadata of an ONNX file, read and written without the onnx package.

An ONNX file is one protobuf message, ModelProto, whose field 14 holds pairs of key (field 1) and value (field 2):
https://github.com/onnx/onnx/blob/main/onnx/onnx.proto. A message's fields may come in any order, so pairs can simply be
appended; and reading them takes no more than stepping over the fields before them.
"""

from __future__ import annotations

from collections.abc import Iterator

_METADATA_PROPS, _KEY, _VALUE = 14, 1, 2
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def read(content: bytes) -> dict[str, str]:
    """The metadata pairs of a whole ONNX file.

    Raises:
        ValueError: the content is no protobuf message, or is cut off.
    """
    return {
        entry[_KEY].decode(): entry[_VALUE].decode()
        for number, value in _fields(content)
        if number == _METADATA_PROPS and {_KEY, _VALUE} <= (entry := dict(_fields(value))).keys()
    }


def add(content: bytes, key: str, value: str) -> bytes:
    """The same ONNX file with one more pair."""
    entry = _encoded(_KEY, key.encode()) + _encoded(_VALUE, value.encode())
    return content + _encoded(_METADATA_PROPS, entry)


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Number and content of each field of a message; numbers among the contents are stepped over."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        kind = tag & 7
        if kind == _VARINT:
            _, at = _varint(message, at)
            continue
        if kind not in (_FIXED64, _BYTES, _FIXED32):
            raise ValueError(f"not a protobuf message (wire type {kind} at byte {at})")
        length, at = _varint(message, at) if kind == _BYTES else ({_FIXED64: 8, _FIXED32: 4}[kind], at)
        if at + length > len(message):
            raise ValueError(f"cut off: {at + length - len(message)} bytes are missing at the end")
        if kind == _BYTES:
            yield tag >> 3, message[at : at + length]
        at += length


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, least first, and the place after it."""
    number = shift = 0
    while at < len(message) and shift < 64:
        byte = message[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return number, at
    raise ValueError("not a protobuf message, or cut off")


def _encoded(number: int, content: bytes) -> bytes:
    return _encoded_varint(number << 3 | _BYTES) + _encoded_varint(len(content)) + content


def _encoded_varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded, number])
