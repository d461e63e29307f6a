# SPDX-License-Identifier: Apache-2.0
"""NumPy `.npz` files of FER2013: pixels, label, usage and, optionally, the crowd votes of FERPlus."""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fer_ros.datasets import ferplus
from fer_ros.datasets.face_images import SPLITS, DataError, FaceImages, concatenate, resize_all
from fer_ros.emotion.labels import FER2013
from fer_ros.files import ZIP_ERRORS, open_regular_file
from fer_ros.text import printable

_ROW_UNKNOWN = 1
"""Value of `source` for an image whose row in the original table is unknown: its votes may be another image's."""
_REQUIRED = ("pixels", "label", "usage")
_DIMENSIONS = {"pixels": 3, "label": 1, "usage": 1, "ferplus_votes": 2, "source": 1}
MAX_BYTES = 1 << 33
"""Largest size in memory of the arrays of a file, and of its scaled images: 8 GiB, 3.7 million images of 48x48."""
_MAX_SIDE = 4096
"""Pixels."""
_MAX_HEADER = 1000
"""Bytes; that of an array of numbers takes about 100. NumPy parses it as Python, which long input can crash."""
_DEFLATE_RATIO = 1040
"""Deflate compresses by a factor of 1032 at most."""
_MEMBERS = 100
"""Largest number of arrays in a file."""
DAMAGED = (*ZIP_ERRORS, MemoryError, AttributeError, TypeError, SyntaxError)
"""What zipfile and NumPy's format module raise for damaged files."""


class NpzReader:
    """Reads one or more .npz files, or a folder of them."""

    def matches(self, paths: Sequence[Path]) -> bool:
        return all(path.suffix.lower() == ".npz" for path in _files(paths)) and bool(_files(paths))

    def read(self, paths: Sequence[Path], image_size: int) -> FaceImages:
        return concatenate([read(path, image_size) for path in _files(paths)])


def _files(paths: Sequence[Path]) -> list[Path]:
    """Return the .npz files in the folder `paths[0]`, or `paths` themselves."""
    if len(paths) == 1 and paths[0].is_dir():
        return sorted(p for p in paths[0].iterdir() if p.suffix.lower() == ".npz" and not p.name.startswith("."))
    return list(paths)


class _ArrayHeader(NamedTuple):
    """What an array in an archive claims."""

    member: zipfile.ZipInfo
    start: int
    """Bytes before its values."""
    shape: tuple[int, ...]
    fortran_order: bool
    dtype: np.dtype

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


def read(path: Path, image_size: int) -> FaceImages:
    """Return the images of one file, scaled to (image_size, image_size).

    The file has the arrays `pixels` (N, height, width) uint8, `label` (N,) in FER2013's order and `usage` (N,) as index
    into `SPLITS`, and optionally `ferplus_votes` (N, 10) and `source` (N,). Other arrays are not read. Nothing is
    allocated before all sizes are checked, and nothing is unpickled.

    Raises:
        DataError: not an npz file, an array is missing, too large, or has the wrong shape or values out of range.
    """
    try:
        with open_regular_file(path) as file, zipfile.ZipFile(file) as archive:
            headers = _headers(archive)
            _check_headers(headers, image_size)
            arrays = {name: _values(archive, header) for name, header in headers.items()}
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    except DAMAGED as error:
        reason = printable(str(error).replace(f"{path}: ", "") or type(error).__name__, 200)
        raise DataError(f"{path}: not a readable npz file ({reason})") from error
    _check_range(path, "label", arrays["label"], len(FER2013))
    _check_range(path, "usage", arrays["usage"], len(SPLITS))
    return FaceImages(
        pixels=resize_all(arrays["pixels"], image_size),
        targets=arrays["label"].astype(np.int64),
        labels=FER2013,
        splits=arrays["usage"].astype(np.uint8),
        crowd_votes=_vote_shares(path, arrays),
    )


def _headers(archive: zipfile.ZipFile) -> dict[str, _ArrayHeader]:
    """Return the headers of the arrays that are used."""
    members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()[:_MEMBERS]}
    missing = [name for name in _REQUIRED if name not in members]
    if missing:
        there = printable(", ".join(members) or "none", 200)
        raise DataError(f"has no array '{missing[0]}'; it has: {there}")
    return {name: _header(archive, members[name]) for name in _DIMENSIONS if name in members}


