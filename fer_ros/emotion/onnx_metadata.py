# SPDX-License-Identifier: Apache-2.0
"""Read and write the metadata of an ONNX file without the onnx package.

An ONNX file is one protobuf message, ModelProto, whose field 14 holds pairs of key (field 1) and value (field 2), see
https://github.com/onnx/onnx/blob/main/onnx/onnx.proto. The fields of a message may come in any order, so a pair can be
appended to the file; to read the pairs, all other fields are skipped.
"""

from __future__ import annotations

import hashlib

from fer_ros.emotion import protobuf

_METADATA_PROPS = 14
_KEY, _VALUE = 1, 2


def read(content: bytes) -> dict[str, bytes]:
    """Return the metadata pairs of the content of an ONNX file.

    Raises:
        ValueError: the content is not a protobuf message, is truncated, or has a key twice.

    >>> read(add(add(b"", "author", "me"), "license", "Apache-2.0"))
    {'author': b'me', 'license': b'Apache-2.0'}
    """
    pairs: dict[str, bytes] = {}
    for number, _, value in protobuf.fields(content):
        if number == _METADATA_PROPS and isinstance(value, memoryview):
            entry = {key: part for key, _, part in protobuf.fields(value) if isinstance(part, memoryview)}
            if {_KEY, _VALUE} <= entry.keys():
                key = bytes(entry[_KEY]).decode()
                if key in pairs:
                    raise ValueError("it has two metadata entries of one name")
                pairs[key] = bytes(entry[_VALUE])
    return pairs


def add(content: bytes, key: str, value: str) -> bytes:
    """Return the content of an ONNX file with one more metadata pair."""
    entry = protobuf.encode(_KEY, key.encode()) + protobuf.encode(_VALUE, value.encode())
    return content + protobuf.encode(_METADATA_PROPS, entry)


def remove(content: bytes) -> bytes:
    """Return the content of an ONNX file without its metadata pairs.

    >>> remove(add(b"", "author", "me"))
    b''
    """
    kept = ((number, value) for number, _, value in protobuf.fields(content) if number != _METADATA_PROPS)
    return b"".join(protobuf.encode(number, value) for number, value in kept)


def digest(content: bytes) -> bytes:
    """Return the SHA-256 of an ONNX file's content without its metadata pairs."""
    result = hashlib.sha256()
    for number, kind, value in protobuf.fields(content):
        if number != _METADATA_PROPS:
            result.update(f"{number} {kind} {value if isinstance(value, int) else len(value)}\n".encode())
            if not isinstance(value, int):
                result.update(value)
    return result.digest()
