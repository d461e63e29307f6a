# SPDX-License-Identifier: Apache-2.0
"""Rows of a csv file of unknown origin by the names of its columns, with errors that name the row."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TextIO

from fer_ros.datasets.face_images import DataError
from fer_ros.files import open_regular_file
from fer_ros.text import printable

_MAX_LINE = 1 << 17
"""Characters; FER2013's rows have up to 9,250. A file without line breaks is not read to its end."""


class Row(NamedTuple):
    """One row of a table."""

    place: str
    """File and row, counted from 1 at the header, as in an editor."""
    cells: dict[str, str]
    """Text by the name of the column, in lower case."""


def header_of(path: Path) -> list[str]:
    """Return the names of the columns, in lower case; none if the file cannot be read."""
    try:
        with _open(path) as file:
            return [name.strip().lower() for name in next(csv.reader(_lines(file)), [])]
    except (DataError, OSError, UnicodeDecodeError, csv.Error):
        return []


def rows_of(path: Path, columns: Sequence[str], optional: Sequence[str] = ()) -> Iterator[Row]:
    """Yield the rows of a table, without blank ones.

    Upper and lower case are the same in the header; a byte order mark is skipped.

    Args:
        path: of the file.
        columns: names that the table must have.
        optional: names that it may have.

    Raises:
        DataError: names the file, the row and its fault: not a csv, a column is missing, too few cells.
    """
    with _open(path) as file:
        rows = csv.reader(_lines(file))
        number = 1
        try:
            at = _positions(path, next(rows, []), columns, optional)
            needed = max(at.values()) + 1
            for row in rows:
                number, first_line = rows.line_num, number + 1
                if not any(cell.strip() for cell in row):
                    continue
                place = f"{path}, row {first_line}"
                if len(row) < needed:
                    raise DataError(f"{place}: has {len(row)} columns, not {needed}")
                yield Row(place, {name: row[position].strip() for name, position in at.items()})
        except (UnicodeDecodeError, csv.Error) as error:
            raise DataError(f"{path}, row {number + 1}: not a readable csv ({printable(error, 200)})") from error


def _open(path: Path) -> TextIO:
    try:
        return io.TextIOWrapper(open_regular_file(path), encoding="utf-8-sig", newline="")
    except OSError as error:
        raise DataError(str(error)) from error


def _lines(file: TextIO) -> Iterator[str]:
    while line := file.readline(_MAX_LINE):
        if len(line) == _MAX_LINE:
            raise csv.Error(f"a line of more than {_MAX_LINE} characters")
        yield line


def _positions(path: Path, header: list[str], columns: Sequence[str], optional: Sequence[str]) -> dict[str, int]:
    """Return the index of each column in a row, by its name in lower case."""
    names = [name.strip().lower() for name in header]
    missing = [name for name in columns if name.lower() not in names]
    if missing:
        there = printable(",".join(header), 100) or "none"
        raise DataError(f"{path}, row 1: no column '{missing[0]}'; it must have {','.join(columns)}, and has {there}")
    wanted = [name.lower() for name in (*columns, *optional)]
    return {name: names.index(name) for name in wanted if name in names}
