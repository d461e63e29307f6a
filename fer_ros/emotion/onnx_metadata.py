# SPDX-License-Identifier: Apache-2.0
"""Read and write the metadata of an ONNX file without the onnx package.

An ONNX file is one protobuf message, ModelProto, whose field 14 holds pairs of key (field 1) and value (field 2), see
https://github.com/onnx/onnx/blob/main/onnx/onnx.proto. The fields of a message may come in any order, so a pair can be
appended to the file; to read the pairs, all other fields are skipped.
"""

from __future__ import annotations

from collections.abc import Iterator

_METADATA_PROPS, _KEY, _VALUE = 14, 1, 2
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def read(content: bytes) -> dict[str, str]:
    """Return the metadata pairs of the content of an ONNX file.

    Raises:
        ValueError: the content is not a protobuf message, or is truncated.

    >>> read(add(add(b"", "author", "me"), "license", "Apache-2.0"))
    {'author': 'me', 'license': 'Apache-2.0'}
    """
    return {
        entry[_KEY].decode(): entry[_VALUE].decode()
        for number, value in _fields(content)
        if number == _METADATA_PROPS and {_KEY, _VALUE} <= (entry := dict(_fields(value))).keys()
    }


def add(content: bytes, key: str, value: str) -> bytes:
    """Return the content of an ONNX file with one more metadata pair."""
    entry = _encoded(_KEY, key.encode()) + _encoded(_VALUE, value.encode())
    return content + _encoded(_METADATA_PROPS, entry)


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the number and content of each field of a message whose content is bytes; skip all others."""
    offset = 0
    while offset < len(message):
        tag, offset = _varint(message, offset)
        kind = tag & 7
        if kind == _VARINT:
            _, offset = _varint(message, offset)
            continue
        if kind not in (_FIXED64, _BYTES, _FIXED32):
            raise ValueError(f"not a protobuf message (wire type {kind} at byte {offset})")
        length, offset = _varint(message, offset) if kind == _BYTES else ({_FIXED64: 8, _FIXED32: 4}[kind], offset)
        if offset + length > len(message):
            raise ValueError(f"truncated: {offset + length - len(message)} bytes are missing at the end")
        if kind == _BYTES:
            yield tag >> 3, message[offset : offset + length]
        offset += length


def _varint(message: bytes, offset: int) -> tuple[int, int]:
    """Decode a varint (7 bits per byte, least significant first); return it and the offset after it."""
    number = shift = 0
    while offset < len(message) and shift < 64:
        byte = message[offset]
        number |= (byte & 0x7F) << shift
        offset, shift = offset + 1, shift + 7
        if byte < 0x80:
            return number, offset
    raise ValueError("not a protobuf message, or truncated")


def _encoded(number: int, content: bytes) -> bytes:
    return _encoded_varint(number << 3 | _BYTES) + _encoded_varint(len(content)) + content


def _encoded_varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded, number])
