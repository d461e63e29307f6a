# SPDX-License-Identifier: Apache-2.0
"""Random changes of an input: bits, bytes, numbers, and whole parts."""

from __future__ import annotations

import random
import struct
import zlib

_NUMBERS = (0, 1, 2, 7, 8, 127, 128, 255, 256, 32767, 32768, 65535, 2**31 - 1, 2**31, 2**32 - 1)
_FLOATS = (0.0, -1.0, 1e-300, 1e300, float("inf"), float("-inf"), float("nan"), 1e9)
_TEXTS = (
    b"nan",
    b"-1",
    b"1e999",
    b"\n",
    b"\x1b[2J",
    b"\0",
    b"*x",
    b"&x ",
    b"[" * 400,
    b"9" * 50,
    b"{}",
    b": ",
    b",",
    b'"',
)


def mutate(seeds: list[bytes], draw: random.Random) -> bytes:
    """Return a seed with one to eight changes."""
    content = bytearray(draw.choice(seeds))
    for _ in range(draw.choice((1, 1, 1, 2, 2, 3, 5, 8))):
        if not content:
            break
        draw.choice(_CHANGES)(content, seeds, draw)
    if content.startswith(b"\x89PNG") and draw.random() < 0.7:
        return _with_checksums(bytes(content))
    return bytes(content)


def _flip_bit(content: bytearray, _: list[bytes], draw: random.Random) -> None:
    content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)


def _set_byte(content: bytearray, _: list[bytes], draw: random.Random) -> None:
    content[draw.randrange(len(content))] = draw.choice((0, 1, 0x7F, 0x80, 0xFE, 0xFF, draw.randrange(256)))


def _set_number(content: bytearray, _: list[bytes], draw: random.Random) -> None:
    code = draw.choice((">H", "<H", ">I", "<I", "<d"))
    number = (
        draw.choice(_FLOATS) if code == "<d" else draw.choice(_NUMBERS) & (0xFFFF if code[1] == "H" else 0xFFFFFFFF)
    )
    packed = struct.pack(code, number)
    at = draw.randrange(len(content))
    content[at : at + len(packed)] = packed


def _truncate(content: bytearray, _: list[bytes], draw: random.Random) -> None:
    del content[draw.randrange(len(content)) :]


def _delete(content: bytearray, _: list[bytes], draw: random.Random) -> None:
    at = draw.randrange(len(content))
    del content[at : at + draw.randrange(1, 40)]


def _repeat(content: bytearray, _: list[bytes], draw: random.Random) -> None:
    at = draw.randrange(len(content))
    part = bytes(content[at : at + draw.randrange(1, 80)])
    content[at:at] = part * draw.choice((1, 1, 2, 30))


def _insert(content: bytearray, _: list[bytes], draw: random.Random) -> None:
    at = draw.randrange(len(content))
    content[at:at] = draw.choice(_TEXTS) if draw.random() < 0.5 else draw.randbytes(draw.randrange(1, 20))


def _splice(content: bytearray, seeds: list[bytes], draw: random.Random) -> None:
    other = draw.choice(seeds)
    at, start = draw.randrange(len(content)), draw.randrange(max(len(other), 1))
    content[at : at + draw.randrange(100)] = other[start : start + draw.randrange(200)]


_CHANGES = (
    _flip_bit,
    _flip_bit,
    _set_byte,
    _set_byte,
    _set_number,
    _set_number,
    _truncate,
    _delete,
    _repeat,
    _insert,
    _splice,
)


def _with_checksums(content: bytes) -> bytes:
    """Return a PNG whose chunks have the right checksums, without which a decoder stops early."""
    result, at = content[:8], 8
    while at + 12 <= len(content):
        length = int.from_bytes(content[at : at + 4], "big")
        if at + 12 + length > len(content):
            break
        body = content[at + 4 : at + 8 + length]
        result += content[at : at + 4] + body + struct.pack(">I", zlib.crc32(body))
        at += 12 + length
    return result + content[at:]
