# SPDX-License-Identifier: Apache-2.0
"""Detects truncated video files by the sizes that their containers claim.

The number of frames in a container is only a hint: a trimmed video or one with a variable rate has another number of
frames to show. The sizes of its parts are exact.

Sources: Microsoft's "AVI RIFF File Reference"; ISO/IEC 14496-12 (MP4, MOV); RFC 8794 and RFC 9559 (Matroska, WebM);
CompuServe's GIF89a specification.
"""

from __future__ import annotations

from pathlib import Path

_MAX_BOXES = 100_000


def is_truncated(path: Path) -> bool:
    """Return whether a video file ends before its container does; False for containers that claim no size.

    Raises:
        OSError: the file cannot be read.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(64)
        if head[:4] == b"RIFF" and len(head) >= 8:
            return 8 + int.from_bytes(head[4:8], "little") > size
        if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free"):
            at = 0
            for _ in range(_MAX_BOXES):
                if at >= size:
                    return at > size
                file.seek(at)
                box = file.read(16)
                if len(box) < 8:
                    return True
                length = int.from_bytes(box[:4], "big")
                if length == 1 and len(box) == 16:
                    length = int.from_bytes(box[8:], "big")
                if length < 8:  # 0: up to the end of the file
                    return False
                at += length
        if head[:4] == b"\x1a\x45\xdf\xa3":
            return _matroska_end(head) > size
        if head[:4] == b"GIF8":
            file.seek(max(size - 64, 0))
            return b";" not in file.read().rstrip(b"\0")[-1:]
    return False


def _matroska_end(head: bytes) -> int:
    """Return where the segment ends, in bytes; 0 if its size is unknown, as in a stream."""
    header, at = _matroska_size(head, 4)
    at += header
    if head[at : at + 4] != b"\x18\x53\x80\x67":
        return 0
    length, start = _matroska_size(head, at + 4)
    return start + length if length else 0


def _matroska_size(head: bytes, at: int) -> tuple[int, int]:
    """Return the number of variable length at `at` (0 for "unknown"), and where it ends."""
    if at >= len(head) or not head[at]:
        return 0, at + 1
    length = 9 - head[at].bit_length()
    value = int.from_bytes(head[at : at + length], "big") & ((1 << 7 * length) - 1)
    return 0 if value == (1 << 7 * length) - 1 else value, at + length