def _header(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> _ArrayHeader:
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise DataError("not a readable npz file (its compression is neither NumPy's nor none)")
    if member.file_size > _DEFLATE_RATIO * member.compress_size + 1000:
        raise DataError(f"not a readable npz file ({member.file_size} bytes from {member.compress_size} packed ones)")
    with archive.open(member) as stream:
        version = np.lib.format.read_magic(stream)
        size_bytes, read_header = (
            (2, np.lib.format.read_array_header_1_0) if version == (1, 0) else (4, np.lib.format.read_array_header_2_0)
        )
        size = stream.read(size_bytes)
        length = int.from_bytes(size, "little")
        if length > _MAX_HEADER:
            raise DataError(f"not a readable npz file (an array header of {length} bytes)")
        shape, fortran_order, dtype = read_header(io.BytesIO(size + stream.read(length)))
        return _ArrayHeader(member, 8 + size_bytes + length, shape, fortran_order, dtype)


def _check_headers(headers: dict[str, _ArrayHeader], image_size: int) -> None:
    """Check dtypes, shapes and sizes.

    Raises:
        DataError: with the reason, without the path.
    """
    shape, dtype = headers["pixels"].shape, headers["pixels"].dtype
    if len(shape) != 3 or dtype != np.uint8 or min(shape) <= 0 or max(shape[1:]) > _MAX_SIDE:
        raise DataError(f"pixels must be (N, height, width) uint8, not {printable(shape)} {printable(dtype)}")
    for name, header in headers.items():
        if len(header.shape) != _DIMENSIONS[name] or header.dtype.kind not in "biuf":
            raise DataError(
                f"'{name}' must be an array of {_DIMENSIONS[name]} dimensions with numbers, not "
                f"{printable(header.shape)} {printable(header.dtype)}"
            )
        if header.shape[0] != shape[0]:
            raise DataError(f"{shape[0]} images but {header.shape[0]} entries in '{name}'")
        if name == "ferplus_votes" and header.shape[1] != len(ferplus.LABELS):
            raise DataError(f"'ferplus_votes' must have {len(ferplus.LABELS)} columns, not {header.shape[1]}")
    total = max(sum(header.nbytes for header in headers.values()), shape[0] * image_size**2)
    if total > MAX_BYTES:
        raise DataError(f"needs {total / 2**30:.1f} GiB of memory; the limit is {MAX_BYTES >> 30}")
    for name, header in headers.items():
        if header.member.file_size != header.start + header.nbytes:
            raise DataError(
                f"not a readable npz file ('{name}' has {header.member.file_size} bytes, but its shape "
                f"{header.shape} takes {header.start + header.nbytes})"
            )


def _values(archive: zipfile.ZipFile, header: _ArrayHeader) -> np.ndarray:
    with archive.open(header.member) as stream:
        content = stream.read(header.start + header.nbytes)
    values = np.frombuffer(content, header.dtype, math.prod(header.shape), header.start)
    return values.reshape(header.shape, order="F" if header.fortran_order else "C")


def _check_range(path: Path, name: str, values: np.ndarray, end: int) -> None:
    wrong = np.flatnonzero(~np.isin(values, range(end)))
    if len(wrong):
        raise DataError(f"{path}: '{name}' of image {wrong[0]} is {values[wrong[0]]}, not 0 to {end - 1}")


def _vote_shares(path: Path, arrays: dict[str, np.ndarray]) -> np.ndarray | None:
    """Return (N, 7) float32 shares of the votes for FER2013's labels; rows without usable votes are 0."""
    if "ferplus_votes" not in arrays:
        return None
    votes = arrays["ferplus_votes"]
    wrong = np.flatnonzero(~((votes >= 0) & (votes <= ferplus.MAX_VOTES)).all(axis=1))
    if len(wrong):
        raise DataError(f"{path}: 'ferplus_votes' of image {wrong[0]} is not 0 to {ferplus.MAX_VOTES}")
    shares = ferplus.vote_shares(votes)
    if "source" in arrays:
        shares[arrays["source"] == _ROW_UNKNOWN] = 0
    return shares
