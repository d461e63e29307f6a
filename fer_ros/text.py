# SPDX-License-Identifier: Apache-2.0
"""Text that comes from outside, made safe to log."""

from __future__ import annotations

_ELLIPSIS = "..."


def seconds(nanoseconds: int) -> str:
    """Return a time as text in seconds, exactly.

    >>> seconds(1_500_000_000), seconds(-1)
    ('1.500000000', '-0.000000001')
    """
    whole, fraction = divmod(abs(nanoseconds), 10**9)
    return f"{'-' * (nanoseconds < 0)}{whole}.{fraction:09d}"


def printable(text: object, limit: int = 80) -> str:
    r"""Return text on one line without control characters, at most `limit` characters long.

    Line breaks in the text of a message could forge log lines, and escape sequences control the terminal that shows
    them. Characters that are not printable are written as escapes of Python.

    Args:
        text: converted by `str`.
        limit: characters; longer text is cut and ends with "...".

    >>> printable("rgb8\n[ERROR] all is lost")
    'rgb8\\n[ERROR] all is lost'
    """
    # Cut twice: before the work, which is proportional to the length, and after it, because escapes are longer.
    characters = str(text)[: limit + 1]
    escaped = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in characters)
    return escaped if len(escaped) <= limit else escaped[: limit - len(_ELLIPSIS)] + _ELLIPSIS
